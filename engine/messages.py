"""What members say to each other: one frozen envelope, and a closed, versioned union of bodies.

A body that asks for work is addressed to a *queue* (the function that does it, such as ``"code"``); a body that
answers goes to the member that asked, and may carry a *topic*, whose subscribers get a copy.
"""

from typing import Literal, NewType, TypeAlias

import msgspec

MESSAGES_VERSION = 1
"""Raised when a body changes its meaning (a new body changes none); readers refuse a record of a later version."""

MemberId = NewType("MemberId", str)
"""A member of a team: the role's name, and ``.2``, ``.3`` … for its further replicas."""
NodeId = NewType("NodeId", int)
"""A node of the research tree, counted from 1 in an episode; 0 is the starter artefact."""
ArtefactHash = NewType("ArtefactHash", str)
"""SHA-256 (hex) of an artefact's manifest."""
Queue = NewType("Queue", str)
"""Where requests of one kind wait; competing members share it."""
Topic = NewType("Topic", str)
"""A subject whose subscribers each get a copy."""

Value: TypeAlias = str | int | float | bool
Point: TypeAlias = dict[str, Value]
"""A place in a task's declared move space: parameter name to value."""
Operator: TypeAlias = Literal["draft", "debug", "improve", "combine", "replicate"]
Verdict: TypeAlias = Literal["accept", "revise", "reject"]
ObjectionKind: TypeAlias = Literal["duplicate", "no-evidence", "bug", "leak", "over-budget", "other"]

HYPOTHESES = Topic("hypotheses")
PATCHES = Topic("patches")
RESULTS = Topic("results")
REVIEWS = Topic("reviews")
SELECTIONS = Topic("selections")
ARGUMENTS = Topic("arguments")
NOTES = Topic("notes")
TOPICS = (HYPOTHESES, PATCHES, RESULTS, REVIEWS, SELECTIONS, ARGUMENTS, NOTES)

HYPOTHESIZE = Queue("hypothesize")
CODE = Queue("code")
EXPERIMENT = Queue("experiment")
REVIEW = Queue("review")
FUNCTIONS = (HYPOTHESIZE, CODE, EXPERIMENT, REVIEW)


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every message body; the tag is the class's name."""


class Brief(Body, frozen=True, tag=True):
    """Opens an episode: what is asked of the team, told to every member first."""

    task: str
    text: str
    metric: str
    direction: Literal["max", "min"]
    baseline: float
    starter: ArtefactHash
    evaluations: int
    """Feedback evaluations that the whole team may spend."""


class IdeaRequest(Body, frozen=True, tag=True):
    """The strategy asks for a hypothesis."""

    node: NodeId
    operator: Operator
    parents: tuple[NodeId, ...]
    evaluations_left: int


class Hypothesis(Body, frozen=True, tag=True):
    """A claim to be tested, with the effect its author predicts."""

    node: NodeId
    operator: Operator
    parents: tuple[NodeId, ...]
    claim: str
    family: str
    """What kind of idea it is; two with one family differ in degree only."""
    point: Point | None = None
    """The move it stands for, where the task declares a move space and its author used it."""
    predicted: float | None = None
    """The score that its author expects, on the task's metric."""


class WorkOrder(Body, frozen=True, tag=True):
    """The strategy asks for the code of a hypothesis."""

    node: NodeId
    operator: Operator
    base: ArtefactHash
    hypothesis: Hypothesis
    problem: str = ""
    """For ``debug``: what went wrong with the base."""


class Patch(Body, frozen=True, tag=True):
    """The coder's answer: a new artefact, or why there is none."""

    node: NodeId
    base: ArtefactHash
    artefact: ArtefactHash | None
    diff: str
    point: Point | None = None
    """The point that the code stands for: the hypothesis's, or what a repair made of it."""
    checked: bool = False
    """Whether the coder ran the code before handing it in."""
    problem: str = ""


class RunRequest(Body, frozen=True, tag=True):
    """The strategy asks for evidence about an artefact."""

    node: NodeId
    artefact: ArtefactHash
    rival: "Evidence | None" = None
    """What it has to be told apart from: the incumbent's evidence so far."""
    evaluations_at_most: int = 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Feedback scores of one artefact so far."""

    node: NodeId
    artefact: ArtefactHash
    values: tuple[float, ...]
    """One feedback score per evaluation, in the order they were taken."""
    mean: float
    standard_error: float
    """Of the mean; from the scorer's declared error and the spread of the values, whichever is larger."""


class RunResult(Body, frozen=True, tag=True):
    """The experimenter's answer: all evidence on the artefact, or how it failed."""

    node: NodeId
    evidence: Evidence | None
    evaluations: int
    """Evaluations spent on this request."""
    failure: str = ""


class ReviewRequest(Body, frozen=True, tag=True):
    """The strategy asks whether a result deserves to replace the incumbent."""

    node: NodeId
    hypothesis: Hypothesis
    patch: Patch
    result: RunResult
    incumbent: Evidence | None
    evaluations_left: int


class Objection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reason against a result."""

    kind: ObjectionKind
    text: str


class Review(Body, frozen=True, tag=True):
    """The reviewer's verdict. ``revise`` asks for more evidence before deciding."""

    node: NodeId
    verdict: Verdict
    objections: tuple[Objection, ...] = ()
    confidence: float = 1.0
    """As the reviewer states it, 0 to 1; not calibrated."""
    prediction: Literal["confirmed", "refuted", "open"] = "open"


class Selection(Body, frozen=True, tag=True):
    """The strategy's choice of the artefact that stands, with the rule and who else was considered."""

    node: NodeId
    artefact: ArtefactHash
    rule: str
    candidates: tuple[NodeId, ...]
    final: bool = False
    """Whether this is what the team hands in."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of the nodes that a motion is about."""

    node: NodeId
    hypothesis: Hypothesis | None = None
    evidence: Evidence | None = None


class Motion(Body, frozen=True, tag=True):
    """The strategy puts a choice between nodes to a function: first for arguments, then for a vote."""

    node: NodeId
    """The first of the candidates."""
    question: Literal["run", "accept"]
    """Which idea is tried next; or whether the first candidate takes the place of the last one, which stands."""
    stage: Literal["argue", "vote"]
    candidates: tuple[Candidate, ...]
    incumbent: Evidence | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one function says of one candidate."""

    node: NodeId
    gain: float
    """By how much it is expected to be better than what stands, on the task's metric, turned so that more is better."""
    text: str


class Argument(Body, frozen=True, tag=True):
    """A function's answer to a motion: a claim for each candidate that it has something to say of."""

    node: NodeId
    question: Literal["run", "accept"]
    function: Queue
    claims: tuple[Claim, ...]


class Vote(Body, frozen=True, tag=True):
    """A function's vote on a motion."""

    node: NodeId
    function: Queue
    choice: NodeId | None
    """The candidate it is for; None: it abstains."""
    gain: float = 0.0
    """What it expects of its choice after it has heard the others."""


class BidRequest(Body, frozen=True, tag=True):
    """The strategy asks a function what it would do next, and what that would be worth."""

    node: NodeId
    """The number that the node will have."""
    evaluations_left: int


class Bid(Body, frozen=True, tag=True):
    """A function's offer for the next node."""

    node: NodeId
    function: Queue
    operator: Operator | None
    """None: it has nothing to offer."""
    parents: tuple[NodeId, ...] = ()
    value: float = 0.0
    """Expected gain over what stands, on the task's metric, turned so that more is better."""
    why: str = ""


class Question(Body, frozen=True, tag=True):
    """One member asks another in words."""

    text: str


class Answer(Body, frozen=True, tag=True):
    """The answer to a question, in words."""

    text: str


class Note(Body, frozen=True, tag=True):
    """Something that a member wants its team to remember."""

    text: str


class Dropped(Body, frozen=True, tag=True):
    """The runtime tells a sender that its message was not delivered."""

    seq: int
    reason: str


class Expired(Body, frozen=True, tag=True):
    """The runtime tells a sender that nobody answered in time."""

    seq: int
    deadline_seconds: float


class Failed(Body, frozen=True, tag=True):
    """The runtime tells that a member failed, and what was done about it."""

    member: MemberId
    reason: str
    action: Literal["fail", "restart", "continue"]


AnyBody: TypeAlias = (
    Brief
    | IdeaRequest
    | Hypothesis
    | WorkOrder
    | Patch
    | RunRequest
    | RunResult
    | ReviewRequest
    | Review
    | Selection
    | Motion
    | Argument
    | Vote
    | BidRequest
    | Bid
    | Question
    | Answer
    | Note
    | Dropped
    | Expired
    | Failed
)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message as it was published. The episode it belongs to is in the journal's head."""

    seq: int
    """Place in the episode's total order of messages, from 1."""
    sender: MemberId
    body: AnyBody
    to: MemberId | Queue | None = None
    topic: Topic | None = None
    cause: int = 0
    """``seq`` of the message that this one answers; 0 for none."""
    deadline_seconds: float | None = None
    """How long the sender waits for an answer."""
