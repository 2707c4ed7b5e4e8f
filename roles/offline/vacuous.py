"""What is left of a function when it is taken away: the emptiest answer that still lets a team run."""

from engine.errors import EngineDefect
from engine.member import Member
from engine.messages import (
    CODE,
    EXPERIMENT,
    HYPOTHESIZE,
    REVIEW,
    AnyBody,
    Envelope,
    Hypothesis,
    IdeaRequest,
    Patch,
    Queue,
    Review,
    ReviewRequest,
    Topic,
    WorkOrder,
)
from engine.task import Direction
from roles.evidence import lead
from roles.offline.coder import given_point, patch_for, write
from roles.offline.experimenter import Experimenter
from roles.offline.hypothesizer import DRAWS, space_of, unchanged

VACUOUS: dict[Queue, str] = {
    HYPOTHESIZE: "draws uniformly at random from the move space",
    CODE: "applies the parameters as given, without check or repair",
    EXPERIMENT: "runs once",
    REVIEW: "accepts what looks better",
}
"""Each function's vacuous form, in words."""


class RandomIdeas:
    """Draws uniformly from the move space; its first draw is the one that a hypothesizer's draft starts from."""

    queue = HYPOTHESIZE
    topics: tuple[Topic, ...] = ()

    def __init__(self, member: Member) -> None:
        self._member = member
        self._space = space_of(member)

    def observe(self, body: AnyBody) -> None:
        """Nothing."""

    async def answer(self, request: Envelope) -> AnyBody:
        """A uniform draw, whatever was asked for."""
        asked = request.body
        if not isinstance(asked, IdeaRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {HYPOTHESIZE}")
        if self._space is None:
            return unchanged(asked)
        point = self._space.point(self._space.draw(self._member.rng(HYPOTHESIZE), DRAWS)[0])
        return Hypothesis(
            node=asked.node,
            operator=asked.operator,
            parents=asked.parents,
            claim="A uniform draw from the move space.",
            family=self._space.family(point) or "draw",
            point=point,
        )


class Typist:
    """Writes the code of a point as it is given; whether it runs, others will see."""

    queue = CODE
    topics: tuple[Topic, ...] = ()

    def __init__(self, member: Member) -> None:
        self._member = member

    def observe(self, body: AnyBody) -> None:
        """Nothing."""

    async def answer(self, request: Envelope) -> AnyBody:
        """A patch that nobody has tried."""
        order = request.body
        if not isinstance(order, WorkOrder):
            raise EngineDefect(f"a {type(order).__name__} came to the queue {CODE}")
        point = given_point(self._member, order)
        if point is None:
            return Patch(node=order.node, base=order.base, artefact=order.base, diff="")
        artefact, problem = write(self._member, point)
        if artefact is None:
            return Patch(
                node=order.node, base=order.base, artefact=None, diff="", point=point, problem=problem
            )
        return patch_for(self._member, order, artefact, point, checked=False)


class OneRun(Experimenter):
    """Runs once, whatever the question needs."""

    def __init__(self, member: Member) -> None:
        super().__init__(member, once=True)


class Nod:
    """Accepts whatever has the better mean."""

    queue = REVIEW
    topics: tuple[Topic, ...] = ()

    def __init__(self, member: Member) -> None:
        self._direction: Direction = member.task.card.direction

    def observe(self, body: AnyBody) -> None:
        """Nothing."""

    async def answer(self, request: Envelope) -> AnyBody:
        """Accept or reject by the means alone."""
        asked = request.body
        if not isinstance(asked, ReviewRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {REVIEW}")
        evidence = asked.result.evidence
        looks_better = evidence is not None and (
            asked.incumbent is None or lead(evidence, asked.incumbent, self._direction)[0] > 0
        )
        return Review(node=asked.node, verdict="accept" if looks_better else "reject")
