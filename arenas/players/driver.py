"""Runs inside the sandbox as its main process: asks a submitted function for moves, game by game.

    python -s -P -B driver.py STRATEGY_FILE FUNCTION

One file, standard library only, no import of this project: it is copied or bound into the sandbox alone. It
speaks the frames described in `arenas.players.frames` on descriptors that it takes away before any submitted
code is loaded, so that prints go to standard error and ``input()`` finds nothing. It protects nobody from the
submitted code, which may do to it what it likes: whatever comes out of here is checked outside.
"""

import array
import contextlib
import importlib
import json
import os
import random
import struct
import sys
import traceback
import types
from collections.abc import Callable, Iterable
from typing import Any

ERROR_CHARACTERS = 1_200
"""Most characters of an error's text; escaped, they fit the longest error frame that is accepted."""

Function = Callable[[list[Any]], Any]  # what it returns is checked


class BadMove(Exception):
    """Raised when the function returns what the game does not allow."""


def main() -> None:
    """Answer frames until the other side closes."""
    path, name = sys.argv[1:3]
    read, write = take_pipes()
    session = Session(path, name)
    while True:
        frame = read()
        if frame is None:
            return
        try:
            answer = session.answer(frame)
        except BadMove as fault:
            answer = report("bad_move", str(fault))
        except BaseException:  # noqa: BLE001 - submitted code may raise anything, SystemExit included
            answer = report("exception", trace())
        write(answer)


def take_pipes() -> tuple[Callable[[], bytes | None], Callable[[bytes], None]]:
    """Private reader and writer of frames; descriptors 0 and 1 become the null device and standard error."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)

    def read() -> bytes | None:
        header = source.read(4)
        return source.read(struct.unpack(">I", header)[0]) if len(header) == 4 else None

    def write(payload: bytes) -> None:
        target.write(struct.pack(">I", len(payload)) + payload)
        target.flush()

    return read, write


class Session:
    """The submitted function and the games it is in."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self.function: Function | None = None
        self.histories: list[list[Any]] = []
        self.moves: list[Any] = []  # what was answered last, in the form that histories hold
        self.scalar = True
        self.width = 1
        self.actions = 2
        self.budget = 0
        self.lengths: Iterable[int] = ()

    def answer(self, frame: bytes) -> bytes:
        """The answer to a frame, as bytes."""
        tag, body = frame[:1], frame[1:]
        if tag == b"S":
            self.start(json.loads(body))
            return b"K"
        if tag == b"B":
            self.branch(body)
        elif body:
            for history, pair in zip(self.histories, zip(self.moves, self.columns(body))):  # noqa: B905 - hot
                history.append(pair)
        assert self.function is not None
        return self.collect_moves(self.function) if self.scalar else self.collect_allocations(self.function)

    def start(self, order: dict[str, Any]) -> None:
        """Seed, load the first time, and open the games."""
        if self.function is None:
            self.function = load(self.path, self.name, order["seed"])
        else:
            seed_generators(order["seed"], numpy="numpy" in sys.modules)
        self.histories = [[] for _ in range(order["games"])]
        self.moves = []
        self.scalar = order["kind"] == "move"
        if self.scalar:
            self.width, self.actions = 1, order["actions"]
        else:
            self.width, self.budget = order["fields"], order["budget"]
            self.lengths = {self.width} if order["exact"] else range(order["most_entries"] + 1)

    def columns(self, body: bytes) -> Iterable[Any]:
        """The opponent's moves, one a game: bytes read as integers, or tuples of them."""
        return body if self.scalar else zip(*[iter(body)] * self.width)  # noqa: B905 - hot

    def branch(self, body: bytes) -> None:
        """Replace the games by continuations of them."""
        count = len(body) // (4 + self.width)
        parents = array.array("I", body[: 4 * count])
        if sys.byteorder == "big":
            parents.byteswap()
        columns = self.columns(body[4 * count :])
        histories, moves = self.histories, self.moves
        self.histories = [[*histories[p], (moves[p], c)] for p, c in zip(parents, columns)]  # noqa: B905 - hot

    def collect_moves(self, function: Function) -> bytes:
        """One move a game, as bytes."""
        # A fresh list a call: what the function does to it reaches no other call.
        moves = [function(history[:]) for history in self.histories]
        if set(map(type, moves)) != {int} or min(moves) < 0 or max(moves) >= self.actions:
            raise BadMove(self.wrong_move(moves))
        self.moves = moves
        return b"M" + bytes(moves)

    def wrong_move(self, moves: list[Any]) -> str:
        """Which move is wrong, and how."""
        for game, move in enumerate(moves):
            if type(move) is not int:
                return f"game {game}: a move must be an int, not {type(move).__name__}"
            if not 0 <= move < self.actions:
                return f"game {game}: {brief(move)} is not a move, 0 to {self.actions - 1} are"
        return "a wrong move"

    def collect_allocations(self, function: Function) -> bytes:
        """One allocation a game: all lengths, then all entries, as bytes."""
        lengths, budget = self.lengths, self.budget
        moves: list[Any] = []
        packed: list[bytes] = []
        only_int, containers = {int}, (list, tuple)
        for game, history in enumerate(self.histories):
            move = function(history[:])
            if type(move) not in containers:
                raise BadMove(f"game {game}: a list of integers is expected, not {type(move).__name__}")
            move = tuple(move)
            if len(move) not in lengths:
                raise BadMove(f"game {game}: {len(move)} entries, {self.width} expected")
            if move and (set(map(type, move)) != only_int or min(move) < 0 or sum(move) > budget):
                raise BadMove(f"game {game}: {self.wrong_allocation(move)}")
            moves.append(move)
            packed.append(bytes(move))
        self.moves = moves
        return b"M" + bytes(map(len, moves)) + b"".join(packed)

    def wrong_allocation(self, move: tuple[Any, ...]) -> str:
        """How an allocation is wrong."""
        for entry in move:
            if type(entry) is not int:
                return f"every entry must be an int, not {type(entry).__name__}"
            if entry < 0:
                return f"an entry is negative ({brief(entry)})"
        return f"{brief(sum(move))} soldiers placed, {self.budget} are allowed"


def load(path: str, name: str, seed: int) -> Function:
    """The submitted function, from a module that is run with seeded generators."""
    with open(path, "rb") as file:  # noqa: PTH123 - start-up time: pathlib is not needed else
        source = file.read()
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH120 - same
    # Numpy's global generator is seeded from the system when it is loaded, so it has to be there before the
    # module runs.
    seed_generators(seed, numpy=b"numpy" in source)
    stem = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - same
    module = types.ModuleType(stem)
    module.__file__ = path
    sys.modules[stem] = module
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - this is what the sandbox is for
    function: Any = getattr(module, name, None)
    if not callable(function):
        raise BadMove(f"{os.path.basename(path)} has no function {name}")  # noqa: PTH119 - same
    loaded: Function = function
    return loaded


def seed_generators(seed: int, *, numpy: bool) -> None:
    """Seed the global generators; numpy's only where it is used, since loading it takes tenths of a second."""
    random.seed(seed)
    if numpy:
        with contextlib.suppress(ImportError):  # the submitted code will find out for itself
            importlib.import_module("numpy.random").seed(seed % 2**32)


def brief(number: int) -> str:
    """A number in print, where it is not absurdly long."""
    return str(number) if abs(number) < 10**20 else "a number of more than 20 digits"


def trace() -> str:
    """The end of the present traceback; never raises, whatever the exception object does."""
    try:
        return traceback.format_exc(limit=-6)
    except BaseException:  # noqa: BLE001 - a hostile __str__ or __class__
        return "an exception that cannot be printed"


def report(kind: str, text: str) -> bytes:
    """An error frame."""
    cut = text[-ERROR_CHARACTERS:].encode("utf-8", "replace").decode("utf-8")
    return b"E" + json.dumps({"kind": kind, "text": cut}, ensure_ascii=False).encode("utf-8")


if __name__ == "__main__":
    main()
