"""One journal, read as far as it goes; each further reading takes only what came since.

Texts are cut while reading, so that an episode that is looked at weighs little however much it printed; where each line
lies is remembered, and a line is read again from the file when somebody asks for it whole.
"""

import os
from pathlib import Path

import msgspec

from engine.journal import JOURNAL_VERSION, AnyRecord, Opened
from engine.messages import MESSAGES_VERSION
from mlyceum.folders import EPISODES, JOURNAL
from mlyceum.viewer.web.bounded import Bounded
from mlyceum.viewer.web.inside import NotServed, open_inside

SHORT_LINE = 4096
"""Bytes; in a shorter line nothing is cut."""
TEXT_CHARACTERS = 2_000
"""Of each text that is held."""
LINE_CHARACTERS = 20_000
"""Of all texts of a line that are held."""
MOST_LINES = 200_000
"""Of a journal that are shown."""
LONGEST_LINE = 512 << 20
"""Bytes; a longer line is damage."""

_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class _Head(msgspec.Struct):
    version: int = JOURNAL_VERSION
    messages: int = MESSAGES_VERSION


class Tail:
    """A journal that may be growing. Not safe for two threads at once.

    Args:
        study: the study's folder.
        episode: the episode's name.

    Attributes:
        records: every whole line so far, texts cut.
        problem: why there is no more, where a line cannot be read.
    """

    def __init__(self, study: Path, episode: str) -> None:
        self._study, self._episode = study, episode
        self._begin(0)

    def _begin(self, inode: int) -> None:
        self.records: list[AnyRecord] = []
        self.problem = ""
        self._places: list[int] = [0]
        self._inode = inode

    def read_on(self) -> bool:
        """Take what came since the last reading; whether anything did.

        Raises:
            NotServed: the journal is not a file of this study.
        """
        with open_inside(self._study, EPISODES, self._episode, JOURNAL) as file:
            status = _inode_and_size(file.fileno())
            if status[0] != self._inode or status[1] < self._places[-1]:
                self._begin(status[0])
            before = len(self.records)
            if status[1] == self._places[-1] or self.problem:
                return False
            file.seek(self._places[-1])
            line = file.readline(LONGEST_LINE)
            while line.endswith(b"\n") and not self.problem:
                following = file.readline(LONGEST_LINE)
                if not self._take(line, is_last=not following):
                    break
                line = following
            if len(line) >= LONGEST_LINE:
                self.problem = f"line {len(self.records) + 1} is longer than {LONGEST_LINE >> 20} MB"
            return len(self.records) > before or bool(self.problem)

    def _take(self, line: bytes, *, is_last: bool) -> bool:
        number = len(self.records) + 1
        if number > MOST_LINES:
            self.problem = f"only the first {MOST_LINES} lines are shown"
            return False
        if number == 1 and not _is_readable(line):
            self.problem = "written by a later version of mlyceum; use that one to read it"
            return False
        try:
            record = _decoder.decode(line)
        except (ValueError, RecursionError) as error:
            if not is_last:  # else a torn tail, which the run will write again
                self.problem = f"line {number} cannot be read: {error}"
            return False
        self.records.append(record if len(line) <= SHORT_LINE else _cut(record))
        self._places.append(self._places[-1] + len(line))
        return True

    @property
    def version(self) -> str:
        """Changes whenever there is more to see."""
        return f"{self._inode:x}-{len(self.records)}-{len(self.problem)}"

    def line(self, order: int) -> object:
        """One line, decoded and whole.

        Args:
            order: from 1.

        Raises:
            NotServed: there is no such line.
        """
        if not 1 <= order < len(self._places):
            raise NotServed(f"the journal has no line {order} (yet)")
        with open_inside(self._study, EPISODES, self._episode, JOURNAL) as file:
            file.seek(self._places[order - 1])
            content = file.read(self._places[order] - self._places[order - 1])
        try:
            return msgspec.json.decode(content)
        except ValueError as error:
            raise NotServed(f"line {order} was changed") from error


def _inode_and_size(descriptor: int) -> tuple[int, int]:
    """Inode and size of an open file."""
    status = os.fstat(descriptor)
    return status.st_ino, status.st_size


def _is_readable(line: bytes) -> bool:
    try:
        head = msgspec.json.decode(line, type=_Head)
    except ValueError:
        return True  # said better where the line is decoded
    return head.version <= JOURNAL_VERSION and head.messages <= MESSAGES_VERSION


def _cut(record: AnyRecord) -> AnyRecord:
    """The record with its long texts cut; a head stays as it is, its specification being read from it."""
    if isinstance(record, Opened):
        return record
    bounded = Bounded(each=TEXT_CHARACTERS, whole=LINE_CHARACTERS)
    cut = bounded.cut(msgspec.json.decode(msgspec.json.encode(record)))
    return _decoder.decode(msgspec.json.encode(cut))
