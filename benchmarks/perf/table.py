"""What a benchmark says: rows with their spread, headlines with their targets, and the machine while it ran."""

import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where, and beside how much else, something was measured."""

    cores: int
    processor: str
    python: str
    load: float
    """Load average over the last minute, our own part included."""
    slowed: float
    """Wall over CPU time of a fixed spin loop: 1.0 is a core to itself."""

    def text(self) -> str:
        """In one line."""
        return (
            f"{self.cores} cores ({self.processor}), Python {self.python}, load {self.load:.1f}, "
            f"slowed {self.slowed:.1f} x"
        )


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity: the median over repetitions, and the least and greatest of them."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    repetitions: int
    is_ours: bool = True
    """False for a peer or a limit."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with a target."""

    name: str
    median: float
    low: float
    high: float
    unit: str = "x"
    at: Literal["most", "least"] | None = None
    """Whether the target bounds it from above or below; None where there is none."""
    target: float = 0.0

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None where there is none."""
        if self.at is None:
            return None
        return self.median <= self.target if self.at == "most" else self.median >= self.target


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one script says."""

    script: str
    question: str
    before: Machine
    after: Machine
    rows: tuple[Row, ...]
    headlines: tuple[Headline, ...]
    notes: tuple[str, ...] = ()
    """What was left out and why; what a figure consists of."""


def look_at_machine() -> Machine:
    """The machine as it is now; takes about a tenth of a second."""
    wall, cpu = time.perf_counter(), time.process_time()
    total = 0
    while time.process_time() - cpu < 0.1:
        total += sum(range(1000))
    slowed = (time.perf_counter() - wall) / (time.process_time() - cpu)
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
        slowed=round(slowed, 2),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def row(name: str, unit: str, values: Sequence[float], *, is_ours: bool = True) -> Row:
    """A row from one value per repetition."""
    return Row(
        name=name,
        unit=unit,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
        repetitions=len(values),
        is_ours=is_ours,
    )


def headline(
    name: str,
    values: Iterable[float],
    *,
    unit: str = "x",
    at_most: float | None = None,
    at_least: float | None = None,
) -> Headline:
    """A headline from one value per repetition, with its target if it has one."""
    values = list(values)
    bound = at_most if at_most is not None else at_least
    return Headline(
        name=name,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
        unit=unit,
        at=None if bound is None else "most" if at_most is not None else "least",
        target=bound or 0.0,
    )


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, repetition by repetition: both had the same neighbours."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def text(report: Report) -> str:
    """A report as it is read: Markdown, so that it can stand in a page as it is."""
    lines = [f"### {report.script}", "", report.question, ""]
    lines += ["| | figure | median | least to greatest | target | |", "|---|---|---|---|---|---|"]
    for each in report.headlines:
        sign = {"most": "≤", "least": "≥"}.get(each.at or "", "")
        target = f"{sign} {_figure(each.target)} {each.unit}" if each.at else ""
        verdict = {True: "met", False: "**missed**", None: ""}[each.met]
        spread = f"{_figure(each.low)} to {_figure(each.high)}"
        lines.append(
            f"| headline | {each.name} | {_figure(each.median)} {each.unit} | {spread} | {target} | {verdict} |"
        )
    for item in report.rows:
        spread = f"{_figure(item.low)} to {_figure(item.high)}"
        kind = "" if item.is_ours else "beside"
        lines.append(
            f"| {kind} | {item.name} | {_figure(item.median)} {item.unit} | {spread} | | n = {item.repetitions} |"
        )
    lines += ["", f"Before: {report.before.text()}. After: load {report.after.load:.1f}, ", ""]
    lines[-2] += f"slowed {report.after.slowed:.1f} x."
    lines += [f"- {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
