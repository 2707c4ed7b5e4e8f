"""The formulas: MLGym's 24,000, a fast per-instance stream with the same law, and a harder one."""

import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import numpy.typing as npt

from engine.errors import EngineError

Clause = tuple[int, int, int]
"""Three signed variables, counted from 1, over three different variables; negative is negated."""

UInt64Array = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]

MLGYM_SKIPPED = 3
"""MLGym's evaluation leaves out the first three formulas."""
MLGYM_SHA256 = "a8e646ca9fa631f4dbc840a1cc3b70065e3c1f5dba4f2e6f2db0b32433a0d4a3"
"""Of `encode_instances(mlgym_instances(...))`, made with NumPy 2.4.6."""

_VARIABLES = range(3, 11)
_RATIOS = range(2, 12)
_PER_CELL = 300
_CELLS = len(_VARIABLES) * len(_RATIOS)
_CELL_STRIDE = 49  # coprime to 80 and near 80 / golden ratio: short prefixes are spread over the cells too
_HARD_VARIABLES = range(20, 31)
_HARD_STRIDE = 7  # coprime to 11
_HARD_RATIO = 4.26  # the satisfiability threshold (Crawford and Auton 1996)
_WORDS_PER_BLOCK = 4  # Philox-4x64 yields four words for each step of its counter
_VERIFIED_STREAM, _HARD_STREAM = 0x3547_5645, 0x3547_4841  # keep the two streams of one seed apart


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A 3-SAT formula."""

    variables: int
    """Number of variables; they are 1 to this."""
    clauses: tuple[Clause, ...]


class GeneratorChanged(EngineError):
    """Raised when this NumPy draws another stream than the one that made MLGym's set."""

    def __init__(self, found: str) -> None:
        self.found, self.expected = found, MLGYM_SHA256
        super().__init__(
            f"the regenerated 3-SAT set has SHA-256 {found}, not {MLGYM_SHA256}: NumPy {np.__version__} "
            "draws another stream; install numpy 2.4.6, or copy a cached set from a machine that has it"
        )


def mlgym_instances(cache: Path) -> tuple[Instance, ...]:
    """MLGym's 24,000 formulas, bit for bit, made once (about 11 s) and cached in a file.

    Recipe: one `default_rng(42)`; for n in 3..10, for a in 2..11, 300 times, for each of a*n clauses: three
    different variables by `choice`, then one `random()` for each, positive below 0.5.

    Args:
        cache: folder for the cached set; made when absent. A damaged or foreign file in it is made anew.

    Returns:
        All formulas in MLGym's order; its evaluation leaves out the first `MLGYM_SKIPPED`.

    Raises:
        GeneratorChanged: when NumPy's stream is not the recorded one.
    """
    path = cache / f"mlgym-3sat-{MLGYM_SHA256[:16]}.bin"
    content = _read_checked(path)
    if content is None:
        content = encode_instances(_draw_mlgym())
        found = hashlib.sha256(content).hexdigest()
        if found != MLGYM_SHA256:
            raise GeneratorChanged(found)
        _write_atomically(path, content)
    return decode_instances(content)


def verified_instances(seed: int, count: int, *, first: int = 0) -> tuple[Instance, ...]:
    """Formulas with the law of MLGym's set, each a function of (seed, index) alone.

    Variables 3..10 and ratio 2..11 are stratified: every 80 successive indices hold each pair once.

    Args:
        seed: at least 0.
        count: how many; 1,200 take a few milliseconds.
        first: index of the first one.
    """
    cells = (np.arange(first, first + count, dtype=np.int64) * _CELL_STRIDE) % _CELLS
    variables = _VARIABLES.start + cells % len(_VARIABLES)
    ratios = _RATIOS.start + cells // len(_VARIABLES)
    most = (_VARIABLES.stop - 1) * (_RATIOS.stop - 1)
    return _draw(variables, ratios * variables, most, (_VERIFIED_STREAM, seed), first)


def hard_instances(seed: int, count: int, *, first: int = 0) -> tuple[Instance, ...]:
    """Harder formulas: 20 to 30 variables (stratified) at the threshold ratio 4.26.

    Args:
        seed: at least 0.
        count: how many.
        first: index of the first one; each formula is a function of (seed, index) alone.
    """
    steps = (np.arange(first, first + count, dtype=np.int64) * _HARD_STRIDE) % len(_HARD_VARIABLES)
    variables = _HARD_VARIABLES.start + steps
    clauses = np.rint(variables * _HARD_RATIO).astype(np.int64)
    most = round((_HARD_VARIABLES.stop - 1) * _HARD_RATIO)
    return _draw(variables, clauses, most, (_HARD_STREAM, seed), first)


def encode_instances(instances: Iterable[Instance]) -> bytes:
    """The canonical bytes: for each formula its variables and clauses (a byte each), then int8 literals."""
    parts: list[bytes] = []
    for instance in instances:
        parts.append(bytes((instance.variables, len(instance.clauses))))
        parts.append(bytes(literal & 0xFF for clause in instance.clauses for literal in clause))
    return b"".join(parts)


def decode_instances(content: bytes) -> tuple[Instance, ...]:
    """The formulas of `encode_instances`."""
    literals: list[int] = np.frombuffer(content, dtype=np.int8).tolist()
    instances: list[Instance] = []
    at = 0
    while at < len(content):
        variables, clauses = content[at], content[at + 1]
        at += 2
        flat = iter(literals[at : at + 3 * clauses])
        instances.append(Instance(variables=variables, clauses=tuple(zip(flat, flat, flat, strict=True))))
        at += 3 * clauses
    return tuple(instances)


def _draw_mlgym() -> Iterator[Instance]:
    generator = np.random.default_rng(42)
    for variables, ratio, _ in itertools.product(_VARIABLES, _RATIOS, range(_PER_CELL)):
        yield Instance(
            variables=variables, clauses=tuple(_draw_clauses(generator, variables, ratio * variables))
        )


def _draw_clauses(generator: np.random.Generator, variables: int, clauses: int) -> Iterator[Clause]:
    for _ in range(clauses):
        chosen = generator.choice(variables, 3, replace=False) + 1
        signed = np.where(generator.random(3) < 0.5, chosen, -chosen)  # the stream of three single draws
        yield cast("Clause", tuple(signed.tolist()))


def _draw(
    variables: IntArray, clauses: IntArray, most_clauses: int, key: tuple[int, int], first: int
) -> tuple[Instance, ...]:
    """One word of a counter-based stream (Philox: Salmon et al. 2011) per clause, at a fixed place per index.

    A word picks one of the 8 n(n-1)(n-2) signed ordered triples; its 53 bits make the bias below 2**-35.
    """
    blocks = -(-most_clauses // _WORDS_PER_BLOCK)
    philox = np.random.Philox(np.random.SeedSequence(key))
    philox.advance(first * blocks)
    words: UInt64Array = philox.random_raw(len(variables) * blocks * _WORDS_PER_BLOCK)
    used = np.arange(blocks * _WORDS_PER_BLOCK) < clauses[:, None]
    uniform = (words.reshape(used.shape)[used] >> np.uint64(11)) * 2.0**-53

    size = np.repeat(variables, clauses)
    rank = (uniform * (8 * size * (size - 1) * (size - 2))).astype(np.int32)
    signs, rank = rank & 7, rank >> 3
    rank, third = np.divmod(rank, (size - 2).astype(np.int32))
    one, two = np.divmod(rank, (size - 1).astype(np.int32))
    two += two >= one
    third += third >= np.minimum(one, two)
    third += third >= np.maximum(one, two)
    columns = (
        np.where(signs & bit, -chosen - 1, chosen + 1).tolist()
        for bit, chosen in ((1, one), (2, two), (4, third))
    )

    drawn = list(zip(*columns, strict=True))
    ends = np.cumsum(clauses).tolist()
    return tuple(
        Instance(variables=n, clauses=tuple(drawn[end - m : end]))
        for n, m, end in zip(variables.tolist(), clauses.tolist(), ends, strict=True)
    )


def _read_checked(path: Path) -> bytes | None:
    """The file's content where it is the recorded set; None where it is absent, damaged or something else."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == MLGYM_SHA256 else None


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
