"""What a row of each frame says: the schema of `mlyceum.load`, column by column, with units.

A struct a frame; its annotations are the only place where a column's type, unit and meaning are written, and the docs
and the exports are made from them. Frames join on ``episode``; within an episode on ``order`` (line of the journal),
``seq`` (message), ``node``, ``artefact`` or ``member`` with ``ordinal`` (effect).
"""

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

Kind: TypeAlias = Literal["text", "int", "float", "bool", "texts", "ints", "floats"]


class Column(NamedTuple):
    """One column of a frame."""

    name: str
    kind: Kind
    optional: bool
    """Whether it may be null."""
    unit: str
    means: str
    untrusted: bool
    """Whether agents, or code that they wrote, decide its text."""


def _says(means: str, unit: str = "", *, untrusted: bool = False) -> msgspec.Meta:
    return msgspec.Meta(description=means, extra={"unit": unit, "untrusted": untrusted})


METRIC = "task's metric"
Episode: TypeAlias = Annotated[str, _says("name of the episode; the key that frames join on")]
Order: TypeAlias = Annotated[
    int, _says("line of the journal, from 1: order over messages, effects, decisions")
]
MemberName: TypeAlias = Annotated[str, _says("who did it: the role, and `.2`, `.3` … for further replicas")]
Ordinal: TypeAlias = Annotated[int, _says("which of the member's effects, from 1")]
At: TypeAlias = Annotated[float | None, _says("when it began, since the episode began", "s")]
Seconds: TypeAlias = Annotated[
    float | None, _says("how long it took, waiting left out; null while under way", "s")
]
Waited: TypeAlias = Annotated[float | None, _says("spent waiting on a limit before it", "s")]
Node: TypeAlias = Annotated[int | None, _says("node of the research tree, from 1; 0: the starter")]
Artefact: TypeAlias = Annotated[str | None, _says("SHA-256 of the artefact's manifest")]
State: TypeAlias = Annotated[
    str, _says("`done`, `refused` (could not be had) or `open` (no outcome on record)")
]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every row."""


class EpisodeRow(Row, frozen=True):
    """One row an episode that the study asks for, ended or not."""

    study: Annotated[str, _says("name of the study's folder, or the study's own name where it has a lock")]
    episode: Episode
    task: Annotated[str, _says("id of the task")]
    arm: Annotated[str, _says("name of the arm: the team's")]
    arm_kind: Annotated[
        str | None, _says("`treatment`, `control` or `reference`; null without a `study.lock`")
    ]
    block: Annotated[str, _says("task and seeds: arms of one block are compared with each other")]
    is_pilot: Annotated[bool, _says("whether its seed is a pilot's, left out of every comparison")]
    task_seed: Annotated[int, _says("splits, instances, opponents")]
    team_seed: Annotated[int, _says("members' draws")]
    evaluation_seed: Annotated[int, _says("feedback and final draws")]
    strategy: Annotated[str, _says("search rule over the research tree")]
    model: Annotated[
        str | None, _says("drives members that name none of their own; null: none, or as members say")
    ]
    protocol: Annotated[str, _says("of scoring: `verified` or `mlgym`")]
    patches: Annotated[tuple[str, ...], _says("what was done to the team it came from, in words")]
    metric: Annotated[
        str | None, _says("name of the task's metric; null where the task is not installed here")
    ]
    direction: Annotated[str | None, _says("`max` or `min`: where better is")]
    baseline: Annotated[float | None, _says("score of the task's baseline, exact under `verified`", METRIC)]
    state: Annotated[
        str, _says("`ended`, `failed` (let down from outside in the last run), `unfinished`, `waiting`")
    ]
    outcome: Annotated[str | None, _says("`submitted`, `budget`, `deadlock`, `error`; null while not ended")]
    reason: Annotated[str | None, _says("why it ended so, or failed", untrusted=True)]
    final: Annotated[float | None, _says("score of what was handed in, on what the team never saw", METRIC)]
    final_standard_error: Annotated[float | None, _says("of `final`", METRIC)]
    counted: Annotated[
        float | None,
        _says("`final`, else the task's floor or baseline (intention to treat); null: not ended", METRIC),
    ]
    held_out: Annotated[float | None, _says("score of what was handed in, on the held-out split", METRIC)]
    best_feedback_final: Annotated[
        float | None, _says("final score of the artefact with the best single feedback score", METRIC)
    ]
    selected: Annotated[str | None, _says("artefact that was handed in")]
    findings: Annotated[int | None, _says("what crossed, or tried to cross, the boundary in final scoring")]
    evaluations: Annotated[int, _says("feedback evaluations spent", "evaluations")]
    steps: Annotated[float, _says("model calls, commands and evaluations spent", "steps")]
    tokens: Annotated[float, _says("tokens spent, in and out", "tokens")]
    cost_usd: Annotated[float, _says("spent on model calls", "USD")]
    device_seconds: Annotated[float, _says("device time spent", "s")]
    budget_evaluations: Annotated[int | None, _says("cap on evaluations; null: none", "evaluations")]
    budget_cost_usd: Annotated[float | None, _says("cap on cost; null: none", "USD")]
    messages: Annotated[int | None, _says("messages on the bus")]
    deterministic: Annotated[bool, _says("whether a rerun repeats it message for message")]
    seconds: Annotated[float | None, _says("wall time over all attempts, waiting included", "s")]


class MessageRow(Row, frozen=True):
    """One row a message on the bus."""

    episode: Episode
    order: Order
    seq: Annotated[int, _says("place in the episode's order of messages, from 1")]
    sender: Annotated[str, _says("member, or `runtime`")]
    receiver: Annotated[str | None, _says("who took it; null where nobody has, or several did")]
    to: Annotated[str | None, _says("member or queue that it was addressed to")]
    topic: Annotated[str | None, _says("whose subscribers got a copy")]
    cause: Annotated[int | None, _says("`seq` of the message that it answers")]
    at: Annotated[float | None, _says("when it was published, since the episode began", "s")]
    type: Annotated[str, _says("kind of body: `Hypothesis`, `Patch`, `Review` …")]
    node: Node
    text: Annotated[str | None, _says("what it says in words, where it does", untrusted=True)]
    body: Annotated[str, _says("the whole body as JSON", untrusted=True)]
    body_bytes: Annotated[int, _says("length of `body`", "bytes")]


class CallRow(Row, frozen=True):
    """One row a call to a model."""

    episode: Episode
    order: Order
    member: MemberName
    ordinal: Ordinal
    state: State
    model: Annotated[str, _says("asked for, `provider/name`")]
    answered_by: Annotated[str | None, _says("model that answered, as the endpoint names it", untrusted=True)]
    conversation: Annotated[int, _says("which of the member's conversations, from 1")]
    new_messages: Annotated[int, _says("messages that the conversation had not held before")]
    tools: Annotated[tuple[str, ...], _says("names of the tools offered")]
    stop_reason: Annotated[str | None, _says("why the answer ended")]
    input_tokens: Annotated[int | None, _says("of conversation and tools, cached ones included", "tokens")]
    output_tokens: Annotated[int | None, _says("of the answer, reasoning included", "tokens")]
    reasoning_tokens: Annotated[int | None, _says("part of `output_tokens` that is not shown", "tokens")]
    cached_tokens: Annotated[int | None, _says("part of `input_tokens` from the endpoint's cache", "tokens")]
    is_estimate: Annotated[bool | None, _says("whether tokens were counted here, the endpoint being silent")]
    cost_usd: Annotated[float | None, _says("charged; null where nobody knows", "USD")]
    at: At
    seconds: Seconds
    waited_seconds: Waited
    attempts: Annotated[int | None, _says("requests sent; 1 where nothing went wrong")]
    text: Annotated[str | None, _says("the answer's words", untrusted=True)]
    tool_calls: Annotated[str | None, _says("the answer's tool calls as JSON", untrusted=True)]
    failure: Annotated[str | None, _says("why there is no answer", untrusted=True)]


class CommandRow(Row, frozen=True):
    """One row a command in the shared workspace."""

    episode: Episode
    order: Order
    member: MemberName
    ordinal: Ordinal
    state: State
    language: Annotated[str, _says("`python` or `shell`")]
    artefact: Artefact
    exit_code: Annotated[int | None, _says("null while under way, or where it was ended")]
    limit: Annotated[str | None, _says("the limit that cut it")]
    truncated: Annotated[bool | None, _says("whether its output was cut")]
    at: At
    seconds: Seconds
    cpu_seconds: Annotated[float | None, _says("processor time", "s")]
    max_rss_bytes: Annotated[int | None, _says("largest resident memory", "bytes")]
    source: Annotated[str, _says("what was run", untrusted=True)]
    stdout: Annotated[str | None, _says("what it printed, bounded", untrusted=True)]
    stderr: Annotated[str | None, _says("what it printed on stderr, bounded", untrusted=True)]


class ExperimentRow(Row, frozen=True):
    """One row an experiment: a request for evidence on an artefact, and its answer."""

    episode: Episode
    seq: Annotated[int, _says("message that asked for it")]
    answer_seq: Annotated[int | None, _says("message that answered; null: none has")]
    node: Node
    artefact: Artefact
    experimenter: Annotated[str | None, _says("member that answered")]
    evaluations_at_most: Annotated[int, _says("allowed for it", "evaluations")]
    evaluations: Annotated[int | None, _says("spent on it", "evaluations")]
    replicates: Annotated[int | None, _says("feedback scores of the artefact so far, earlier ones included")]
    mean: Annotated[float | None, _says("of these scores", METRIC)]
    standard_error: Annotated[float | None, _says("of `mean`", METRIC)]
    rival_node: Annotated[int | None, _says("incumbent that it had to be told apart from")]
    rival_mean: Annotated[float | None, _says("mean feedback of the incumbent then", METRIC)]
    failure: Annotated[str | None, _says("why there is no evidence", untrusted=True)]
    at: Annotated[float | None, _says("when it was asked for, since the episode began", "s")]
    seconds: Annotated[float | None, _says("from request to answer, waiting included", "s")]


class ScoreRow(Row, frozen=True):
    """One row a scoring by the judge, of any split."""

    episode: Episode
    order: Order
    member: Annotated[str, _says("who asked; `judge` for scores at the end")]
    ordinal: Ordinal
    state: State
    split: Annotated[str, _says("`feedback`, `final` or `held-out`")]
    evaluation: Annotated[
        int | None, _says("number of the feedback evaluation, from 1; null for other splits")
    ]
    artefact: Artefact
    node: Node
    is_selected: Annotated[bool, _says("whether the artefact is what was handed in")]
    seed: Annotated[int, _says("of the scorer's draws")]
    value: Annotated[float | None, _says("null: earned no score, or is not known yet", METRIC)]
    standard_error: Annotated[float | None, _says("of `value`", METRIC)]
    failure: Annotated[str | None, _says("why there is no value", untrusted=True)]
    findings: Annotated[int, _says("what crossed, or tried to cross, the boundary; advisory ones left out")]
    scorer_version: Annotated[int | None, _says("of the scorer")]
    at: At
    seconds: Seconds
    waited_seconds: Waited
    cpu_seconds: Annotated[float | None, _says("processor time of the scoring", "s")]
    max_rss_bytes: Annotated[int | None, _says("largest resident memory of the scoring", "bytes")]


class NodeRow(Row, frozen=True):
    """One row a node of the research tree."""

    episode: Episode
    node: Annotated[int, _says("from 1; 0: the starter")]
    operator: Annotated[str, _says("`draft`, `debug`, `improve`, `combine` or `replicate`")]
    parents: Annotated[tuple[int, ...], _says("nodes that it was made from")]
    depth: Annotated[int, _says("steps to the starter along first parents")]
    status: Annotated[str, _says("how far it came: `thinking` … `accepted`, `rejected`, `failed`")]
    author: Annotated[str | None, _says("member whose hypothesis it is")]
    family: Annotated[str | None, _says("what kind of idea", untrusted=True)]
    claim: Annotated[str | None, _says("the hypothesis in words", untrusted=True)]
    predicted: Annotated[float | None, _says("score that its author expected", METRIC)]
    point: Annotated[str | None, _says("its place in the move space as JSON", untrusted=True)]
    artefact: Artefact
    versions: Annotated[int, _says("of its code")]
    evaluations: Annotated[int, _says("feedback evaluations spent on it", "evaluations")]
    values: Annotated[tuple[float, ...], _says("its feedback scores, in order", METRIC)]
    mean: Annotated[float | None, _says("of `values`", METRIC)]
    standard_error: Annotated[float | None, _says("of `mean`", METRIC)]
    verdict: Annotated[str | None, _says("last review: `accept`, `revise`, `reject`")]
    confidence: Annotated[float | None, _says("of the last review, as stated, 0 to 1")]
    objections: Annotated[tuple[str, ...], _says("kinds of objections in the last review")]
    prediction: Annotated[str | None, _says("last review on `predicted`: `confirmed`, `refuted`, `open`")]
    stood: Annotated[bool, _says("whether it was selected at some time")]
    handed_in: Annotated[bool, _says("whether it is what the team handed in")]
    failure: Annotated[str | None, _says("what went wrong with it", untrusted=True)]


class DecisionRow(Row, frozen=True):
    """One row a decision that a member put on the record."""

    episode: Episode
    order: Order
    member: MemberName
    what: Annotated[str, _says("what was decided")]
    chosen: Annotated[str, _says("the choice", untrusted=True)]
    rule: Annotated[str, _says("by which rule")]
    worth: Annotated[float | None, _says("of the choice, by the rule; null where not stated")]
    alternatives: Annotated[int, _says("candidates that were considered")]
    candidates: Annotated[str, _says("candidate to worth as JSON", untrusted=True)]


class CurveRow(Row, frozen=True):
    """One row a number of feedback evaluations spent, from 0: what was known and what stood by then."""

    episode: Episode
    evaluation: Annotated[int, _says("feedback evaluations asked for so far", "evaluations")]
    at: Annotated[float | None, _says("when the last of them had its answer, since the episode began", "s")]
    value: Annotated[float | None, _says("feedback score of that evaluation", METRIC)]
    best_feedback: Annotated[
        float | None, _says("best single feedback score so far (noisy: optimistic)", METRIC)
    ]
    standing: Annotated[str, _says("artefact that stood before the next evaluation was asked for")]
    standing_mean: Annotated[float | None, _says("mean of the feedback that it had got by then", METRIC)]
    standing_final: Annotated[
        float | None, _says("its final score, where the study has scored it; the team never saw it", METRIC)
    ]
    steps: Annotated[int, _says("model calls, commands and evaluations so far", "steps")]
    tokens: Annotated[int, _says("so far, in and out", "tokens")]
    cost_usd: Annotated[float, _says("so far", "USD")]


ROWS: dict[str, type[Row]] = {
    "episodes": EpisodeRow,
    "messages": MessageRow,
    "calls": CallRow,
    "commands": CommandRow,
    "experiments": ExperimentRow,
    "scores": ScoreRow,
    "nodes": NodeRow,
    "decisions": DecisionRow,
    "curves": CurveRow,
}
"""Every frame by name."""

_KINDS: dict[object, Kind] = {str: "text", int: "int", float: "float", bool: "bool"}
_SEVERAL: dict[object, Kind] = {str: "texts", int: "ints", float: "floats"}


def columns(frame: str) -> tuple[Column, ...]:
    """The columns of a frame, in order."""
    hints: dict[str, Any] = get_type_hints(ROWS[frame], include_extras=True)
    return tuple(_column(name, hints[name]) for name in ROWS[frame].__struct_fields__)


def _column(name: str, hint: Any) -> Column:  # noqa: ANN401 - an annotation, taken apart here
    plain, meta = get_args(hint)
    extra: dict[str, Any] = meta.extra
    parts = get_args(plain)
    if get_origin(plain) is tuple:
        kind, optional = _SEVERAL[parts[0]], False
    else:
        optional = type(None) in parts
        kind = _KINDS[next(part for part in parts if part is not type(None)) if parts else plain]
    return Column(name, kind, optional, extra["unit"], str(meta.description), bool(extra["untrusted"]))


def markdown() -> str:
    """Every frame's columns as the reference page holds them."""
    sections: list[str] = []
    for name, row in ROWS.items():
        promise = (row.__doc__ or "").strip()
        lines = [f"## `{name}`", "", promise, "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        for column in columns(name):
            unit = column.unit or ("text of agents" if column.untrusted else "")
            kind = f"{column.kind}{'?' if column.optional else ''}"
            lines.append(f"| `{column.name}` | {kind} | {unit} | {column.means} |")
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)
