"""The tables of the calibration, as Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.calibration.coverage import Covered
from benchmarks.calibration.detection import Detected
from benchmarks.calibration.false_positives import FalsePositives, FamilyError, LookError
from benchmarks.calibration.planted import PlantedEffects
from benchmarks.statistics import Interval

TARGET = 0.95
TOLERANCE = 0.015


def false_positive_table(rows: Iterable[FalsePositives]) -> str:
    """Percent of A/A studies in which something was found."""
    lines = [
        "| studies | law | from | blocks | number | permutation test, % | 95 % interval without 0, % |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.what} | {row.law} | {row.source} | {row.blocks} | {row.permutation.studies:,} "
        f"| {row.permutation.percent()} | {row.interval.percent()} |"
        for row in rows
    ]
    return "\n".join(lines)


def family_table(families: Iterable[FamilyError], looks: Iterable[LookError]) -> str:
    """Percent of studies without any effect in which one was found, by what was done about having many chances."""
    lines = [
        "| many chances | law | blocks | number | as if it were one, % | corrected, % |",
        "|---|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| four arms against one control, Holm | {row.law} | {row.blocks} | {row.corrected.studies:,} "
        f"| {row.uncorrected.percent()} | {row.corrected.percent()} |"
        for row in families
    ]
    lines += [
        f"| five looks, spending function | {row.law} | {row.blocks} | {row.planned.studies:,} "
        f"| {row.naive.percent()} | {row.planned.percent()} |"
        for row in looks
    ]
    return "\n".join(lines)


def coverage_table(rows: Sequence[Covered], figure: str) -> str:
    """Percent of intervals that hold the truth; in bold where it misses 95 % by more than 1.5 points."""
    mine = [row for row in rows if row.figure == figure]
    methods = list(dict.fromkeys(row.method for row in mine))
    lines = [
        f"| {figure}: law | from | blocks | {' | '.join(methods)} |",
        f"|---|---|--:|{'--:|' * len(methods)}",
    ]
    cells = {(row.law, row.source, row.blocks, row.method): row for row in mine}
    for law, source, blocks in dict.fromkeys((row.law, row.source, row.blocks) for row in mine):
        shown = [_marked(cells[law, source, blocks, method]) for method in methods]
        lines.append(f"| {law} | {source} | {blocks} | {' | '.join(shown)} |")
    return "\n".join(lines)


def power_table(rows: Iterable[Detected]) -> str:
    """Predicted and measured power, percent; in bold where the prediction misses by more than 3 points."""
    lines = [
        "| law | from | blocks | effect / SD | formula | known shape | pilots of 20 | measured, t | permutation |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        formula, simulated = (
            _bold(f"{100 * guess:.1f}", is_off=abs(guess - row.measured.share) > 0.03)
            for guess in (row.formula, row.simulated)
        )
        low, high = row.small_pilot
        lines.append(
            f"| {row.law} | {row.source} | {row.blocks} | {row.effect:.2f} | {formula} | {simulated} "
            f"| {100 * low:.0f} … {100 * high:.0f} | {row.measured.percent()} | {row.permutation.percent()} |"
        )
    return "\n".join(lines)


def planted_table(found: PlantedEffects) -> str:
    """Planted effects: known means, then what the team loses without each role."""
    lines = ["| control | known mean yield | found, 95 % interval | holds it |", "|---|--:|---|---|"]
    lines += [
        f"| {row.team} | {row.expected:.3f} | {_interval(row.found)} "
        f"| {'yes' if row.found.contains(row.expected) else 'no'} |"
        for row in found.known
    ]
    lines += [
        "",
        "| role removed (vacuous) | effect, normalised, 95 % interval | p | Holm p |",
        "|---|---|--:|--:|",
    ]
    lines += [
        f"| {row.role} | {_interval(row.effect.difference, signed=True)} "
        f"| {row.effect.test.p:.4f} | {row.effect.holm_p:.4f} |"
        for row in found.removals
    ]
    return "\n".join(lines)


def _interval(found: Interval, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    if found.low is None or found.high is None:
        return f"{found.estimate:{sign}.3f} ({found.reason})"
    return f"{found.estimate:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


def _marked(row: Covered) -> str:
    return _bold(row.rate.percent(), is_off=abs(row.rate.share - TARGET) > TOLERANCE)


def _bold(text: str, *, is_off: bool) -> str:
    return f"**{text}**" if is_off else text
