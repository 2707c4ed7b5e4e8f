"""Runs an agent's branching heuristic inside the sandbox: `python driver.py HEURISTIC_FILE FUNCTION`.

This file is all that enters the sandbox beside the agent's, so it imports the standard library alone. It
answers frames (4 bytes length, big endian, then the data) on stdin with frames on stdout, and is trusted with
nothing: no label, no count and no clock comes from here.

A request is empty ("are you there?") or an array of 32-bit integers in native order::

    number of new searches, then for each: slot, variables, clauses, three literals per clause
    number of questions, then for each: slot, level,
        count and indices of the unresolved clauses, count and literals of the assignments,
        one conflict count per variable, count and variables of what is new in the assignment history

A reply is ``R`` (ready), ``A`` and a (variable, value) pair of 32-bit integers per question, or ``E`` and
UTF-8 text ``kind:detail``. Value is 0 or 1; variable 0 stands for no variable, and with value 2 for an answer
that is no (int, bool) pair.

The heuristic is called as::

    heuristic(unresolved_clauses, assignments, conflict_count, assignment_history, level)

    returns (variable, value)
    unresolved_clauses: list[list[int]]   clauses without a true literal, signed variables counted from 1
    assignments: dict[int, bool]          variable -> value, in the order of assignment
    conflict_count: dict[int, int]        for every variable of the formula
    assignment_history: list[int]         every variable ever assigned, also where that was undone
    level: int                            number of open decisions

All five are fresh at every call, so changing them gains nothing. Searches take turns: successive calls may
belong to different formulas. ``variable`` is an unassigned one, and ``value`` the bool to try first; a
variable of ``None`` gives the branch up.
"""

from __future__ import annotations

import io
import os
import sys
import types
from array import array

TYPE_CHECKING = False  # as checkers know it; importing `typing` would double the time to start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

    Heuristic = Callable[[list[list[int]], dict[int, bool], dict[int, int], list[int], int], object]
    Searches = dict[int, tuple[list[tuple[int, int, int]], range, list[int]]]  # of each slot

_LONGEST_ERROR = 2000
_LARGEST_VARIABLE = 2**31 - 1
_GAVE_UP, _MALFORMED = (0, 0), (0, 2)


def main() -> None:
    """Serve until stdin ends."""
    requests, replies = _take_over_streams()
    heuristic: Heuristic | None = None
    error = b""
    try:
        heuristic = load(sys.argv[1], sys.argv[2])
    except BaseException as caught:  # noqa: BLE001 - the agent's code may raise anything, SystemExit too
        error = _error("import", caught)
    searches: Searches = {}
    while (request := _read_frame(requests)) is not None:
        if heuristic is None:
            reply = error
        elif not request:
            reply = b"R"
        else:
            try:
                reply = b"A" + answer(heuristic, request, searches)
            except BaseException as caught:  # noqa: BLE001 - as above
                reply = _error("raised", caught)
        replies.write(len(reply).to_bytes(4, "big") + reply)
        replies.flush()


def load(path: str, function: str) -> Heuristic:
    """The function of that name in the agent's file, which is run as a module called `heuristic`."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, path.rpartition("/")[0] or ".")
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec")
    module = types.ModuleType("heuristic")
    module.__file__ = path
    sys.modules["heuristic"] = module
    exec(code, module.__dict__)  # noqa: S102 - running the agent's code is this file's purpose
    heuristic: Heuristic = getattr(module, function)
    return heuristic


def answer(heuristic: Heuristic, request: bytes, searches: Searches) -> bytes:
    """The reply's pairs; `searches` is kept between requests."""
    numbers = array("i", request).tolist()
    at = 1
    for _ in range(numbers[0]):
        slot, variables, count = numbers[at : at + 3]
        at += 3
        literals = iter(numbers[at : at + 3 * count])
        at += 3 * count
        searches[slot] = (list(zip(literals, literals, literals, strict=True)), range(1, variables + 1), [])
    answers: list[int] = []
    questions = numbers[at]
    at += 1
    for _ in range(questions):
        slot, level, count = numbers[at : at + 3]
        at += 3
        clauses, everything, history = searches[slot]
        unresolved = [list(clauses[index]) for index in numbers[at : at + count]]
        at += count
        end = at + 1 + numbers[at]
        assignments = {abs(literal): literal > 0 for literal in numbers[at + 1 : end]}
        at = end + len(everything)
        conflict_count = dict(zip(everything, numbers[end:at], strict=True))
        end = at + 1 + numbers[at]
        history += numbers[at + 1 : end]
        at = end
        answers += _checked(heuristic(unresolved, assignments, conflict_count, history[:], level))
    return array("i", answers).tobytes()


def _checked(pair: Any) -> tuple[int, int]:  # noqa: ANN401 - the agent's code hands it over
    if not issubclass(type(pair), tuple | list) or len(pair) != 2:
        return _MALFORMED
    variable, value = pair
    if variable is None:
        return _GAVE_UP
    if type(variable) is not int or not isinstance(value, bool) or not 1 <= variable <= _LARGEST_VARIABLE:
        return _MALFORMED
    return variable, value


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Private ends for the frames; the agent's prints go to stderr, and its reads find an empty stdin."""
    requests = os.fdopen(os.dup(0), "rb", 1 << 16)
    replies = os.fdopen(os.dup(1), "wb", 1 << 16)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return requests, replies


def _read_frame(requests: BinaryIO) -> bytes | None:
    header = requests.read(4)
    if len(header) < 4:
        return None
    length = int.from_bytes(header, "big")
    data = requests.read(length)
    return data if len(data) == length else None


def _error(kind: str, error: BaseException) -> bytes:
    try:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f" (line {place.tb_lineno})" if place is not None else ""
        detail = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR] + where
    except BaseException:  # noqa: BLE001 - an exception of the agent's may not even print
        detail = "an exception that cannot be shown"
    return b"E" + f"{kind}:{detail}".encode("utf-8", "replace")


if __name__ == "__main__":
    main()
