"""What an observation of MLGym's environment says, apart from its wording: window, error kind, score or output.

Recorded text is recognised by its form and a few words; ours carries the kind with it.
"""

import ast
import math
import re
from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from roles.mlgym.replay import Metrics
from roles.mlgym.shell import Problem

_HEADER = re.compile(r"^\[File: (?P<path>.*) \((?P<lines>\d+) lines total\)\]$")
_NUMBERED = re.compile(r"^(\d+):(.*)$")
_MORE = re.compile(r"^\((\d+) more lines (above|below)\)$")
_LINT_LINE = re.compile(r"^- ([EF]\d{3})\b")
_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Found))\b")
_PROBLEMS: Sequence[tuple[Problem, re.Pattern[str]]] = (
    ("malformed-edit", re.compile(r"^Malformed edit")),
    ("lint", re.compile(r"introduced new syntax error")),
    (
        "read-only",
        re.compile(
            r"read-only file|edit_linting\.sh: .*Permission denied|insert_linting\.sh: .*Permission denied"
        ),
    ),
    ("no-open-file", re.compile(r"^No file open")),
    ("is-directory", re.compile(r"^Error: .* is a directory")),
    ("exists", re.compile(r"^Error: File .* already exists")),
    ("not-found", re.compile(r"^(?:Error: )?File .* not found", re.MULTILINE)),
    ("syntax", re.compile(r"bash: line \d+: .*(?:syntax error|unexpected EOF)|bash: -c: line")),
    ("timeout", re.compile(r"timed out after|^Error: Timeout reached")),
    ("usage", re.compile(r"^Usage: ", re.MULTILINE)),
)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a file as the editor shows it."""

    path: str
    lines_total: int
    above: int = 0
    below: int = 0
    lines: tuple[tuple[int, str], ...] = ()


Kind = Literal["problem", "window", "score", "no score", "output", "nothing", "end"]


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What an observation says."""

    kind: Kind
    problem: Problem = ""
    windows: tuple[Window, ...] = ()
    lint_codes: frozenset[str] = frozenset()
    metrics: Metrics | None = None
    exception: str = ""
    """The class of the error with which a program ended; "" where it ended well."""
    text: str = ""


def recorded_meaning(action: str, observation: str) -> Meaning:
    """What recorded text says.

    Args:
        action: what it answers.
        observation: the text.
    """
    text = observation.strip()
    asks = action.strip() in ("validate", "submit")
    if text.startswith("Exited (") or (action.strip() == "submit" and not text):
        return Meaning(kind="end")
    if (metrics := _evaluation(text)) is not None:
        return Meaning(kind="score", metrics=metrics)
    problem = next((kind for kind, words in _PROBLEMS if words.search(text)), "")
    if problem == "usage" and not _is_editors(action):
        problem = ""
    if problem and not (asks and problem != "timeout"):
        return Meaning(
            kind="problem",
            problem=cast("Problem", problem),
            lint_codes=lint_codes(text),
            windows=windows(text),
            text=text,
        )
    if asks:
        return Meaning(kind="no score", exception=exception(text), text=text)
    return shown_meaning(text)


def shown_meaning(text: str) -> Meaning:
    """What text says that is neither refusal nor evaluation: a window, or a program's output."""
    if not text.strip():
        return Meaning(kind="nothing")
    if shown := windows(text):
        return Meaning(kind="window", windows=shown, text=text)
    return Meaning(kind="output", exception=exception(text), text=text)


def windows(text: str) -> tuple[Window, ...]:
    """Every window in a text, in order."""
    found: list[Window] = []
    current: dict[str, int | str] | None = None
    lines: list[tuple[int, str]] = []

    def close() -> None:
        if current is not None:
            found.append(msgspec.convert({**current, "lines": tuple(lines)}, Window))

    for line in text.split("\n"):
        if header := _HEADER.match(line):
            close()
            current, lines = {"path": header["path"], "lines_total": int(header["lines"])}, []
        elif current is not None and (numbered := _NUMBERED.match(line)):
            lines.append((int(numbered[1]), numbered[2]))
        elif current is not None and (more := _MORE.match(line)):
            current[more[2]] = int(more[1])
    close()
    return tuple(found)


def lint_codes(text: str) -> frozenset[str]:
    """The codes of the faults that a refusal lists."""
    return frozenset(match[1] for line in text.split("\n") if (match := _LINT_LINE.match(line)))


def exception(text: str) -> str:
    """The class of the exception whose traceback a text ends with; "" where there is none."""
    if "Traceback (most recent call last)" not in text and "Error" not in text:
        return ""
    last = [match[1] for line in text.split("\n") if (match := _EXCEPTION.match(line.strip()))]
    return last[-1].rpartition(".")[2] if last else ""


def json_metrics(text: str) -> Metrics | None:
    """The numbers of a text that is one JSON object; None where it is anything else."""
    try:
        found = msgspec.json.decode(text.strip().encode(), type=dict[str, float])
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return found or None


def _evaluation(text: str) -> Metrics | None:
    _, mark, rest = text.rpartition("Evaluation Score:")
    if not mark:
        return None
    try:
        found: object = ast.literal_eval(rest.strip().replace("nan", "None"))
    except (ValueError, SyntaxError):
        return None
    if not isinstance(found, dict):
        return None
    numbers = cast("dict[object, object]", found)
    return {
        str(name): float(value) if isinstance(value, int | float) else math.nan
        for name, value in numbers.items()
    }


def _is_editors(action: str) -> bool:
    words = action.split()
    return bool(words) and words[0] in (
        "open", "goto", "scroll_up", "scroll_down", "create", "edit", "insert", "search_dir", "search_file", "find_file",
    )  # fmt: skip
