"""Writes the code of a hypothesis from the task's parameterised edits, runs its self-check, and mends what it can."""

import difflib
from collections.abc import Mapping

from engine.effects import CommandOutcome
from engine.errors import BadSpecification, BudgetExceeded, EngineDefect
from engine.member import EffectFailed, Member
from engine.messages import CODE, AnyBody, ArtefactHash, Envelope, Patch, Point, Topic, WorkOrder
from roles.offline.hypothesizer import space_of

REPAIRS = 3
"""Smallest changes tried on one order before it is handed back."""
CHECK_SECONDS = 20.0
DIFF_CHARACTERS = 20_000


class Coder:
    """Hands in code that passed the task's own check, or says what was wrong with it.

    Debugging is the smallest change: the point's repair for what its check (or the judge) said.
    """

    queue = CODE
    topics: tuple[Topic, ...] = ()

    def __init__(self, member: Member) -> None:
        self._member = member
        self._space = space_of(member)

    def observe(self, body: AnyBody) -> None:
        """Nothing: everything it needs is in its orders."""

    async def answer(self, request: Envelope) -> AnyBody:
        """A patch for a work order."""
        order = request.body
        if not isinstance(order, WorkOrder):
            raise EngineDefect(f"a {type(order).__name__} came to the queue {CODE}")
        return await self.write(order)

    async def write(self, order: WorkOrder) -> Patch:
        """A checked patch, or one that says why there is no artefact."""
        point = given_point(self._member, order)
        if point is None:
            return Patch(node=order.node, base=order.base, artefact=order.base, diff="")
        problem = order.problem
        if order.operator == "debug":
            point = self._repaired(point, problem) or point
        for attempt in range(REPAIRS + 1):
            artefact, problem = write(self._member, point)
            if artefact is not None:
                problem = await self.check(artefact)
                if not problem:
                    return patch_for(self._member, order, artefact, point, checked=True)
            mended = self._repaired(point, problem) if attempt < REPAIRS else None
            if mended is None:
                break
            self._member.decide(
                "repair", str(mended), rule="the smallest change that may cure what the check said"
            )
            point = mended
        return Patch(
            node=order.node,
            base=order.base,
            artefact=None,
            diff="",
            point=point,
            checked=True,
            problem=problem,
        )

    async def check(self, artefact: ArtefactHash) -> str:
        """What the task's check says is wrong with an artefact; empty when it keeps the rules or cannot be run."""
        try:
            outcome = await self._member.run(
                self._member.task.check, artefact=artefact, wall_seconds=CHECK_SECONDS
            )
        except (BudgetExceeded, EffectFailed) as error:
            self._member.decide("check", "skipped", rule=str(error))
            return ""
        return said(outcome)

    def _repaired(self, point: Point, problem: str) -> Point | None:
        moves = self._member.task.moves
        mended = None if moves is None else moves.repair(dict(point), problem)
        if mended is None or self._space is None:
            return None
        settled, _ = self._space.settle(mended)
        return None if settled == point else settled


def said(outcome: CommandOutcome) -> str:
    """What is wrong according to a check's run; empty when nothing is."""
    if outcome.exit_code == 0:
        return ""
    lines = (outcome.stdout.strip() or outcome.stderr.strip()).splitlines()
    ended = f"stopped by the {outcome.limit} limit" if outcome.limit else f"exit status {outcome.exit_code}"
    return (lines[-1] if lines else ended)[:500]


def given_point(member: Member, order: WorkOrder) -> Point | None:
    """The point that an order stands for, brought into the space; None where the task declares no moves."""
    space = space_of(member)
    if space is None:
        return None
    point, changes = space.settle(order.hypothesis.point or {})
    if changes:
        member.decide("point", str(point), rule=f"nearest point of the space: {'; '.join(changes)}"[:500])
    return point


def write(member: Member, point: Point) -> tuple[ArtefactHash | None, str]:
    """The artefact of a point, or why there is none."""
    moves = member.task.moves
    if moves is None:
        return None, "the task declares no moves"
    try:
        files = {**member.task.starter, **moves.write(point)}
    except BadSpecification as error:
        return None, str(error)
    return member.store.put(files), ""


def patch_for(
    member: Member, order: WorkOrder, artefact: ArtefactHash, point: Point | None, *, checked: bool
) -> Patch:
    """A patch with its unified diff against the order's base."""
    before = member.store.get(order.base)
    after = member.store.get(artefact)
    return Patch(
        node=order.node,
        base=order.base,
        artefact=artefact,
        diff=unified(before, after),
        point=point,
        checked=checked,
    )


def unified(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """The unified diff of two artefacts, bounded; files that are not text are only named."""
    parts: list[str] = []
    for path in sorted({*before, *after}):
        old, new = before.get(path, b""), after.get(path, b"")
        if old == new:
            continue
        try:
            lines = difflib.unified_diff(
                old.decode().splitlines(keepends=True),
                new.decode().splitlines(keepends=True),
                f"a/{path}" if path in before else "/dev/null",
                f"b/{path}" if path in after else "/dev/null",
            )
            parts += [
                line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
            ]
        except UnicodeDecodeError:
            parts.append(f"Binary files a/{path} and b/{path} differ\n")
    diff = "".join(parts)
    return diff if len(diff) <= DIFF_CHARACTERS else diff[:DIFF_CHARACTERS] + "\n… (cut)\n"
