"""The answer in plain words, made from the figures by rule: nothing is said that an interval does not carry."""

from collections.abc import Iterable

from benchmarks.report.document import Block, Listing, Notice, Paragraph, Section
from benchmarks.report.findings import Effect, Findings
from benchmarks.report.sections.contrasts import effect_name, forest
from benchmarks.report.wording import (
    arm_name,
    blocks,
    bounds,
    is_offline,
    listed,
    number,
    p_value,
    percent,
    signed,
    verdict,
)
from benchmarks.statistics.interval import FEWEST_BLOCKS, Interval

_SENSES = ("vacuous", "absorbed")
_VACUOUS = {
    "hypothesizer": "ideas drawn at random",
    "coder": "parameters applied as given",
    "experimenter": "every candidate run once",
    "reviewer": "whatever looks better accepted",
}


def section(findings: Findings) -> Section:
    """What was found, in words."""
    made: list[Block] = [*_unfinished(findings), _opening(findings)]
    roles = tuple(effect for effect in findings.effects if effect.removal is not None)
    others = tuple(effect for effect in findings.effects if effect.removal is None)
    if roles:
        made += [
            Paragraph(text=_in_short(findings, roles)),
            forest(findings),
            Paragraph(text=_roles_opening(findings)),
            Listing(items=tuple(_role_sentences(findings, roles))),
        ]
    if findings.by_task:
        made += _where(findings)
    if others:
        made += [] if roles else [forest(findings)]
        made += [
            Paragraph(text="The other comparisons:" if roles else "The comparisons:"),
            Listing(items=tuple(sentence(findings, effect) for effect in others)),
        ]
    flagged = [spend for spend in findings.spends if spend.is_flagged]
    if flagged:
        names = listed([arm_name(findings.evidence, spend.arm) for spend in flagged])
        made.append(
            Notice(
                kind="warning",
                text=f"Realised spend differs by more than 10 % for {names}: part of their effects may be the budget's.",
            )
        )
    made += [Paragraph(text=text) for text in _about(findings)]
    return Section(name="answer", title="What was found", blocks=tuple(made))


def _in_short(findings: Findings, roles: tuple[Effect, ...]) -> str:
    """Which role matters, in a sentence for each sense of removal."""
    said = [_sense_in_short(tuple(e for e in roles if _sense(e) == sense), sense) for sense in _SENSES]
    where = listed(findings.evidence.headline_tasks)
    first, *others = [text for text in said if text]
    return " ".join([f"In short, on {where}: {first}", *(text[0].upper() + text[1:] for text in others)])


def _sense_in_short(roles: tuple[Effect, ...], sense: str) -> str:
    """What the removals of one sense come to; empty where there are none."""

    def said(word: str, *, last: str = "and") -> str:
        return listed([_role(effect) for effect in roles if _verdict(effect) == word], last=last)

    what = "the function of" if sense == "vacuous" else "separating"
    parts = [
        f"{what} {said('worse')} is worth something" if said("worse") else "",
        f"the team does better without {what} {said('better')}" if said("better") else "",
        f"{what} {said('open', last='or')} is not told apart from nothing" if said("open") else "",
        f"{what} {said('same', last='or')} changed no score at all" if said("same") else "",
        f"about {what} {said('too few', last='or')} there are too few seeds to say"
        if said("too few")
        else "",
    ]
    text = "; ".join(part for part in parts if part)
    return f"{text}." if text else ""


def _where(findings: Findings) -> list[Block]:
    """On which tasks effects are told apart, with p corrected over all contrasts on all tasks."""
    items: list[str] = []
    for effect in findings.effects:
        seen = [
            f"{each.task} ({signed(each.found.difference.estimate)}, {bounds(each.found.difference, plus=True)})"
            for each in findings.by_task
            if each.effect is effect and verdict(each.found, each.p) in {"better", "worse"}
        ]
        if seen:
            items.append(f"{effect_name(findings, effect)}: {listed(seen)}")
    opening = (
        f"Where: of {len(findings.by_task)} differences on single tasks, these are told apart from nothing after Holm's "
        "correction over all of them (exploratory):"
    )
    if not items:
        return [Paragraph(text=f"{opening[:-1].replace('these are', 'none is')}.")]
    return [Paragraph(text=opening), Listing(items=tuple(items))]


def _sense(effect: Effect) -> str:
    return "" if effect.removal is None else effect.removal.sense


def _role(effect: Effect) -> str:
    return "" if effect.removal is None else f"the {effect.removal.role}"


def _verdict(effect: Effect) -> str:
    return "same" if _is_same(effect) else verdict(effect.found, effect.p, significance=effect.needed)


def _is_same(effect: Effect) -> bool:
    """Whether the two scored the same in every block."""
    return effect.found.test.blocks == 0 and effect.found.blocks > 0


def _unfinished(findings: Findings) -> Iterable[Block]:
    sources = findings.evidence.sources
    missing = sources.missing
    if not missing:
        return
    failed = sources.failed
    by_arm: dict[str, int] = {}
    for spec in missing:
        by_arm[spec.team.name] = by_arm.get(spec.team.name, 0) + 1
    where = "; ".join(f"{arm}: {count}" for arm, count in by_arm.items())
    let_down = (
        f" The outside let {len(failed)} of them down; the same command tries those again." if failed else ""
    )
    yield Notice(
        kind="warning",
        text=(
            f"This study is unfinished: {len(missing)} of {len(sources.planned)} episodes have not ended ({where}). "
            f"Every figure below is of the {len(sources.results)} that have.{let_down}"
        ),
    )


def _opening(findings: Findings) -> Paragraph:
    evidence = findings.evidence
    lead = findings.headline(evidence.leading)
    count = len(evidence.runs)
    ran = (
        f"{count} episodes of {len(evidence.arms)} {'arm' if len(evidence.arms) == 1 else 'arms'} on "
        f"{len(evidence.tasks)} {'task' if len(evidence.tasks) == 1 else 'tasks'} ended."
    )
    if lead is None:
        return Paragraph(text=f"{ran} No task has a fixed reference, so that there is no mean over tasks.")
    return Paragraph(
        text=(
            f"{ran} The leading arm, {arm_name(evidence, evidence.leading)}, reached a mean normalised final score of "
            f"{number(lead.mean.estimate)} ({_interval(lead.mean)}), an interquartile mean of "
            f"{number(lead.interquartile_mean.estimate)}, and failed in {percent(lead.failure_rate.estimate)} of its runs. "
            "0 is the task's baseline, 1 its reference."
        )
    )


def _interval(interval: Interval) -> str:
    if interval.low is None:
        return f"{blocks(interval.blocks)} a task at most: no interval"
    return f"95 % interval {bounds(interval)}"


def _roles_opening(findings: Findings) -> str:
    senses = {effect.removal.sense for effect in findings.effects if effect.removal is not None}
    meaning = {
        "vacuous": "vacuous means that the role's function is gone, and asks whether the function matters",
        "absorbed": (
            "absorbed means that another member does it at the same total budget, and asks whether separating it matters"
        ),
    }
    explained = "; ".join(meaning[sense] for sense in ("vacuous", "absorbed") if sense in senses)
    return f"What became of the score when a role was taken away ({explained}):"


def _role_sentences(findings: Findings, roles: tuple[Effect, ...]) -> Iterable[str]:
    """A sentence a removal; those that changed nothing share one."""
    for effect in roles:
        if not _is_same(effect):
            assert effect.removal is not None
            role, into = effect.removal.role, effect.removal.into
            how = _VACUOUS.get(role, "its function gone") if into is None else f"done by the {into}"
            yield f"Without the {role} ({effect.removal.sense}: {how}): {_outcome(findings, effect)}"
    for sense in _SENSES:
        same = [effect for effect in roles if _is_same(effect) and _sense(effect) == sense]
        if same:
            fewest = min(effect.found.blocks for effect in same)
            yield (
                f"Without {listed([_role(effect) for effect in same], last='or')} ({sense}): the same score as with "
                "it in each "
                f"of {blocks(fewest)}, which is what a removal looks like that changes no move these tasks can see."
            )


def sentence(findings: Findings, effect: Effect) -> str:
    """One contrast in a sentence."""
    evidence = findings.evidence
    treatment, control = (
        arm_name(evidence, arm) for arm in (effect.contrast.treatment, effect.contrast.control)
    )
    leading = "Primary comparison. " if effect.contrast.primary else ""
    return f"{leading}{treatment} against {control}: {_outcome(findings, effect)}"


def _outcome(findings: Findings, effect: Effect) -> str:
    found = effect.found
    difference = found.difference
    if _is_same(effect):
        return (
            f"the same score in each of the {blocks(found.blocks)} that both ran. "
            "They made no difference that these tasks can show."
        )
    size = f"{signed(difference.estimate)}"
    match verdict(found, effect.p, significance=effect.needed):
        case "too few":
            return (
                f"{size} on average, from {blocks(difference.blocks)} a task. That is too few to tell it apart from nothing "
                f"(an interval needs {FEWEST_BLOCKS}); the single differences are in the figure."
            )
        case "open":
            return _open(findings, effect, size)
        case word:
            return (
                f"{'higher' if word == 'better' else 'lower'} by {number(abs(difference.estimate))} "
                f"(95 % interval {bounds(difference, plus=True)}, {_p(findings, effect)}). "
                f"A run {_of_whom(findings, effect)} in {percent(found.improvement.estimate)} of pairs."
            )


def _of_whom(findings: Findings, effect: Effect) -> str:
    if effect.removal is not None:
        return "without the role beat one with it"
    treatment, control = effect.contrast.treatment, effect.contrast.control
    return f"of {arm_name(findings.evidence, treatment)} beat one of {arm_name(findings.evidence, control)}"


def _open(findings: Findings, effect: Effect, size: str) -> str:
    difference = effect.found.difference
    assert difference.low is not None
    assert difference.high is not None
    said = f"not told apart from nothing: {size} (95 % interval {bounds(difference, plus=True)}, {_p(findings, effect)}). "
    if not difference.low <= 0 <= difference.high:
        return f"{said}The interval alone leaves 0 out; corrected for the number of comparisons, that is not enough."
    largest = max(abs(difference.low), abs(difference.high))
    return f"{said}These runs leave room for an effect of up to {number(largest, 2)}."


def _p(findings: Findings, effect: Effect) -> str:
    if effect.contrast.primary or findings.family < 2:
        return f"permutation p {_equals(effect.p)}"
    return f"permutation p {_equals(effect.p)} after Holm's correction over {findings.family} comparisons"


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _about(findings: Findings) -> Iterable[str]:
    evidence = findings.evidence
    if is_offline(evidence):
        yield (
            "All of this is about offline policies: rules without a language model, that search moves declared by "
            "people who "
            "know the tasks. It compares parts of this team with each other. It says nothing about teams that a "
            "model drives, "
            "and is no control for them."
        )
    if any(evidence.scales[task].is_calibration for task in evidence.headline_tasks):
        yield (
            "The mean is over tasks that were made to check the statistics, with role effects planted in them. It is no "
            "finding about research."
        )
    yield "Intervals speak of other seeds of these tasks. They say nothing about other tasks."
