"""What was asked, of whom, on what, and by which rules."""

from collections.abc import Iterable

from benchmarks.report.document import Block, Listing, Notice, Paragraph, Row, Section, Table, columns
from benchmarks.report.evidence import Evidence
from benchmarks.report.wording import arm_name, listed, number, percent
from benchmarks.statistics.from_results import block_of
from benchmarks.studies.looks import look_notes, read_looks
from benchmarks.studies.teams import is_driven_by_model
from engine.budget import AXES
from engine.team import TeamSpec

_AXES = {
    "evaluations": "feedback evaluations",
    "tokens": "tokens",
    "cost_usd": "USD",
    "steps": "steps",
    "device_seconds": "device seconds",
    "wall_seconds": "seconds of wall time",
}


def axis_name(axis: str) -> str:
    """An axis of the budget in words."""
    return _AXES.get(axis, axis)


def section(evidence: Evidence) -> Section:
    """Question and design."""
    design = evidence.design
    blocks: list[Block] = []
    if design.question:
        blocks.append(Paragraph(text=design.question))
    blocks.append(Listing(items=tuple(_facts(evidence))))
    if not evidence.is_locked:
        blocks.append(
            Notice(
                text=(
                    "This folder holds no study.lock: the design was read off the episodes, and every arm is compared with "
                    "the first. Comparisons that nobody named beforehand are exploratory."
                )
            )
        )
    blocks += [_arms(evidence), _tasks(evidence)]
    if evidence.is_locked and design.contrasts:
        blocks.append(_contrasts(evidence))
    blocks += [Notice(text=note) for note in design.notes]
    return Section(name="design", title="Question and design", blocks=tuple(blocks))


def _facts(evidence: Evidence) -> Iterable[str]:
    design = evidence.design
    yield (
        "Protocol verified: feedback and final come from different draws, the final is exact or nearly so, and its "
        "scorer is "
        "out of the team's reach."
        if design.protocol == "verified"
        else "Protocol mlgym: 50 steps over all members, feedback is the test metric, as published for MLGym-Bench."
    )
    caps = [
        f"{number(limit, 0 if float(limit).is_integer() else 4)} {axis_name(axis)}"
        for axis in AXES
        if (limit := design.budget.limit(axis)) is not None
    ]
    yield (
        f"Budget of an episode, over all its members: {listed(caps) or 'no cap'}. Arms are held equal in "
        f"{axis_name(design.primary_axis)}."
    )
    counted = [seeds for seeds in design.seeds if not design.is_pilot(seeds)]
    yield (
        f"{len(counted)} {'seed' if len(counted) == 1 else 'seeds'} a task at most "
        f"({_seeds(tuple(block_of(s) for s in counted))}); a block is "
        "one task with one seed, and every arm meets the same draws there."
    )
    if design.pilot_seeds:
        yield (
            f"Pilot seeds, left out of every figure: {_seeds(tuple(block_of(s) for s in design.pilot_seeds))} "
            f"({evidence.pilots} ended episodes)."
        )
    if design.feedback_size is not None:
        yield f"One feedback score samples {design.feedback_size} games or formulas, which is not the tasks' own setting."
    if any("imported" in result.spec.hashes for result in evidence.results):
        yield (
            "Imported records: scores are as their own evaluator gave them, and where a seed stands here it is the number "
            "of a run, so that arms share no draws."
        )
    if evidence.unknown_tasks:
        yield f"Left out of every figure, for the task is not here: {', '.join(evidence.unknown_tasks)}."
    yield from _looks(evidence)


def _looks(evidence: Evidence) -> Iterable[str]:
    looks = [look for source in evidence.sources.each for look in read_looks(source.folder)]
    if not looks:
        yield (
            "Looks: none is on record."
            if evidence.is_locked
            else "Looks at unfinished results are not on record here."
        )
        return
    planned = evidence.design.sequential
    if planned is not None:
        after = listed([str(each) for each in planned.looks])
        yield (
            f"Sequential: the primary comparison was to be tested after {after} seeds, "
            f"at {percent(planned.significance)} over all looks together (O'Brien and Fleming's spending), and the study to "
            "stop once it is told apart from nothing."
        )
        for source in evidence.sources.each:
            yield from (f"{note[0].upper()}{note[1:]}." for note in look_notes(source.folder, planned))
    early = sum(look.complete_blocks < look.blocks and look.planned is None for look in looks)
    seen = ", ".join(
        f"{look.complete_blocks} of {look.blocks} blocks ({look.by}, {look.at})" for look in looks[:10]
    )
    yield f"Looks on record: {len(looks)}: {seen}{' …' if len(looks) > 10 else ''}."
    if early:
        yield (
            f"{early} of the looks came before the study was complete. If seeds were added after one because of what it "
            "showed, intervals and p-values here are too confident."
        )


def _seeds(names: tuple[str, ...]) -> str:
    """Runs of whole numbers as ranges."""
    if not all(name.isdecimal() for name in names):
        return ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    numbers = sorted(map(int, names))
    ranges: list[list[int]] = []
    for n in numbers:
        if ranges and n == ranges[-1][1] + 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges)


def _arms(evidence: Evidence) -> Table:
    kinds = {
        "treatment": "treatment",
        "control": "control",
        "reference": "reference: no control of any other",
    }
    return Table(
        caption="Arms. The first leads; the others are held against it unless the contrasts say otherwise.",
        columns=columns(
            "arm", "team", "kind", "what was changed", "strategy", "driven by", "episodes", numbers="ttttttn"
        ),
        rows=tuple(
            Row(
                cells=(
                    arm_name(evidence, arm.name),
                    arm.name,
                    kinds[arm.kind],
                    "; ".join(team.patches) or "nothing",
                    team.strategy.kind + (f", {team.in_flight} in flight" if team.in_flight > 1 else ""),
                    _driver(team, arm.model),
                    str(sum(run.arm == arm.name for run in evidence.runs)),
                ),
                is_leading=arm.name == evidence.leading,
            )
            for arm in evidence.design.arms
            if arm.name in evidence.arms
            for team in (evidence.team(arm.name),)
        ),
    )


def _driver(team: TeamSpec, model: str | None) -> str:
    if not is_driven_by_model(team):
        return "offline policies"
    own = {member.model for member in team.members if member.model is not None}
    return listed(sorted(own | ({model} if model else set[str]()))) or "a model"


def _tasks(evidence: Evidence) -> Table:
    return Table(
        caption="Tasks, and the scale of their normalised scores: 0 at the baseline, 1 at the reference.",
        columns=columns(
            "task",
            "metric",
            "better",
            "baseline",
            "reference",
            "which is",
            "a failure counts as",
            "enters the mean",
            numbers="tttnntnt",
        ),
        rows=tuple(
            Row(
                cells=(
                    task,
                    scale.card.metric,
                    "higher" if scale.card.direction == "max" else "lower",
                    number(scale.baseline, 4),
                    number(scale.reference, 4),
                    scale.reference_is,
                    number(scale.counted_failure, 4),
                    _enters(evidence, task),
                )
            )
            for task, scale in evidence.scales.items()
        ),
    )


def _enters(evidence: Evidence, task: str) -> str:
    scale = evidence.scales[task]
    if task in evidence.headline_tasks:
        return "yes"
    if scale.reference is None:
        return "no: no fixed reference"
    return "no: made for calibration" if scale.is_calibration else "no: not run by every arm"


def _contrasts(evidence: Evidence) -> Table:
    return Table(
        caption="Contrasts named beforehand: the effect is that of the treatment less that of the control.",
        columns=columns("contrast", "treatment", "control", "standing"),
        rows=tuple(
            Row(
                cells=(c.name, c.treatment, c.control, "primary" if c.primary else "secondary"),
                is_leading=c.primary,
            )
            for c in evidence.design.contrasts
        ),
    )
