"""Three separate seeds, and the streams drawn from them.

A stream is keyed by what it decides and never by the arm of a comparison, so that two arms share their draws
wherever they make the same decision.
"""

import zlib

import msgspec
import numpy as np


class Seeds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an episode's randomness comes from."""

    task: int
    """Splits, instances, opponents."""
    team: int
    """Members' draws."""
    evaluation: int
    """Feedback draws; the final has its own branch of it."""


def _word(text: str) -> int:
    return zlib.crc32(text.encode())


def member_stream(seeds: Seeds, *, role: str, replica: int, ordinal: int) -> np.random.Generator:
    """The generator of one decision of one member.

    Args:
        seeds: the episode's.
        role: the function that decides (so a merged member keeps its streams).
        replica: from 1.
        ordinal: which decision of that member, from 1.
    """
    entropy = [seeds.task, seeds.team, _word(role), replica, ordinal]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def runtime_stream(seeds: Seeds, purpose: str) -> np.random.Generator:
    """A generator for the engine itself (interposers, simulated latencies), apart from every member's."""
    return np.random.default_rng(np.random.SeedSequence([seeds.task, seeds.team, _word(purpose), 0, 0]))


def evaluation_seed(seeds: Seeds, *, split: str, ordinal: int) -> int:
    """The scorer's seed (63 bits) for the ``ordinal``-th request on a split."""
    entropy = [seeds.task, seeds.evaluation, _word(split), ordinal]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))
