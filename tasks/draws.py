"""Where an evaluation's randomness comes from, so that a player cannot work out its opponent's.

Evaluation seeds are small numbers hashed by open code: a player could try them all and recognise its opponent's
first moves. So streams hang on a secret of the judge (where one is given), on a derivation too slow to search
within an evaluation's CPU limit, and never on each other.
"""

import hashlib

import numpy as np

_ROUNDS = 4_000  # about 2 ms: the CPU limit of an evaluation allows about a thousand guesses


def stream_seed(seed: int, purpose: str, *, secret: bytes = b"") -> int:
    """A 128-bit seed for one purpose of one evaluation."""
    derived = hashlib.pbkdf2_hmac("sha256", b"%d:%b" % (seed, secret), purpose.encode(), _ROUNDS, 16)
    return int.from_bytes(derived, "big")


def stream(seed: int, purpose: str, *, secret: bytes = b"") -> np.random.Generator:
    """The generator of `stream_seed`."""
    return np.random.default_rng(stream_seed(seed, purpose, secret=secret))


def player_seed(files_digest: str) -> int:
    """The seed of a player's own generators (63 bits): of what it is, and never of the evaluation."""
    return int.from_bytes(hashlib.sha256(f"player {files_digest}".encode()).digest()[:8], "big") >> 1
