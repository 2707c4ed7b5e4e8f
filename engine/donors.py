"""Messages of another episode, kept by content hash: what a placebo is made of.

A donor is an artefact with one file, so that a team's specification names it by its hash, and the same hash always is
the same messages.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.errors import BadSpecification, RecordDamaged
from engine.journal import Posted, read_journal
from engine.messages import AnyBody, ArtefactHash, Topic
from engine.store import ArtefactStore, artefact_hash

_FILE = "messages.jsonl"
_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[AnyBody] = msgspec.json.Decoder(AnyBody)


def read_donor(episode: Path, topic: Topic) -> dict[str, bytes]:
    """What an episode said on a topic, in order, as the files of an artefact.

    Args:
        episode: its folder, with ``journal.jsonl`` in it.
        topic: the subject.

    Raises:
        BadSpecification: it has no record, or nothing was said on the topic.
        RecordDamaged: the record cannot be read.
    """
    journal = episode / "journal.jsonl"
    if not journal.is_file():
        raise BadSpecification(
            f"placebo {topic}", f"{episode} holds no episode; name DIR/EPISODE of an earlier run"
        )
    said = [r.body for r in read_journal(journal) if isinstance(r, Posted) and r.topic == topic]
    if not said:
        raise BadSpecification(f"placebo {topic}", f"nothing was said on {topic} in {episode}; name another")
    return {_FILE: _encoder.encode_lines(said)}


def keep_donor(store: ArtefactStore, episode: Path, topic: Topic) -> ArtefactHash:
    """Keep what an episode said on a topic; the hash is what a ``placebo`` names. See `read_donor` for errors."""
    return store.put(read_donor(episode, topic))


def donor_hash(files: dict[str, bytes]) -> ArtefactHash:
    """The hash of a donor that is not kept yet."""
    return artefact_hash(files)


def load_donor(store: ArtefactStore, donor: str) -> Sequence[AnyBody]:
    """The messages of a donor, in the order in which they were said.

    Raises:
        BadSpecification: the store does not have it.
        RecordDamaged: what it has is no donor.
    """
    if donor not in store:
        raise BadSpecification(
            f"placebo from {donor[:12]}…",
            f"its messages are not in {store.folder}; name the episode they come from: "
            "'placebo TOPIC from DIR/episodes/EPISODE'",
        )
    try:
        lines = store.get(ArtefactHash(donor))[_FILE].splitlines()
        return tuple(_decoder.decode(line) for line in lines)
    except (KeyError, ValueError) as error:
        raise RecordDamaged(f"{donor} in {store.folder} is no donor of messages: {error}") from error
