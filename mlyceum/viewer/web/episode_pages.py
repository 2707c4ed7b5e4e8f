"""Documents about one episode: its head with tree and scores, one node, one line of its journal, several side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from engine.budget import AXES
from engine.effects import Command, Evaluation, ModelAnswer, ModelCall
from engine.messages import ArtefactHash, NodeId
from engine.task import Direction
from mlyceum.plain_text import one_line
from mlyceum.reading import Act, EpisodeView
from mlyceum.research_tree import ResearchNode, children
from mlyceum.viewer.diffs import files_diff
from mlyceum.viewer.header import drivers, is_deterministic
from mlyceum.viewer.web.bounded import Bounded, Cut
from mlyceum.viewer.web.curves import CurvePoint, curve_of_view
from mlyceum.viewer.web.inside import NotServed, read_content, read_manifest
from mlyceum.viewer.web.locks import is_held
from mlyceum.viewer.web.recordings import CallPlace, Recording, Recordings, Snapshot
from mlyceum.viewer.web.studies import Studies
from mlyceum.viewer.web.study_pages import TaskFacts, task_facts
from mlyceum.viewer.web.timeline import call_key, member_lanes
from mlyceum.viewer.words import diff_size, point_text

MOST_NODES = 1_000
MOST_FEEDBACK = 2_000
MOST_INTERVALS = 2_000
MOST_FINDINGS = 100
MOST_TOGETHER = 6
DIFF_CHARACTERS = 60_000
"""Of a diff on a page."""
COMPARABLE_BYTES = 200_000
"""Of one file that is compared line by line: comparing takes time that grows with the square."""
CLAIM_CHARACTERS = 240


class TreeNode(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the research tree, in the order in which it is drawn (depth first)."""

    id: int
    depth: int
    parent: int
    """The node that it hangs from; 0: the starter; itself for the starter."""
    others: tuple[int, ...]
    """Further parents."""
    operator: str
    status: str
    mean: float | None
    standard_error: float
    evaluations: int
    predicted: float | None
    claim: str
    failure: str
    stood: bool
    handed_in: bool
    on_path: bool
    """Whether what was handed in comes from it."""


class FeedbackPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One feedback evaluation, with what was spent until then."""

    evaluation: int
    value: float | None
    standard_error: float
    node: int | None
    failure: str
    at: float
    tokens: int
    cost_usd: float


class FinalPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One score that the team never saw."""

    split: str
    which: str
    artefact: str
    value: float | None
    standard_error: float
    failure: str
    metrics: dict[str, float]
    findings: tuple[tuple[str, str, bool], ...]
    """Kind, detail, whether it is only advisory."""


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which something outside worked for a member."""

    key: str
    member: str
    kind: str
    begin: float
    seconds: float
    waited: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a member's calls of one model came to."""

    member: str
    model: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: float
    is_estimate: bool
    seconds: float


class EpisodeHead(msgspec.Struct, frozen=True, kw_only=True):
    """An episode at a glance."""

    study: str
    episode: str
    state: str
    """``ended``, ``running`` or ``interrupted``."""
    outcome: str
    reason: str
    problem: str
    version: str
    task: TaskFacts
    metric: str
    direction: Direction | None
    baseline: float | None
    arm: str
    patches: tuple[str, ...]
    strategy: str
    in_flight: int
    drivers: str
    protocol: str
    seeds: dict[str, int]
    budget: dict[str, float]
    spending: dict[str, float]
    seconds: float
    messages: int
    decisions: int
    effects: int
    deterministic: bool
    before: str | None
    after: str | None
    lanes: tuple[str, ...]
    tree: tuple[TreeNode, ...]
    tree_left_out: int
    feedback: tuple[FeedbackPoint, ...]
    curve: tuple[CurvePoint, ...]
    finals: tuple[FinalPoint, ...]
    usage: tuple[Usage, ...]
    busy: tuple[Busy, ...]
    busy_fraction: float | None
    """Of the time so far: some experiment (a score or a command) was under way."""
    waited_seconds: float
    """That effects waited for a device or another limit, added up."""


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a node's code."""

    title: str
    text: str
    is_cut: bool
    source: str
    """``archive``: from the artefacts that were kept; ``journal``: as the coder told it."""
    raw: str | None
    """The way to the whole, within the study."""
    files: tuple[tuple[str, str], ...]
    """Path and hash of each file of the new version."""


class NodePage(msgspec.Struct, frozen=True, kw_only=True):
    """One node in full."""

    node: TreeNode
    author: str
    family: str
    point: str
    claim: str
    values: tuple[float, ...]
    artefact: str | None
    reviews: tuple[dict[str, object], ...]
    diffs: tuple[Diff, ...]
    children: tuple[int, ...]
    version: str


class LinePage(msgspec.Struct, frozen=True, kw_only=True):
    """One message, effect or decision in full: the lines that hold it."""

    key: str
    lines: tuple["Line", ...]
    call: CallPlace | None
    version: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal, long texts cut."""

    order: int
    record: object
    cuts: tuple[Cut, ...]
    left_out: int


def episode_head(known: Studies, recordings: Recordings, study: str, episode: str) -> EpisodeHead:
    """An episode at a glance.

    Raises:
        NotServed: there is no such study or episode.
    """
    folder = known.folder(study)
    snapshot = recordings.open(folder, episode).snapshot()
    before, after = known.catalogue(study).beside(episode)
    return _head(snapshot, study, is_running=is_held(folder) is not False, before=before, after=after)


def _head(
    snapshot: Snapshot, study: str, *, is_running: bool, before: str | None, after: str | None
) -> EpisodeHead:
    view = snapshot.view
    spec, brief = view.spec, view.brief
    tree = _tree(view)
    busy = tuple(_busy(snapshot))
    task = spec.task if spec is not None else brief.task if brief is not None else ""
    limits: dict[str, float] = {}
    for axis in AXES if spec is not None else ():
        if spec is not None and (limit := spec.budget.limit(axis)) is not None:
            limits[axis] = limit
    return EpisodeHead(
        study=study,
        episode=view.episode,
        state="ended" if view.state == "ended" else "running" if is_running else "interrupted",
        outcome=view.outcome,
        reason=view.reason,
        problem=snapshot.problem,
        version=snapshot.version,
        task=task_facts(task),
        metric=brief.metric if brief is not None else "",
        direction=brief.direction if brief is not None else None,
        baseline=brief.baseline if brief is not None else None,
        arm=spec.team.name if spec is not None else "",
        patches=spec.team.patches if spec is not None else (),
        strategy=spec.team.strategy.kind if spec is not None else "",
        in_flight=spec.team.in_flight if spec is not None else 1,
        drivers=drivers(view),
        protocol=spec.protocol if spec is not None else "",
        seeds=msgspec.to_builtins(view.head.seeds) if view.head is not None else {},
        budget=limits,
        spending=view.spending,
        seconds=view.seconds,
        messages=len(view.messages),
        decisions=len(view.decisions),
        effects=len(view.effects),
        deterministic=is_deterministic(view),
        before=before,
        after=after,
        lanes=member_lanes(view),
        tree=tree[:MOST_NODES],
        tree_left_out=max(0, len(tree) - MOST_NODES),
        feedback=tuple(_feedback(view))[:MOST_FEEDBACK],
        curve=curve_of_view(view)[: MOST_FEEDBACK + 1],
        finals=tuple(_finals(view)),
        usage=tuple(_usage(view)),
        busy=busy[-MOST_INTERVALS:],
        busy_fraction=_fraction([each for each in busy if each.kind != "model"], view.seconds),
        waited_seconds=sum(call.waited_seconds for call in snapshot.calls.values()),
    )


def _tree(view: EpisodeView) -> tuple[TreeNode, ...]:
    """The starter and every node below it, depth first."""
    by_id = {node.id: node for node in view.nodes}
    below = children(view.nodes)
    parents = {child.id: parent for parent, each in below.items() for child in each}
    path: set[int] = set()
    step = next((node.id for node in view.nodes if node.handed_in), None)
    while step is not None and step not in path:
        path.add(step)
        step = parents.get(step)
    rows: list[TreeNode] = []
    waiting: list[tuple[NodeId, int]] = [(NodeId(0), 0)]
    while waiting:
        number, depth = waiting.pop()
        rows.append(_tree_node(by_id.get(number), number, depth, parents.get(number, NodeId(0)), path, view))
        waiting += [(child.id, depth + 1) for child in reversed(below.get(number, ()))]
    return tuple(rows)


def _tree_node(
    node: ResearchNode | None, number: NodeId, depth: int, parent: NodeId, path: set[int], view: EpisodeView
) -> TreeNode:
    if node is None:
        node = ResearchNode(id=number, status="measured")
    evidence = node.evidence
    is_starter = number == 0
    mean = evidence.mean if evidence is not None else None
    if is_starter and mean is None and view.brief is not None:
        mean = view.brief.baseline
    return TreeNode(
        id=number,
        depth=depth,
        parent=parent,
        others=tuple(node.parents[1:]),
        operator="starter" if is_starter else node.operator,
        status="baseline" if is_starter and evidence is None else node.status,
        mean=mean,
        standard_error=evidence.standard_error if evidence is not None else 0.0,
        evaluations=node.evaluations,
        predicted=node.hypothesis.predicted if node.hypothesis is not None else None,
        claim=one_line(node.hypothesis.claim, CLAIM_CHARACTERS) if node.hypothesis is not None else "",
        failure=one_line(node.failure, CLAIM_CHARACTERS),
        stood=node.stood,
        handed_in=node.handed_in,
        on_path=number in path,
    )


def _feedback(view: EpisodeView) -> Iterable[FeedbackPoint]:
    """Each feedback evaluation, with what the episode had spent by then, in the journal's order."""
    places = {each.evaluation: each for each in view.feedback}
    tokens, cost, number = 0, 0.0, 0
    asked = {id(act): at for at, act in enumerate(_feedback_acts(view.effects), start=1)}
    for act in sorted(view.effects, key=_order):
        if isinstance(act.outcome, ModelAnswer):
            usage = act.outcome.completion.usage
            tokens += usage.input_tokens + usage.output_tokens
            cost += act.outcome.completion.cost_usd or 0.0
        number = asked.get(id(act), 0)
        if number in places:
            each = places[number]
            yield FeedbackPoint(
                evaluation=number,
                value=each.score.value,
                standard_error=each.score.standard_error,
                node=each.nodes[0] if each.nodes else None,
                failure=one_line(each.score.failure, CLAIM_CHARACTERS),
                at=act.at + act.seconds,
                tokens=tokens,
                cost_usd=cost,
            )


def _feedback_acts(effects: Sequence[Act]) -> Iterable[Act]:
    return (act for act in effects if isinstance(act.effect, Evaluation) and act.effect.split == "feedback")


def _order(act: Act) -> int:
    return act.order


def _finals(view: EpisodeView) -> Iterable[FinalPoint]:
    handed_in = (
        view.result.selected
        if view.result is not None
        else next((each.artefact for each in view.finals if each.split == "final"), None)
    )
    for each in view.finals:
        score = each.score
        yield FinalPoint(
            split=each.split,
            which="handed in" if each.artefact == handed_in else "best single feedback",
            artefact=each.artefact,
            value=score.value,
            standard_error=score.standard_error,
            failure=score.failure,
            metrics=score.metrics,
            findings=tuple((f.kind, f.detail, f.advisory) for f in score.findings[:MOST_FINDINGS]),
        )


def _usage(view: EpisodeView) -> Iterable[Usage]:
    sums: dict[tuple[str, str], Usage] = {}
    for act in view.effects:
        if not isinstance(act.effect, ModelCall):
            continue
        key = (act.member, act.effect.model)
        old = sums.get(key) or Usage(
            member=act.member, model=act.effect.model, calls=0, input_tokens=0, cached_tokens=0, output_tokens=0,
            reasoning_tokens=0, cost_usd=0.0, is_estimate=False, seconds=0.0,
        )  # fmt: skip
        sums[key] = msgspec.structs.replace(old, calls=old.calls + 1, seconds=old.seconds + act.seconds)
        if isinstance(act.outcome, ModelAnswer):
            completion = act.outcome.completion
            usage = completion.usage
            sums[key] = msgspec.structs.replace(
                sums[key],
                input_tokens=old.input_tokens + usage.input_tokens,
                cached_tokens=old.cached_tokens + usage.cached_tokens,
                output_tokens=old.output_tokens + usage.output_tokens,
                reasoning_tokens=old.reasoning_tokens + usage.reasoning_tokens,
                cost_usd=old.cost_usd + (completion.cost_usd or 0.0),
                is_estimate=old.is_estimate or usage.is_estimate,
            )
    return sums.values()


def _busy(snapshot: Snapshot) -> Iterable[Busy]:
    view = snapshot.view
    for act in view.effects:
        kind = (
            "model"
            if isinstance(act.effect, ModelCall)
            else "command"
            if isinstance(act.effect, Command)
            else "score"
            if isinstance(act.effect, Evaluation)
            else None
        )
        if kind is None:
            continue
        call = snapshot.calls.get((act.member, act.ordinal))
        waited = call.waited_seconds if call is not None else 0.0
        yield Busy(
            key=call_key(act.member, act.ordinal),
            member=act.member,
            kind=kind,
            begin=act.at + waited,
            seconds=act.seconds if act.outcome is not None else max(0.0, view.seconds - act.at),
            waited=waited,
        )


def _fraction(busy: Sequence[Busy], seconds: float) -> float | None:
    """The part of the time in which at least one of them was under way."""
    if seconds <= 0:
        return None
    covered, end = 0.0, 0.0
    for each in sorted(busy, key=_begin):
        until = each.begin + each.seconds
        covered += max(0.0, until - max(end, each.begin))
        end = max(end, until)
    return min(1.0, covered / seconds)


def _begin(busy: Busy) -> float:
    return busy.begin


def node_page(known: Studies, recordings: Recordings, study: str, episode: str, number: int) -> NodePage:
    """One node in full.

    Raises:
        NotServed: there is no such study, episode or node.
    """
    folder = known.folder(study)
    snapshot = recordings.open(folder, episode).snapshot()
    view = snapshot.view
    row = next((each for each in _tree(view) if each.id == number), None)
    if row is None:
        raise NotServed(f"this episode has no node {number} (yet)")
    node = next((each for each in view.nodes if each.id == number), None)
    below = children(view.nodes).get(NodeId(number), ())
    hypothesis = node.hypothesis if node is not None else None
    return NodePage(
        node=row,
        author=(node.author or "") if node is not None else "",
        family=hypothesis.family if hypothesis is not None else "",
        point=point_text(hypothesis.point) if hypothesis is not None else "",
        claim=hypothesis.claim if hypothesis is not None else "",
        values=node.evidence.values[:MOST_FEEDBACK] if node is not None and node.evidence is not None else (),
        artefact=node.artefact
        if node is not None
        else view.brief.starter
        if view.brief is not None
        else None,
        reviews=tuple(msgspec.to_builtins(each) for each in node.reviews[-20:]) if node is not None else (),
        diffs=tuple(_diffs(folder, node)) if node is not None else (),
        children=tuple(child.id for child in below),
        version=snapshot.version,
    )


def _diffs(study: Path, node: ResearchNode) -> Iterable[Diff]:
    for version, patch in enumerate(node.patches[-10:], start=max(1, len(node.patches) - 9)):
        which = f"version {version}: " if len(node.patches) > 1 else ""
        if patch.artefact is None:
            yield Diff(
                title=f"{which}no code",
                text=patch.problem,
                is_cut=False,
                source="journal",
                raw=None,
                files=(),
            )
            continue
        try:
            text, files = archived_diff(study, patch.base, patch.artefact)
            source = "archive"
        except NotServed:
            text, files, source = patch.diff, {}, "journal"
        checked = "checked by the coder" if patch.checked else "not checked by the coder"
        yield Diff(
            title=f"{which}{diff_size(text)} on {patch.base[:8]}, {checked}",
            text=text[:DIFF_CHARACTERS],
            is_cut=len(text) > DIFF_CHARACTERS,
            source=source,
            raw=f"diff/{patch.base}/{patch.artefact}" if source == "archive" else None,
            files=tuple(list(files.items())[:200]),
        )


def archived_diff(study: Path, base: ArtefactHash, artefact: ArtefactHash) -> tuple[str, dict[str, str]]:
    """One unified diff between two archived artefacts, and the files of the second; a large file by its size only.

    Raises:
        NotServed: one of them is not in the archive.
    """
    old, new = read_manifest(study, base), read_manifest(study, artefact)
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        contents = [read_content(study, files[path]) if path in files else b"" for files in (old, new)]
        if max(map(len, contents)) > COMPARABLE_BYTES:
            contents = [
                f"({len(content)} bytes, too large to be compared here)\n".encode() for content in contents
            ]
        before[path], after[path] = contents
    return files_diff(before, after, old_name=base[:8], new_name=artefact[:8]), new


def line_page(recording: Recording, key: str) -> LinePage:
    """One message, effect or decision in full.

    Args:
        recording: of the episode.
        key: of the entry, as in the timeline.

    Raises:
        NotServed: there is no such entry.
    """
    snapshot = recording.snapshot()
    orders, call = _lines_of(snapshot, key)
    return LinePage(
        key=key,
        lines=tuple(_line(recording, order) for order in orders),
        call=call,
        version=snapshot.version,
    )


def _lines_of(snapshot: Snapshot, key: str) -> tuple[list[int], CallPlace | None]:
    kind, _, rest = key.partition("-")
    if kind == "m":
        order = next((each.order for each in snapshot.view.messages if str(each.seq) == rest), 0)
    elif kind == "d":
        order = next((each.order for each in snapshot.view.decisions if str(each.order) == rest), 0)
    else:
        order = 0
        for (member, ordinal), call in snapshot.calls.items():
            if call_key(member, ordinal) == key:
                return [each for each in (call.started, call.finished) if each], call
    if not order:
        raise NotServed(f"this episode has no entry {key[:80]!r} (yet)")
    return [order], None


def _line(recording: Recording, order: int) -> Line:
    bounded = Bounded()
    record = bounded.cut(recording.line(order))
    return Line(order=order, record=record, cuts=tuple(bounded.cuts), left_out=bounded.left_out)


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes side by side."""

    study: str
    episodes: tuple[EpisodeHead, ...]


def together(known: Studies, recordings: Recordings, study: str, episodes: Sequence[str]) -> Together:
    """Episodes side by side.

    Raises:
        NotServed: there is no such study or episode.
    """
    chosen = list(dict.fromkeys(episodes))[:MOST_TOGETHER]
    return Together(
        study=study,
        episodes=tuple(
            msgspec.structs.replace(episode_head(known, recordings, study, each), busy=()) for each in chosen
        ),
    )
