"""The commands of MLGym's agent: a window on one open file, edits of lines that are checked first, and search.

Each call is one command: its state lies in a file, what it prints is what the agent sees, and a word for what went
wrong goes beside it. The forms of commands and of a window are MLGym's; the sentences are ours.
"""

import json
import mimetypes
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

from roles.mlgym.inside.lint import Fault, faults

WINDOW = int(os.environ.get("MLGYM_WINDOW", "1000"))
OVERLAP = 2
LARGEST_JUMP_BYTES = 20_000
"""Of a file that may be opened at a line."""
MOST_FILES_FOUND = 100
AROUND_EDIT = 5
SCROLLS_BEFORE_WARNING = 3
RULE = "-" * 40


class Refused(Exception):
    """Raised when a command cannot be done.

    Attributes:
        kind: a word for why, for the record.
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Editor:
    """One command's view of the state.

    Args:
        folder: holds the state.
    """

    def __init__(self, folder: Path) -> None:
        self._place = folder / "state.json"
        self._said = folder / "said.json"
        try:
            state: dict[str, Any] = json.loads(self._place.read_text())
        except (OSError, ValueError):
            state = {}
        self.file: str = str(state.get("open_file", ""))
        self.line = int(state.get("line", 0))
        self.scrolls = int(state.get("scrolls", 0))

    def save(self) -> None:
        """Keep the state for the next command."""
        state = {"open_file": self.file, "line": self.line, "scrolls": self.scrolls}
        self._place.write_text(json.dumps(state))

    def note(self, what: str, word: str) -> None:
        """Tell the host a word: ``problem`` or ``asked``; the first of a kind stands."""
        try:
            said: dict[str, str] = json.loads(self._said.read_text())
        except (OSError, ValueError):
            said = {}
        said.setdefault(what, word)
        self._said.write_text(json.dumps(said))

    # -- the window -------------------------------------------------------------------------------------------------

    def open(self, arguments: Sequence[str]) -> None:
        """``open "<path>" [<line>]``."""
        if not arguments:
            raise Refused("usage", 'Usage: open "<path>" [<line_number>]')
        path = _existing(arguments[0])
        kind = mimetypes.guess_type(path.name)[0] or ""
        if kind.startswith("image/"):
            raise Refused("is-image", f"{arguments[0]} is an image; the editor shows text only.")
        line = WINDOW // 2
        if len(arguments) > 1:
            line = self._asked_line(arguments[1], path)
        self.file, self.line = str(path.resolve()), line
        self.show()

    def _asked_line(self, text: str, path: Path) -> int:
        if not re.fullmatch(r"[+-]?\d+", text):
            raise Refused("not-a-number", 'Usage: open "<path>" [<line_number>]\nThe line must be a number.')
        if path.stat().st_size > LARGEST_JUMP_BYTES:
            raise Refused(
                "too-large",
                f"The file has more than {LARGEST_JUMP_BYTES} bytes and is not opened at a line; "
                "use 'head -n LINES' to look into it.",
            )
        line, last = int(text), len(_lines(path))
        if line > last:
            _say(f"Warning: the file has {last} lines; line {last} is taken instead of {line}")
        elif line < 1:
            _say(f"Warning: lines are counted from 1; line 1 is taken instead of {line}")
        return min(max(line, 1), max(last, 1)) + WINDOW // 2 - WINDOW // 6

    def goto(self, arguments: Sequence[str]) -> None:
        """``goto <line>``."""
        lines = _lines(self._open_file())
        if len(arguments) != 1:
            raise Refused("usage", "goto takes one line.\nUsage: goto <line>")
        if not re.fullmatch(r"[+-]?\d+", arguments[0]):
            raise Refused("not-a-number", "The line must be a number.\nUsage: goto <line>")
        line = int(arguments[0])
        if line > len(lines):
            raise Refused("beyond-end", f"The file ends at line {len(lines)}; <line> can be no larger.")
        if line < 1:
            raise Refused("beyond-end", "Lines are counted from 1; <line> can be no smaller.")
        self.line = max(line + WINDOW // 2 - WINDOW // 6, 1)
        self.show()

    def scroll_down(self, _: Sequence[str]) -> None:
        """``scroll_down``."""
        self._scroll(WINDOW - OVERLAP)

    def scroll_up(self, _: Sequence[str]) -> None:
        """``scroll_up``."""
        self._scroll(OVERLAP - WINDOW)

    def _scroll(self, by: int) -> None:
        self._open_file()
        self.line += by
        self.scrolls += 1
        self.show(keep_scrolls=True)
        if self.scrolls >= SCROLLS_BEFORE_WARNING:
            _say(
                "Warning: scrolling again and again takes many steps; `search_file` or `goto` may be quicker."
            )

    def create(self, arguments: Sequence[str]) -> None:
        """``create <name>``."""
        if len(arguments) < 1:
            raise Refused("usage", "Usage: create <filename>")
        path = Path(arguments[0])
        if path.exists():
            _say(f"Error: {arguments[0]} exists already; it is opened instead.")
            self.note("problem", "exists")
        else:
            try:
                path.write_text("\n")
            except OSError as error:
                raise Refused("cannot-write", f"{arguments[0]} was not created: {error.strerror}") from error
        self.open([arguments[0]])

    def show(self, *, keep_scrolls: bool = False) -> None:
        """Print the window on the open file."""
        if not keep_scrolls:
            self.scrolls = 0
        lines = _lines(self._open_file())
        half = WINDOW // 2
        self.line = max(min(self.line, len(lines) - half), half)
        _window(self.file, lines, self.line - half, self.line + half)

    def _open_file(self) -> Path:
        if not self.file:
            raise Refused("no-open-file", "There is no open file; `open` one first.")
        if not Path(self.file).is_file():
            raise Refused("not-found", f"The open file {self.file} is gone; `open` another.")
        return Path(self.file)

    # -- edits ------------------------------------------------------------------------------------------------------

    def edit(self, arguments: Sequence[str]) -> None:
        """``edit <first>:<last>``, the new lines on stdin."""
        path = self._open_file()
        # Words behind the first are passed over, as in MLGym: agents put the file's name there.
        match = re.fullmatch(r"(\S+?):(\S+)", arguments[0]) if arguments else None
        if match is None:
            raise Refused("usage", "Usage: edit <start_line>:<end_line>\n<new lines>\nend_of_edit")
        if not (match[1].isdigit() and match[2].isdigit()) or int(match[1]) < 1:
            raise Refused(
                "not-a-number",
                "Usage: edit <start_line>:<end_line>\nBoth must be line numbers, counted from 1.",
            )
        self._change(path, int(match[1]) - 1, int(match[2]), "edit")

    def insert(self, arguments: Sequence[str]) -> None:
        """``insert <line>``, the new lines on stdin."""
        path = self._open_file()
        if not arguments:
            raise Refused("usage", "Usage: insert <line_number>\n<new lines>\nend_of_insert")
        if not arguments[0].isdigit():
            raise Refused("not-a-number", "Usage: insert <line_number>\nIt must be a number.")
        self._change(path, int(arguments[0]), int(arguments[0]), "insertion")

    def _change(self, path: Path, start: int, end: int, what: str) -> None:
        """Put stdin in the place of lines ``start`` to ``end`` (end exclusive, from 0), if that breaks nothing."""
        if not os.access(path, os.W_OK):
            raise Refused("read-only", f"Error: {path} is read-only and cannot be edited.")
        new = _split(_stdin())
        old = _lines(path)
        lines = [*old[:start], *new, *old[max(start, end) if what == "edit" else end :]]
        brought = _brought_in(old, lines, start, end, len(new)) if path.suffix == ".py" else []
        if brought:
            self._refuse(old, lines, (start, end, len(new)), brought, what)
            return
        _write(path, lines)
        self.line = start + 1 + len(new) // 2
        self.show()
        _say(
            f"The {what} was made. Look at it once more: are the lines indented as they should be, and is "
            "nothing there twice? Edit again where it is not as meant."
        )

    def _refuse(
        self,
        old: Sequence[str],
        lines: Sequence[str],
        changed: tuple[int, int, int],
        brought: Sequence[Fault],
        what: str,
    ) -> None:
        start, end, count = changed
        _say(f"The {what} would bring new faults into the file:\nERRORS:")
        for code, text in dict.fromkeys((fault.code, fault.text) for fault in brought):
            _say(f"- {code} {text}")
        _say(f"\nThe file as it would be after the {what}:\n{RULE}")
        _window(self.file, lines, start - AROUND_EDIT, start + count + AROUND_EDIT)
        _say(f"{RULE}\n\nThe file as it is:\n{RULE}")
        _window(self.file, old, start - AROUND_EDIT, max(start, end) + AROUND_EDIT)
        _say(
            f"{RULE}\nNothing was changed. Check the line numbers and the text of your {what}, then send a mended one: "
            "the same again would be refused again."
        )
        self.note("problem", "lint")

    # -- search -----------------------------------------------------------------------------------------------------

    def search_dir(self, arguments: Sequence[str]) -> None:
        """``search_dir <term> [<folder>]``."""
        if len(arguments) not in (1, 2):
            raise Refused("usage", "Usage: search_dir <search_term> [<dir>]")
        term, folder = arguments[0], _folder(arguments[1:])
        paths = [path for path in _visible(folder) if path.is_file()]
        found = Counter(path for path, _ in _grep(term, paths))
        if not found:
            _say(f'No match for "{term}" in {folder}')
        elif len(found) > MOST_FILES_FOUND:
            raise Refused("too-many", f'"{term}" is in {len(found)} files of {folder}; search for less.')
        else:
            _say(f'Found {found.total()} matches for "{term}" in {folder}:')
            for path, count in found.items():
                _say(f"{path} ({count} matches)")
            _say(f'End of matches for "{term}" in {folder}')

    def search_file(self, arguments: Sequence[str]) -> None:
        """``search_file <term> [<file>]``."""
        if len(arguments) not in (1, 2):
            raise Refused("usage", "Usage: search_file <search_term> [<file>]")
        path = _existing(arguments[1]).resolve() if len(arguments) == 2 else self._open_file()
        found = [(number, line) for (_, number), line in _grep(arguments[0], [path]).items()]
        if not found:
            _say(f'No match for "{arguments[0]}" in {path}')
            return
        _say(f'Found {len(found)} matches for "{arguments[0]}" in {path}:')
        for number, line in found:
            _say(f"{number}:{line}")
        _say(f'End of matches for "{arguments[0]}" in {path}')

    def find_file(self, arguments: Sequence[str]) -> None:
        """``find_file <name> [<folder>]``; the name may be a pattern."""
        if len(arguments) not in (1, 2):
            raise Refused("usage", "Usage: find_file <file_name> [<dir>]")
        folder = _folder(arguments[1:])
        name = arguments[0].removeprefix("./").strip("/")
        found = sorted(str(path) for path in _visible(folder) if fnmatch(path.name, name))
        if not found:
            _say(f'No match for "{arguments[0]}" in {folder}')
            return
        _say(f'Found {len(found)} matches for "{arguments[0]}" in {folder}:')
        for path in found:
            _say(path)

    # -- the end ----------------------------------------------------------------------------------------------------

    def validate(self, _: Sequence[str]) -> None:
        """``validate``: the host scores what there is."""
        self.note("asked", "validate")

    def submit(self, _: Sequence[str]) -> None:
        """``submit``: the host takes what there is as the answer."""
        self.note("asked", "submit")


def _brought_in(old: Sequence[str], lines: Sequence[str], start: int, end: int, count: int) -> list[Fault]:
    """Faults that were not there before the change; those before it stay where they are, those behind it move."""
    known: set[Fault] = set()
    for fault in faults("\n".join([*old, ""])):
        if fault.line <= start:
            known.add(fault)
        elif fault.line > end:
            known.add(fault._replace(line=fault.line + count - (max(start, end) - start)))
    return [fault for fault in faults("\n".join([*lines, ""])) if fault not in known]


def _window(name: str, lines: Sequence[str], first: int, last: int) -> None:
    first, last = max(0, first), min(len(lines), last)
    _say(f"[File: {name} ({len(lines)} lines total)]")
    if first > 0:
        _say(f"({first} more lines above)")
    for number in range(first, last):
        _say(f"{number + 1}:{lines[number]}")
    if last < len(lines):
        _say(f"({len(lines) - last} more lines below)")


def _grep(term: str, paths: Sequence[Path]) -> dict[tuple[str, int], str]:
    """Lines that match, by file and number: a basic regular expression, as grep reads it."""
    found: dict[tuple[str, int], str] = {}
    for begin in range(0, len(paths), 500):
        names = [str(path) for path in paths[begin : begin + 500]]
        command = ["grep", "-nIHZ", "-e", term, "--", *names]
        said = subprocess.run(command, capture_output=True, check=False).stdout.decode(errors="replace")
        for line in said.split("\n"):
            name, _, rest = line.partition("\0")
            number, is_there, text = rest.partition(":")
            if is_there and number.isdigit():
                found[name, int(number)] = text
    return found


def _visible(folder: Path) -> list[Path]:
    """Files and folders below a folder, hidden ones and what is in them left out."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in (*folders, *sorted(names)) if not name.startswith(".")]
    return found


def _folder(named: Sequence[str]) -> Path:
    folder = Path(named[0] if named else ".")
    if not folder.is_dir():
        raise Refused("not-found", f"There is no folder {named[0]}.")
    return folder.resolve()


def _existing(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise Refused(
            "is-directory", f"Error: {name} is a folder; the editor opens files, `cd` or `ls` go there."
        )
    if not path.exists():
        raise Refused("not-found", f"File {name} not found")
    return path


def _lines(path: Path) -> list[str]:
    try:
        return _split(path.read_bytes().decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise Refused("cannot-read", f"{path} cannot be read: {error.strerror}") from error


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _write(path: Path, lines: Sequence[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    try:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise Refused("cannot-write", f"{path} was not written: {error.strerror}") from error


def _stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


def _say(text: str) -> None:
    sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "surrogateescape"))


def main() -> NoReturn:
    """Do the command that the arguments name; exit status 1 where it was refused."""
    folder, name, *arguments = sys.argv[1:]
    editor = Editor(Path(folder))
    command: Callable[[Sequence[str]], None] = getattr(editor, name)
    try:
        command(arguments)
    except Refused as error:
        _say(str(error))
        editor.note("problem", error.kind)
        sys.exit(1)
    finally:
        editor.save()
        sys.stdout.flush()
    sys.exit(0)
