"""Main effects and interactions, where a study crosses factors of two levels each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.report.charts import BLUE, ORANGE, Dot, dot_plot
from benchmarks.report.document import Figure, Notice, Panel, Paragraph, Row, Section, Table, columns
from benchmarks.report.findings import RESAMPLING_SEED, Findings
from benchmarks.report.wording import listed, p_value, signed, with_interval
from benchmarks.statistics.factorial import Term, factorial_terms
from benchmarks.studies.design import ArmDesign

CROSSED = ("team", "strategy", "model", "patch", "in_flight")
"""What ``[factors]`` of a study file may cross; other levels of arms are no factors."""
_GROUPS = (("main effect", BLUE, "circle"), ("interaction", ORANGE, "square"))


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A design whose arms are all combinations of two levels of each factor.

    Attributes:
        levels: factor to its two levels, the one of the study's first arm first: effects are those of the second.
        cells: the arm of every set of factors that stand at their second level.
    """

    levels: dict[str, tuple[str, str]]
    cells: dict[frozenset[str], str]


def section(findings: Findings) -> Section | None:
    """The terms, or why there are none; nothing for a study that crosses no factors."""
    evidence = findings.evidence
    arms = [arm for arm in evidence.design.arms if len(_levels(arm)) > 1]
    if not arms:
        return None
    title = "Factors and their interactions"
    found = crossing(arms)
    if isinstance(found, str):
        return Section(name="factors", title=title, blocks=(Notice(text=f"No interaction terms: {found}."),))
    missing = [arm for arm in found.cells.values() if arm not in evidence.arms]
    if missing or evidence.outcomes is None:
        why = f"no results yet of {listed(missing)}" if missing else "no task has a reference"
        return Section(name="factors", title=title, blocks=(Notice(text=f"No interaction terms: {why}."),))
    terms = factorial_terms(
        evidence.outcomes, found.cells, list(found.levels), generator=np.random.default_rng(RESAMPLING_SEED)
    )
    blocks = (Paragraph(text=_introduction(found)), _figure(found, terms))
    return Section(name="factors", title=title, blocks=blocks)


def crossing(arms: Sequence[ArmDesign]) -> Crossing | str:
    """The crossing that arms make, or why they make none."""
    first = _levels(arms[0])
    if any(_levels(arm).keys() != first.keys() for arm in arms):
        return "the arms do not share their factors"
    levels = {name: tuple(dict.fromkeys(_levels(arm)[name] for arm in arms)) for name in first}
    many = [f"{name} has {len(each)}" for name, each in levels.items() if len(each) != 2]
    if many:
        return f"they are made for two levels a factor, and {listed(many)}"
    pairs = {name: (each[0], each[1]) for name, each in levels.items()}
    cells = {
        frozenset(name for name, value in _levels(arm).items() if value == pairs[name][1]): arm.name
        for arm in arms
    }
    if len(cells) < 2 ** len(pairs):
        return f"{len(cells)} of {2 ** len(pairs)} combinations of levels are in the study"
    return Crossing(levels=pairs, cells=cells)


def _levels(arm: ArmDesign) -> dict[str, str]:
    return {name: level for name, level in arm.levels.items() if name in CROSSED}


def _introduction(found: Crossing) -> str:
    steps = listed([f"{name} from {low} to {high}" for name, (low, high) in found.levels.items()])
    return (
        f"Factors: {steps}. A main effect is the mean change over all levels of the others. An "
        "interaction is half of how much the "
        "effect of one changes with the other. Where scores lie near a floor or a ceiling, "
        "interactions appear that belong to the "
        "scale; and one takes some four times the runs of a main effect of its size."
    )


def _figure(found: Crossing, terms: Sequence[Term]) -> Figure:
    dots = [
        Dot(
            label=_name(term),
            estimate=term.effect.estimate,
            low=term.effect.low,
            high=term.effect.high,
            points=(),
            group=_GROUPS[len(term.factors) > 1][0],
        )
        for term in terms
    ]
    axis = "change of the normalised score"
    said = listed([f"{dot.label} {signed(dot.estimate)}" for dot in dots])
    return Figure(
        title="Factorial terms",
        caption="Change of the normalised score, with 95 % intervals over blocks (Student's t, not corrected).",
        panels=(
            Panel(
                name="factors",
                alt=f"Effects: {said}.",
                wide=dot_plot(dots, _GROUPS, x_title=axis, zero=True),
                narrow=dot_plot(dots, _GROUPS, x_title=axis, zero=True, narrow=True),
            ),
        ),
        table=Table(
            caption=f"Main effects and interactions of two of {len(found.levels)} factors.",
            columns=columns("term", "effect", "p", "p (Holm)", numbers="tnnn"),
            rows=tuple(
                Row(
                    cells=(
                        _name(term),
                        with_interval(term.effect, plus=True),
                        p_value(term.test.p),
                        p_value(term.holm_p),
                    )
                )
                for term in terms
            ),
            note="p: signs flipped over blocks; Holm's correction over all terms.",
        ),
        is_table_open=True,
    )


def _name(term: Term) -> str:
    return " x ".join(term.factors)
