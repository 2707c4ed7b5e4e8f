"""One member that does everything itself: the control for every team, at the same budget.

A competent generalist and no straw man: it drafts, checks and mends its code, improves the best it has by small steps,
and measures a challenger and the incumbent again before one takes the other's place.
"""

import msgspec
import numpy as np

from engine.episode import BRIEF
from engine.member import Behaviour, Member
from engine.messages import (
    HYPOTHESES,
    PATCHES,
    RESULTS,
    SELECTIONS,
    ArtefactHash,
    Brief,
    Evidence,
    Hypothesis,
    NodeId,
    Operator,
    Patch,
    Point,
    RunResult,
    Selection,
    Topic,
    WorkOrder,
)
from roles.evidence import lead, pool
from roles.offline.coder import Coder
from roles.offline.experimenter import evaluated
from roles.offline.hypothesizer import space_of
from roles.space import Space
from roles.tree import STARTER

DRAFTS = 0.2
"""Share of the budget for independent starts."""
RUNS = 4
"""Most runs that telling a challenger from the incumbent may take."""
BARREN = 30
"""Attempts in a row without an evaluation, after which it stops."""

TOPICS: tuple[Topic, ...] = (BRIEF,)


def solo() -> Behaviour:
    """The behaviour of a solo member by rules; it ends with a final selection."""

    async def behave(member: Member) -> None:
        brief = await wait_for_brief(member)
        space = space_of(member)
        work = _Solo(member, brief)
        if space is not None:
            await work.research(space)
        await work.hand_in()

    return behave


async def wait_for_brief(member: Member) -> Brief:
    """What opens an episode."""
    while True:
        envelope = await member.receive()
        if isinstance(envelope.body, Brief):
            return envelope.body


class _Solo:
    """One episode of a solo member."""

    def __init__(self, member: Member, brief: Brief) -> None:
        self._member, self._brief = member, brief
        self._coder = Coder(member)
        self._left = brief.evaluations
        self._nodes = 0
        self._best = STARTER
        self._evidence: dict[ArtefactHash, Evidence] = {
            brief.starter: Evidence(
                node=STARTER, artefact=brief.starter, values=(), mean=brief.baseline, standard_error=0.0
            )
        }
        self._best_artefact = brief.starter

    async def research(self, space: Space) -> None:
        """Spend the budget: drafts first, then steps from the incumbent."""
        point, tried, barren = space.start, {space.key(space.row(space.start))}, 0
        drafts = max(1, round(DRAFTS * self._left))
        while self._left > 0 and barren < BARREN:
            rng = self._member.rng("solo")
            drafts -= 1
            operator: Operator = "draft" if drafts >= 0 else "improve"
            wish = self._wish(space, point, operator, tried, rng)
            tried.add(space.key(space.row(wish)))
            before = self._left
            stands = await self._attempt(space, operator, wish)
            barren = barren + 1 if self._left == before else 0
            point = stands or point

    async def hand_in(self) -> None:
        """The incumbent is the answer."""
        await self._select("the incumbent after all measurements", final=True)

    def _wish(
        self, space: Space, point: Point, operator: Operator, tried: set[str], rng: np.random.Generator
    ) -> Point:
        """A uniform draw, or a step of one or two axes from the incumbent; new, where a few tries find something new."""
        draws = space.draw(rng, 8)
        if operator == "draft":
            return space.point(draws[0])
        wish = point
        for _ in range(8):
            row = space.row(point)
            for _ in range(1 if rng.random() < 0.6 else 2):
                near = space.around(row, rng)
                row = near[int(rng.integers(len(near)))] if len(near) else row
            wish = space.point(row)
            if space.key(space.row(wish)) not in tried:
                break
        return wish

    async def _attempt(self, space: Space, operator: Operator, wish: Point) -> Point | None:
        """Write, check and measure a point; the point that was built, if it now stands."""
        node = NodeId(self._nodes + 1)
        self._nodes += 1
        idea = Hypothesis(
            node=node,
            operator=operator,
            parents=() if operator == "draft" else (self._best,),
            claim=f"A {operator} worth a look.",
            family=space.family(wish) or operator,
            point=wish,
        )
        await self._member.post(idea, topic=HYPOTHESES)
        order = WorkOrder(node=node, operator=operator, base=self._best_artefact, hypothesis=idea)
        patch = await self._coder.write(order)
        await self._member.post(patch, topic=PATCHES)
        if patch.artefact is None or patch.artefact == self._best_artefact:
            return None
        is_better = await self._measure(node, patch)
        if not is_better:
            return None
        self._best, self._best_artefact = node, patch.artefact
        await self._select("better in repeated runs", final=False)
        return patch.point or wish

    async def _measure(self, node: NodeId, patch: Patch) -> bool:
        """Run a challenger until it is told apart from the incumbent; the incumbent too, while it is less well known."""
        assert patch.artefact is not None  # the caller has one
        spent = 0
        for _ in range(RUNS):
            known = self._evidence.get(patch.artefact)
            rival = self._evidence[self._best_artefact]
            is_rivals_turn = (
                known is not None and bool(rival.values) and rival.standard_error > known.standard_error
            )
            target = self._best_artefact if is_rivals_turn else patch.artefact
            failure = await self._run(node, target)
            spent += not is_rivals_turn
            if failure:
                await self._report(node, patch.artefact, spent, failure)
                return False
            if self._left < 1:
                break
            gap, error = self._gap(patch.artefact)
            if not -1.0 <= gap / max(error, 1e-12) <= 2.0:
                break
        await self._report(node, patch.artefact, spent, "")
        return self._gap(patch.artefact)[0] > 0

    def _gap(self, artefact: ArtefactHash) -> tuple[float, float]:
        known = self._evidence.get(artefact)
        if known is None:
            return float("-inf"), 0.0
        return lead(known, self._evidence[self._best_artefact], self._brief.direction)

    async def _run(self, node: NodeId, artefact: ArtefactHash) -> str:
        """One evaluation; what went wrong, if anything did."""
        score, problem = await evaluated(self._member, artefact)
        if score is None:
            self._left = 0
            return problem
        self._left -= 1
        if score.value is None:
            return problem
        known = self._evidence.get(artefact)
        values = (*(known.values if known is not None else ()), score.value)
        self._evidence[artefact] = pool(values, declared=score.standard_error, node=node, artefact=artefact)
        return ""

    async def _report(self, node: NodeId, artefact: ArtefactHash, spent: int, failure: str) -> None:
        known = None if failure else self._evidence.get(artefact)
        evidence = None if known is None else msgspec.structs.replace(known, node=node)
        result = RunResult(node=node, evidence=evidence, evaluations=spent, failure=failure)
        await self._member.post(result, topic=RESULTS)

    async def _select(self, rule: str, *, final: bool) -> None:
        choice = Selection(
            node=self._best, artefact=self._best_artefact, rule=rule, candidates=(self._best,), final=final
        )
        await self._member.post(choice, topic=SELECTIONS)
