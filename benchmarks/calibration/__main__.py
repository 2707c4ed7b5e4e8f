"""``python -m benchmarks.calibration``: measure what is asked for, keep it, print the tables.

Each part keeps its result in the folder, so that a long part is not measured again: give ``--only`` its name to do so.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np

from benchmarks.calibration import tables
from benchmarks.calibration.coverage import FIGURES, SIZES, Covered, measure_coverage
from benchmarks.calibration.detection import Detected, measure_power
from benchmarks.calibration.false_positives import (
    FalsePositives,
    FamilyError,
    LookError,
    measure_false_positives,
    measure_family,
    measure_looks,
    measure_pairs,
)
from benchmarks.calibration.laws import (
    SHARED_VARIABLE,
    Law,
    built_in_laws,
    published_laws,
    published_scores,
)
from benchmarks.calibration.planted import PlantedEffects, planted_effects
from benchmarks.statistics import pilot_spread
from engine.errors import UserError

PARTS: Final = ("false-positives", "many", "coverage", "power", "pipeline", "planted", "spread")
SEED: Final = 20_261_125
PIPELINE_BLOCKS: Final = 10
T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--studies", type=int, default=2000, help="simulated for each cell")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="blocks, of the coverage")
    parser.add_argument(
        "--figures", nargs="+", default=list(FIGURES), choices=FIGURES, help="of the coverage"
    )
    parser.add_argument("--processes", type=int, default=1, help="cells of the coverage at once")
    parser.add_argument("--out", type=Path, default=Path("runs/calibration"), help="where results are kept")
    parser.add_argument("--planted", type=Path, help="folder of a study of `planted` by benchmarks.offline")
    parser.add_argument("--report", action="store_true", help="measure nothing; print what is kept")
    options = parser.parse_args(argv)
    parts = [] if options.report else options.only or [p for p in PARTS if p != "planted" or options.planted]
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for part in parts:
            began = time.perf_counter()
            _measure(part, options)
            sys.stderr.write(f"{part}: {time.perf_counter() - began:.0f} s\n")
        for text in _report(options.out):
            sys.stdout.write(f"{text}\n\n")
    except UserError as error:
        sys.stderr.write(f"benchmarks.calibration: {error}\n")
        sys.exit(2)


def _measure(part: str, options: argparse.Namespace) -> None:
    studies: int = options.studies
    laws = (*built_in_laws(), *published_laws())
    measure: dict[str, Callable[[], object]] = {
        "false-positives": lambda: measure_false_positives(laws, studies=studies, seed=SEED),
        "many": lambda: _many(laws, studies),
        "coverage": lambda: _coverage(laws, options),
        "power": lambda: measure_power(laws, studies=studies, seed=SEED),
        "pipeline": lambda: [_pipeline(studies)],
        "planted": lambda: planted_effects(options.planted or Path("runs/offline/planted"), seed=SEED),
        "spread": _spread,
    }
    (options.out / f"{part}.json").write_bytes(msgspec.json.encode(measure[part]()))


def _coverage(laws: Sequence[Law], options: argparse.Namespace) -> list[Covered]:
    """Each cell is kept as soon as it is done: the whole takes long."""
    rows: list[Covered] = []
    for cell in measure_coverage(
        laws,
        studies=options.studies,
        seed=SEED,
        sizes=options.sizes,
        figures=options.figures,
        processes=options.processes,
    ):
        rows += cell
        (options.out / "coverage.json").write_bytes(msgspec.json.encode(rows))
    return rows


def _many(laws: Sequence[Law], studies: int) -> tuple[list[FamilyError], list[LookError]]:
    kept = laws[:3]
    return (
        [measure_family(law, blocks=20, studies=studies, seed=SEED) for law in kept],
        [measure_looks(law, blocks=50, studies=5 * studies, seed=SEED) for law in kept],
    )


def _pipeline(studies: int) -> FalsePositives:
    # Only this part needs the engine.
    from benchmarks.calibration.pipeline import ARMS, EVALUATIONS, TEAM, pipeline_pairs

    pairs = np.concatenate(list(pipeline_pairs(studies, PIPELINE_BLOCKS)))
    return measure_pairs(
        pairs,
        what=f"run through the engine ({len(ARMS) * studies * PIPELINE_BLOCKS:,} episodes)",
        law=f"`planted`, {TEAM}, {EVALUATIONS} evaluations",
        source="engine",
        generator=np.random.default_rng(SEED),
    )


def _spread() -> dict[str, float]:
    """Pooled SD within cells of the published runs; empty where they are not there."""
    folder = Path(os.environ.get(SHARED_VARIABLE, "../shared")) / "mlgym-results"
    if not folder.is_dir():
        return {}
    scores = published_scores(folder)
    return {
        "clipped to 0 … 1": pilot_spread(np.clip(np.concatenate(list(scores.values())), 0.0, 1.0)),
        **{task: pilot_spread(np.clip(values, 0.0, 1.0)) for task, values in scores.items()},
    }


def _report(folder: Path) -> list[str]:
    texts: list[str] = []
    found = [
        *(_kept(folder, "false-positives", list[FalsePositives]) or []),
        *(_kept(folder, "pipeline", list[FalsePositives]) or []),
    ]
    if found:
        texts.append(tables.false_positive_table(found))
    many = _kept(folder, "many", tuple[list[FamilyError], list[LookError]])
    if many is not None:
        texts.append(tables.family_table(*many))
    covered = _kept(folder, "coverage", list[Covered]) or []
    texts += [
        tables.coverage_table(covered, figure) for figure in dict.fromkeys(row.figure for row in covered)
    ]
    detected = _kept(folder, "power", list[Detected])
    if detected is not None:
        texts.append(tables.power_table(detected))
    planted = _kept(folder, "planted", PlantedEffects)
    if planted is not None:
        texts.append(tables.planted_table(planted))
    spread = _kept(folder, "spread", dict[str, float])
    if spread:
        lines = [f"| {name} | {value:.3f} |" for name, value in spread.items()]
        texts.append("\n".join(["| published runs | pooled SD within cells |", "|---|--:|", *lines]))
    return texts


def _kept(folder: Path, part: str, kind: type[T]) -> T | None:
    path = folder / f"{part}.json"
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None


if __name__ == "__main__":
    main()
