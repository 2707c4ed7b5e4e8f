"""Tools on files: view a window, search, edit by exact replacement, write a whole file."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from engine.errors import BadSpecification
from engine.messages import NodeId
from engine.store import check_path
from roles.model.tools.tool import AnyUse, Reaction, Use, shorten

MAX_FILES = 64
MAX_FILE_CHARACTERS = 200_000
WINDOW_LINES = 120
MOST_LINES = 400
LINE_CHARACTERS = 400
SHOWN_CHARACTERS = 12_000
HITS = 40
SHOWN_PLACES = 8

FilesOf = Callable[[NodeId | None], Mapping[str, bytes] | None]
"""The files that a node stands for, and without one those at hand; None where nothing is known of it."""
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Look at a window of a file; without a path, at the names of all files."""

    path: str = ""
    first_line: PositiveInt = 1
    lines: Annotated[int, msgspec.Meta(ge=1, le=MOST_LINES)] = WINDOW_LINES
    node: Annotated[int | None, msgspec.Meta(description="Of this node instead of the files at hand.")] = None


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Find lines that hold a text."""

    text: Annotated[str, msgspec.Meta(description="Plain text, no pattern; upper and lower case are alike.")]
    files: Annotated[str, msgspec.Meta(description="Which paths, as in *.py")] = "*"
    node: Annotated[int | None, msgspec.Meta(description="Of this node instead of the files at hand.")] = None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Replace a text that occurs exactly once in a file."""

    path: str
    old: Annotated[
        str, msgspec.Meta(description="Exactly as in the file, with enough around it to be unique.")
    ]
    new: str


class WriteFile(msgspec.Struct, frozen=True, kw_only=True):
    """Write a whole file."""

    path: str
    content: str


def view_use(files_of: FilesOf) -> AnyUse:
    """The tool ``view``."""

    async def view(asked: View) -> Reaction:
        files = files_of(_node(asked.node))
        if files is None:
            return Reaction(f"Nothing is known here of the files of node {asked.node}.", is_wrong=True)
        if not asked.path:
            names = [f"{path} ({len(content)} bytes)" for path, content in sorted(files.items())]
            return Reaction("\n".join(names[:MAX_FILES]) or "There are no files.")
        if asked.path not in files:
            return Reaction(_no_such(asked.path, files), is_wrong=True)
        return Reaction(window(files[asked.path], first=asked.first_line, lines=asked.lines))

    description = "Look at a window of a file with line numbers; without a path, list the files."
    return Use("view", description, View, view)


def search_use(files_of: FilesOf) -> AnyUse:
    """The tool ``search``."""

    async def search(asked: Search) -> Reaction:
        files = files_of(_node(asked.node))
        if files is None:
            return Reaction(f"Nothing is known here of the files of node {asked.node}.", is_wrong=True)
        if not asked.text:
            return Reaction("Search for some text; an empty one is everywhere.", is_wrong=True)
        hits = [
            f"{path}:{number}: {line.strip()[:LINE_CHARACTERS]}"
            for path, content in sorted(files.items())
            if fnmatchcase(path, asked.files)
            for number, line in enumerate(_lines(content), start=1)
            if asked.text.casefold() in line.casefold()
        ]
        more = f"\n… and {len(hits) - HITS} more lines" if len(hits) > HITS else ""
        return Reaction("\n".join(hits[:HITS]) + more if hits else "No line holds that text.")

    return Use("search", "Find the lines of all files that hold a text.", Search, search)


def edit_use(files: dict[str, bytes]) -> AnyUse:
    """The tool ``edit`` on these files."""

    async def edit(asked: Edit) -> Reaction:  # noqa: PLR0911 - a case a reason
        if asked.path not in files:
            return Reaction(f"Not edited: {_no_such(asked.path, files)}", is_wrong=True)
        if not asked.old:
            return Reaction("Not edited: `old` is empty; `write_file` writes a whole file.", is_wrong=True)
        try:
            text = files[asked.path].decode()
        except UnicodeDecodeError:
            return Reaction("Not edited: the file is not text.", is_wrong=True)
        places = _places(text, asked.old)
        if not places:
            return Reaction(
                f"Not edited: `old` does not occur in {asked.path}.{_nearest(text, asked.old)}", is_wrong=True
            )
        if len(places) > 1:
            where = ", ".join(str(text.count("\n", 0, place) + 1) for place in places[:SHOWN_PLACES])
            return Reaction(
                f"Not edited: `old` occurs {len(places)} times in {asked.path} (lines {where}); "
                "add lines around it until it is unique.",
                is_wrong=True,
            )
        if asked.old == asked.new:
            return Reaction("Not edited: `old` and `new` are the same.", is_wrong=True)
        edited = text[: places[0]] + asked.new + text[places[0] + len(asked.old) :]
        problem = _put(files, asked.path, edited)
        if problem:
            return Reaction(f"Not edited: {problem}", is_wrong=True)
        line = text.count("\n", 0, places[0]) + 1
        shown = window(files[asked.path], first=max(1, line - 3), lines=asked.new.count("\n") + 7)
        return Reaction(f"Edited {asked.path}:\n{shown}")

    return Use("edit", "Replace a text that occurs exactly once in a file by another.", Edit, edit)


def write_use(files: dict[str, bytes]) -> AnyUse:
    """The tool ``write_file`` on these files."""

    async def write(asked: WriteFile) -> Reaction:
        was_there = asked.path in files
        problem = _put(files, asked.path, asked.content)
        if problem:
            return Reaction(f"Not written: {problem}", is_wrong=True)
        what = "Replaced" if was_there else "Wrote"
        return Reaction(f"{what} {asked.path} ({len(files[asked.path])} bytes).")

    description = (
        "Write a whole file: a new one, or in place of what it held. `edit` is shorter for small changes."
    )
    return Use("write_file", description, WriteFile, write)


def window(content: bytes, *, first: int = 1, lines: int = WINDOW_LINES) -> str:
    """So many lines of a file from a line on, numbered, with how many are above and below."""
    whole = _lines(content)
    shown = whole[first - 1 : first - 1 + lines]
    if not shown:
        return f"The file has {len(whole)} lines; line {first} is past its end."
    numbered = [f"{number:>5} {line[:LINE_CHARACTERS]}" for number, line in enumerate(shown, start=first)]
    below = len(whole) - (first - 1) - len(shown)
    head = [f"({first - 1} lines above)"] if first > 1 else []
    tail = [f"({below} lines below)"] if below else []
    return shorten("\n".join([*head, *numbered, *tail]), SHOWN_CHARACTERS)


def _put(files: dict[str, bytes], path: str, text: str) -> str:
    """Put a file in place; why not, where it cannot be."""
    try:
        check_path(path)
        content = text.encode()
    except BadSpecification as error:
        return f"{error}."
    except UnicodeEncodeError:
        return "the content is not valid text."
    if len(text) > MAX_FILE_CHARACTERS:
        return f"at most {MAX_FILE_CHARACTERS} characters a file."
    if len({*files, path}) > MAX_FILES:
        return f"at most {MAX_FILES} files."
    parts = path.split("/")
    above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
    if above & files.keys() or any(other.startswith(f"{path}/") for other in files):
        return "a file of that name would also be a folder."
    files[path] = content
    return ""


def _places(text: str, part: str) -> list[int]:
    found: list[int] = []
    place = text.find(part)
    while place >= 0:
        found.append(place)
        place = text.find(part, place + 1)  # overlapping ones are as ambiguous
    return found


def _nearest(text: str, part: str) -> str:
    """A line of the file that differs from the first line asked for in blanks alone, if there is one."""
    wanted = "".join(next((line for line in part.splitlines() if line.strip()), "").split())
    for number, line in enumerate(text.splitlines(), start=1):
        if wanted and wanted in "".join(line.split()):
            return f" Line {number} is close and differs in blanks: {line[:LINE_CHARACTERS]!r}"
    return " `view` shows what it holds."


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines()


def _node(number: int | None) -> NodeId | None:
    return None if number is None else NodeId(number)


def _no_such(path: str, files: Mapping[str, bytes]) -> str:
    known = ", ".join(sorted(files)[:12]) or "none"
    return f"There is no file {path[:80]!r}; the files are: {known}."
