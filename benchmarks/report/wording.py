"""How a report says numbers, arms and effects; one place, so that no two sections say them differently."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from benchmarks.report.evidence import Evidence
from benchmarks.statistics.comparison import Comparison
from benchmarks.statistics.interval import Interval, IntervalMethod
from benchmarks.studies.teams import is_driven_by_model
from engine.errors import EngineError
from engine.team import TeamSpec
from roles.ablation import Merge, Remove, parse_patch

NONE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
SIGNIFICANT = 0.05
"""Corrected p up to which an effect is said to be told apart from nothing."""


METHODS: dict[IntervalMethod, str] = {
    "t": "Student's t over blocks",
    "expanded-bca": "BCa bootstrap over blocks at expanded levels",
    "bca": "BCa bootstrap over blocks",
    "expanded-percentile": "percentile bootstrap over blocks at expanded levels",
    "percentile": "percentile bootstrap over blocks",
    "wilson": "Wilson's over runs",
    "points": "none, points instead",
}
"""How intervals are made, in words."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """A role that an arm lacks."""

    role: str
    into: str | None
    """Who took its function over; None: nobody, the function is gone."""

    @property
    def sense(self) -> str:
        """``vacuous`` or ``absorbed``."""
        return "vacuous" if self.into is None else "absorbed"


def number(value: float | None, places: int = 3) -> str:
    """A number with so many places, its sign a real minus; thousands without places."""
    if value is None or math.isnan(value):
        return NONE
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", _MINUS)
    text = f"{value:.{places}f}"
    return f"{0:.{places}f}" if float(text) == 0 else text.replace("-", _MINUS)


def signed(value: float | None, places: int = 3) -> str:
    """The same, with a plus before what is more."""
    text = number(value, places)
    return f"+{text}" if value is not None and value > 0 and float(text.replace(",", "") or 0) > 0 else text


def percent(share: float | None) -> str:
    """A share as whole percents; more than none and less than all never round to either."""
    if share is None or math.isnan(share):
        return NONE
    text = f"{100 * share:.0f} %"
    if text == "0 %" and share > 0:
        return "< 1 %"
    return "> 99 %" if text == "100 %" and share < 1 else text


def bounds(interval: Interval, places: int = 3, *, plus: bool = False) -> str:
    """Both ends of an interval, or why there are none."""
    if interval.low is None or interval.high is None:
        return f"none: {blocks(interval.blocks)}"
    say = signed if plus else number
    return f"{say(interval.low, places)} to {say(interval.high, places)}"


def with_interval(interval: Interval, places: int = 3, *, plus: bool = False) -> str:
    """An estimate and its interval in one cell; the estimate alone where there is none."""
    say = signed if plus else number
    if interval.low is None or interval.high is None:
        return say(interval.estimate, places)
    return f"{say(interval.estimate, places)} [{say(interval.low, places)}, {say(interval.high, places)}]"


def share_with_interval(interval: Interval) -> str:
    """A share and its interval as percents in one cell."""
    if interval.low is None or interval.high is None:
        return percent(interval.estimate)
    return f"{percent(interval.estimate)} [{_bare(interval.low)}, {_bare(interval.high)}]"


def _bare(share: float) -> str:
    return percent(share).removesuffix(" %")


def methods(intervals: Iterable[Interval]) -> str:
    """The methods by which intervals were made, as a sentence lists them."""
    used = {interval.method for interval in intervals}
    return listed([said for method, said in METHODS.items() if method in used])


def blocks(count: int) -> str:
    """So many blocks."""
    return f"{count} block" if count == 1 else f"{count} blocks"


def p_value(p: float) -> str:
    """A p-value as papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """Words as a sentence lists them."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def removals(team: TeamSpec) -> tuple[Removal, ...]:
    """The roles that were taken from a team, by its patches; patches of other kinds are passed over."""
    found: list[Removal] = []
    for text in team.patches:
        try:
            patch = parse_patch(text)
        except EngineError:
            continue  # a patch in words, such as that a model drives it
        if isinstance(patch, Remove | Merge):
            found.append(Removal(role=patch.role, into=patch.into))
    return tuple(found)


def removal_of(evidence: Evidence, arm: str, control: str) -> Removal | None:
    """The one role by whose removal an arm came from its control; None where they differ otherwise."""
    ours, theirs = evidence.team(arm), evidence.team(control)
    before, after = theirs.patches, ours.patches
    if after[: len(before)] != before or len(after) != len(before) + 1:
        return None
    found = removals(msgspec.structs.replace(ours, patches=after[len(before) :]))
    return found[0] if found else None


def arm_name(evidence: Evidence, arm: str) -> str:
    """An arm as people call it: its label, else what was taken away, else its name."""
    designed = evidence.design.arm(arm)
    if designed is not None and designed.label:
        return designed.label
    lead = evidence.leading
    removal = removal_of(evidence, arm, lead) if arm != lead else None
    if removal is None:
        return arm
    return f"no {removal.role} ({'vacuous' if removal.into is None else f'done by {removal.into}'})"


def left_out(evidence: Evidence, arms: Sequence[str]) -> str:
    """A sentence on arms whose picture would be the leading arm's; empty where there are none."""
    if not arms:
        return ""
    names = listed([arm_name(evidence, arm) for arm in arms])
    return f" Equal to {arm_name(evidence, evidence.leading)} everywhere, and left out: {names}."


def is_offline(evidence: Evidence) -> bool:
    """Whether no model drives anything in any arm."""
    return not any(is_driven_by_model(evidence.team(arm)) for arm in evidence.arms)


def verdict(comparison: Comparison, p: float, *, significance: float = SIGNIFICANT) -> str:
    """What a comparison comes to, in a word: ``better``, ``worse``, ``open`` or ``too few``."""
    interval = comparison.difference
    if interval.low is None or interval.high is None:
        return "too few"
    if p > significance or interval.low <= 0 <= interval.high:
        return "open"
    return "better" if interval.estimate > 0 else "worse"
