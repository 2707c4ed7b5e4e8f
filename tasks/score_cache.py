"""Scores of a study, in memory and on an append-only file of JSON lines."""

import os
from pathlib import Path

import msgspec

from engine.errors import OutputUnusable
from engine.messages import ArtefactHash
from engine.task import Score, ScoringProtocol, Split


class ScoreKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a score is a function of."""

    task: str
    protocol: ScoringProtocol
    artefact: ArtefactHash
    split: Split
    seed: int
    version: int


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: ScoreKey
    score: Score


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Line)


class ScoreCache:
    """Remembers scores; several processes may append to one file.

    Lines are written whole in one call, in append mode. A line that does not decode (a torn tail after a crash, a
    line of another version) counts as never written: its score is found again.

    Args:
        path: the file; None: memory only. It is made at the first score.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._scores: dict[ScoreKey, Score] = {}
        self._torn = False
        if path is not None and path.exists():
            self._read(path)

    def __len__(self) -> int:
        return len(self._scores)

    def find(self, key: ScoreKey) -> Score | None:
        """The score kept under this key."""
        return self._scores.get(key)

    def keep(self, key: ScoreKey, score: Score) -> None:
        """Remember a score, on file too where there is one.

        Raises:
            OutputUnusable: when the file cannot be written.
        """
        self._scores[key] = score
        if self._path is None:
            return
        line = (b"\n" if self._torn else b"") + _ENCODER.encode(_Line(key=key, score=score)) + b"\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                written = os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OutputUnusable(f"cannot keep a score in {self._path}: {error.strerror or error}") from error
        self._torn = written != len(line)

    def _read(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OutputUnusable(f"cannot read the scores in {path}: {error.strerror or error}") from error
        for line in content.split(b"\n"):
            try:
                entry = _DECODER.decode(line)
            except msgspec.DecodeError:
                continue
            self._scores[entry.key] = entry.score
        self._torn = bool(content) and not content.endswith(b"\n")
