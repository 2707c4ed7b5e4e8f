"""A coder driven by a model: it writes files, tries them in the sandbox, and finishes."""

import msgspec

from engine.errors import BudgetExceeded, EngineDefect
from engine.member import EffectFailed, Member
from engine.messages import CODE, AnyBody, ArtefactHash, Envelope, Patch, Topic, WorkOrder
from roles.model.folder import Folder
from roles.model.kit import kit
from roles.model.talk import Reaction, Talk, Use, shorten
from roles.offline.coder import CHECK_SECONDS, patch_for, said

TURNS = 32
CHECKS = 3
"""Finishes that the task's check may turn down on one order."""


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """Say that the work is done."""

    summary: str = ""


class ModelCoder:
    """Lets its model turn words (and a point, where there is one) into code that the task's check accepts.

    Without a finished artefact it falls back on what was written, if that passes the check; else on a patch that
    says what went wrong.
    """

    queue = CODE
    topics: tuple[Topic, ...] = ()

    def __init__(self, member: Member, talk: Talk) -> None:
        self._member, self._talk = member, talk

    def observe(self, body: AnyBody) -> None:
        """Nothing: everything it needs is in its orders."""

    async def answer(self, request: Envelope) -> AnyBody:
        """A patch for a work order."""
        order = request.body
        if not isinstance(order, WorkOrder):
            raise EngineDefect(f"a {type(order).__name__} came to the queue {CODE}")
        folder = Folder(self._member, self._member.store.get(order.base))
        accepted: list[ArtefactHash] = []
        turned_down: list[str] = []

        async def finish(_: Finish) -> Reaction:
            artefact = folder.artefact
            problem = await self.check(artefact)
            if not problem:
                accepted.append(artefact)
                return Reaction("Handed in.", is_last=True)
            turned_down.append(problem)
            if len(turned_down) >= CHECKS:
                return Reaction(f"The check says: {problem}. The order goes back.", is_last=True)
            return Reaction(f"The task's check says: {problem}. Mend it and finish again.")

        done = Use("finish", "Hand in the files as they are.", Finish, finish)
        why = await self._talk.work(
            words(order, folder), [*kit(self._talk, "coder", folder), done], turns=TURNS
        )
        if (
            not accepted
            and not turned_down
            and folder.artefact != order.base
            and not await self.check(folder.artefact)
        ):
            self._member.decide(
                "fallback", "coder", rule=f"the files as they were left pass the check, and {why}"[:500]
            )
            accepted.append(folder.artefact)
        if accepted:
            return patch_for(self._member, order, accepted[-1], order.hypothesis.point, checked=True)
        problem = turned_down[-1] if turned_down else f"the coder came to no end: {why}"
        self._member.decide("fallback", "coder", rule=f"no artefact, since {problem}"[:500])
        return Patch(node=order.node, base=order.base, artefact=None, diff="", problem=problem[:500])

    async def check(self, artefact: ArtefactHash) -> str:
        """What the task's check says is wrong; empty when it keeps the rules or cannot be run."""
        try:
            outcome = await self._member.run(
                self._member.task.check, artefact=artefact, wall_seconds=CHECK_SECONDS
            )
        except (BudgetExceeded, EffectFailed) as error:
            self._member.decide("check", "skipped", rule=str(error)[:500])
            return ""
        return said(outcome)


def words(order: WorkOrder, folder: Folder) -> str:
    """A work order in words."""
    idea = order.hypothesis
    parts = [
        f"# Request: code for node {order.node} ({order.operator})",
        f"Hypothesis: {shorten(idea.claim, 2_000)}",
    ]
    if idea.point:
        parts.append(f"Parameters of the idea: {msgspec.json.encode(idea.point).decode()}")
    if order.problem:
        parts.append(f"What went wrong with the base: {shorten(order.problem, 1_000)}")
    parts.append(f"Files of the base:\n\n{folder.shown()}")
    return "\n\n".join(parts)
