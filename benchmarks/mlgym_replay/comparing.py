"""Does a step played again mean what was recorded? Same window, same kind of error, same score within its noise.

Every difference has a class; `EXPLANATIONS` says what each is.
"""

import math
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from benchmarks.mlgym_replay.meaning import (
    Meaning,
    Window,
    json_metrics,
    lint_codes,
    recorded_meaning,
    shown_meaning,
)
from roles.mlgym.replay import Metrics, Played

STANDARD_ERRORS: Final = 4.0
"""Two scores are the same when they differ by no more than so many standard errors of their difference."""

Difference = Literal[
    "",
    "follows",
    "other file version",
    "action read otherwise",
    "lint verdict",
    "error kind",
    "window",
    "score",
    "no score",
    "program output",
    "listing",
    "environment",
    "ending",
]
EXPLANATIONS: Final[Mapping[Difference, str]] = {
    "follows": "the workspace differs because of an earlier difference of the same run",
    "other file version": "the run saw another version of a file of MLGym's than the checkout holds",
    "action read otherwise": "our parser reads another action from the answer than was recorded",
    "lint verdict": "an edit was refused there and made here, or the other way round",
    "error kind": "both refused, or one of them, for another reason",
    "window": "the editor shows another part, or other lines, of the file",
    "score": "both have a score, more than four standard errors apart",
    "no score": "one has a score and the other has none, or another exception ended the evaluator",
    "program output": "a program that the agent ran said something else",
    "listing": "a listing of files holds other names",
    "environment": "a package, program or network that one side has and the other has not",
    "ending": "the run ended there and went on here, or the other way round",
}
_ENVIRONMENT: Final = re.compile(
    r"ModuleNotFoundError|No module named|Requirement already|command not found|\bpip3?\b"
)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_MATCH: Final = re.compile(r"^(?:Line )?(\d+):(.*)$", re.MULTILINE)
_LISTING: Final = frozenset({"ls", "find_file", "find", "search_dir"})


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the scores' spread.

    Attributes:
        standard_errors: of one evaluation, by metric; a metric without one is a count, and is exact.
        not_compared: metrics that say nothing across machines: wall times.
    """

    standard_errors: Mapping[str, float] = {}
    not_compared: frozenset[str] = frozenset()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison of one step came to."""

    kind: str
    """Of the recorded observation: ``window``, ``score``, ``problem lint`` …."""
    difference: Difference = ""
    detail: str = ""
    """Bounded; what the two said."""
    score_not_compared: bool = False
    """The same but for a score that cannot be compared."""

    @property
    def is_same(self) -> bool:
        """Whether the step means the same."""
        return not self.difference


def compare(
    played: Played, noise: Noise, *, final: Metrics | None = None, earned_none: bool = False
) -> Verdict:
    """Whether a step means what was recorded.

    Args:
        played: the step.
        noise: of the task's scores.
        final: the recorded score of the end, for the step that ended the run.
        earned_none: whether the end is recorded to have earned no score.
    """
    recorded = recorded_meaning(played.recorded.action, played.recorded.observation or "")
    kind = f"{recorded.kind} {recorded.problem}".strip()
    difference, detail, is_open = _difference(played, recorded, noise, final)
    evaluated = played.evaluated.metrics if played.evaluated is not None else None
    if not difference and recorded.kind == "end" and earned_none and evaluated is not None:
        difference, detail = "no score", f"the end earned none there, here {evaluated}"
    if difference and played.action.strip() != played.recorded.action.strip():
        difference = "action read otherwise"
    return Verdict(kind=kind, difference=difference, detail=detail[:600], score_not_compared=is_open)


Found = tuple[Difference, str, bool]
_SAME: Final[Found] = ("", "", False)


def _difference(played: Played, recorded: Meaning, noise: Noise, final: Metrics | None) -> Found:
    if played.ending in ("submit", "max_steps", "exit"):
        if recorded.kind != "end":
            return "ending", f"recorded {recorded.kind}, ended here by {played.ending}", False
        return _scores(final, played, noise) if final is not None else _SAME
    if recorded.kind == "end":
        return "ending", f"recorded an end, here {played.seen.asked or 'a step'}", False
    if played.seen.asked == "validate":
        return _validated(played, recorded, noise)
    if recorded.kind in ("score", "no score"):
        return "no score", "evaluated there, not here", False
    return _shown(played, recorded, noise)


def _validated(played: Played, recorded: Meaning, noise: Noise) -> Found:
    evaluated = played.evaluated
    assert evaluated is not None  # a validation is evaluated
    if recorded.problem == "timeout":
        return _SAME if evaluated.timed_out else ("error kind", "timed out there, not here", False)
    if recorded.kind == "score":
        return _scores(recorded.metrics or {}, played, noise)
    if recorded.kind != "no score":
        return "no score", f"recorded {recorded.kind}, evaluated here", False
    if evaluated.metrics is not None:
        return "no score", f"none there ({recorded.exception}), here {evaluated.metrics}", False
    ours = shown_meaning(evaluated.text).exception
    if ours != recorded.exception:
        where: Difference = (
            "environment" if _ENVIRONMENT.search(recorded.text + evaluated.text) else "no score"
        )
        return (
            where,
            f"ended there by {recorded.exception or '?'}, here by {ours or evaluated.text[-200:]}",
            False,
        )
    return _SAME


def _scores(recorded: Metrics, played: Played, noise: Noise) -> Found:
    evaluated = played.evaluated
    if evaluated is None or evaluated.metrics is None:
        return "no score", f"{recorded} there, none here: {evaluated.text[-300:] if evaluated else ''}", False
    return scores_difference(recorded, evaluated.metrics, noise)


def scores_difference(recorded: Metrics, ours: Metrics, noise: Noise) -> Found:
    """Whether two evaluations of the same files agree; third: whether all that is common cannot be compared."""
    common = [name for name in recorded if name in ours]
    if not common:
        return "score", f"{recorded} there, {ours} here", False
    compared = [name for name in common if name not in noise.not_compared]
    for name in compared:
        error = noise.standard_errors.get(name, 0.0)
        bound = STANDARD_ERRORS * math.sqrt(2.0) * error
        if not abs(recorded[name] - ours[name]) <= bound:
            return "score", f"{name} {recorded[name]} there, {ours[name]} here (bound {bound:g})", False
    return "", "", not [name for name in compared if name not in ("Correct", "Incorrect")]


def _shown(played: Played, recorded: Meaning, noise: Noise) -> Found:
    seen = played.seen
    if recorded.kind == "problem" or seen.problem:
        return _problems(played, recorded)
    ours = shown_meaning(seen.text)
    if recorded.kind == "window":
        first, here = recorded.windows[0], ours.windows[:1]
        if here and _bare(first) == _bare(here[0]):
            return _SAME
        return "window", _windows_detail(recorded, ours), False
    if _same_output(played.recorded.action, recorded.text, seen.text, noise):
        return _SAME
    if _ENVIRONMENT.search(f"{recorded.text}\n{seen.text}\n{played.action}"):
        return "environment", f"there {recorded.text[-200:]!r}, here {seen.text[-200:]!r}", False
    word = played.action.split()[0] if played.action.split() else ""
    where: Difference = "listing" if word in _LISTING else "program output"
    return where, f"there {recorded.text[-250:]!r}, here {seen.text[-250:]!r}", False


def _problems(played: Played, recorded: Meaning) -> Found:
    seen = played.seen
    if recorded.problem == seen.problem:
        return _SAME
    told = f"there {recorded.problem or recorded.kind}, here {seen.problem or 'no problem'}: "
    if "lint" in (recorded.problem, seen.problem):
        codes = f"{sorted(recorded.lint_codes)} there, {sorted(lint_codes(seen.text))} here"
        return "lint verdict", told + codes, False
    return "error kind", told + f"{recorded.text[-200:]!r} / {seen.text[-200:]!r}", False


def _bare(window: Window) -> Window:
    """Without blanks at the ends of lines, which are not kept on every way."""
    lines = tuple((number, text.rstrip()) for number, text in window.lines)
    return msgspec.structs.replace(window, lines=lines)


def _windows_detail(recorded: Meaning, ours: Meaning) -> str:
    if not ours.windows:
        return f"no window here: {ours.text[-300:]!r}"
    there, here = recorded.windows[0], ours.windows[0]
    if (there.path, there.lines_total) != (here.path, here.lines_total):
        return f"{there.path} of {there.lines_total} lines there, {here.path} of {here.lines_total} here"
    changed = [f"{a} / {b}" for a, b in zip(there.lines, here.lines, strict=False) if a != b]
    return (
        f"{there.path}: {len(changed)} lines differ, first {changed[:1]}; above {there.above} / {here.above}"
    )


def _same_output(action: str, recorded: str, ours: str, noise: Noise) -> bool:
    """Whether two outputs say the same: names of a listing, numbers of a score, else text with its numbers left out."""
    word = action.split(maxsplit=1)[0] if action.split() else ""
    if word in _LISTING:
        return _names(recorded) == _names(ours)
    if word == "search_file":
        return _found(recorded) == _found(ours)
    there, here = json_metrics(recorded), json_metrics(ours)
    if there is not None and here is not None:
        return not scores_difference(there, here, noise)[0]
    return _masked(recorded) == _masked(ours)


def _names(text: str) -> frozenset[str]:
    """The names in a listing, by their last word: long and short forms alike, marks of their kind left out."""
    lines = (line.strip() for line in text.split("\n"))
    words = (
        line.split()[-1].rstrip("*/")
        for line in lines
        if line and not line.startswith(("total ", "End of", "Found"))
    )
    return frozenset(word for word in words if word not in (".", "..", "", ".mlgym"))


def _found(text: str) -> frozenset[tuple[str, str]]:
    """The lines that a search in a file found, by their number."""
    return frozenset((match[1], match[2].strip()) for match in _MATCH.finditer(text))


def _masked(text: str) -> str:
    lines = (" ".join(_NUMBER.sub("#", line).split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
