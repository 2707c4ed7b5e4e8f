"""Proposes points of a declared move space: a bandit over families of ideas, a surrogate within them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from engine.errors import EngineDefect
from engine.member import Member
from engine.messages import (
    HYPOTHESES,
    HYPOTHESIZE,
    PATCHES,
    RESULTS,
    REVIEWS,
    SELECTIONS,
    AnyBody,
    Envelope,
    Hypothesis,
    IdeaRequest,
    Patch,
    Point,
    Topic,
    Value,
)
from roles.evidence import signed
from roles.offline.acquisition import Taste
from roles.offline.notebook import Notebook
from roles.offline.surrogate import Array, Surrogate
from roles.space import Rows, Space
from roles.tree import STARTER

DRAWS = 48
"""Uniform draws looked at for a draft; the first of them is what drawing at random would have given."""
TRIES = 2
"""Drafts of each family of ideas before beliefs decide: one says little of what a family holds."""
SHARED = 8
"""First drafts that the families share evenly, where that gives each more than `TRIES`."""
NOVICE = 5
"""Points known up to which drafts are spread out and nothing else."""
CLIMBS = 3
"""Steps of the climb that an improvement may make: axes changed at once."""
MARGIN = 0.1
"""Share of the spread of worths by which a point must promise to be better, at the beginning."""
PROBES = 0.15
"""How often an improvement takes one step to the side that was never taken, whatever the surrogate thinks of it."""
CURIOSITY = 3.0
"""Standard deviations of doubt by which such a step may exceed what is expected of it."""


def space_of(member: Member) -> Space | None:
    """The compiled move space of a member's task, where it declares one."""
    moves = member.task.moves
    return None if moves is None else Space(moves.space, moves.start())


class Hypothesizer:
    """Sees results as they are published, and proposes where the next one should be looked for.

    - *draft*: among uniform draws, a family that was hardly proposed, or else one by Thompson sampling over what each
      has yielded; there the draw that is both promising and far from what was tried.
    - *improve*: from its parent, climbs along one axis after another while the surrogate likes it better, within the
      family: leaving it would mean to fall back on the family that is best so far. Now and then one step along one
      axis instead, which a belief formed elsewhere in the family would never take.
    - *combine*: takes each axis from one of two parents, the mix that the surrogate likes best.
    """

    queue = HYPOTHESIZE
    topics: tuple[Topic, ...] = (HYPOTHESES, PATCHES, RESULTS, REVIEWS, SELECTIONS)

    def __init__(self, member: Member) -> None:
        self._member = member
        self._card = member.task.card
        self._space = space_of(member)
        self._book = Notebook()
        self._surrogate = None if self._space is None else Surrogate(self._space)
        self._most_left = 1
        self._repairs: dict[tuple[str, Value], Value] = {}
        self._seen: set[str] = (
            set() if self._space is None else {self._space.key(self._space.row(self._space.start))}
        )

    def observe(self, body: AnyBody) -> None:
        """Take note of what was tried and what came of it."""
        self._book.hear(body)
        if isinstance(body, Hypothesis | Patch) and body.point is not None and self._space is not None:
            self._seen.add(self._space.key(self._space.row(body.point)))
        if isinstance(body, Patch):
            self._learn_repair(body)

    def _learn_repair(self, patch: Patch) -> None:
        """Remember a value that the coder had to change, so that it is not proposed as if it were something new."""
        idea = self._book.hypotheses.get(patch.node)
        if self._space is None or idea is None or idea.point is None or patch.point is None:
            return
        changed = self._space.changed(idea.point, patch.point)
        if len(changed) == 1 and changed[0] in patch.point and changed[0] in idea.point:
            self._repairs[changed[0], idea.point[changed[0]]] = patch.point[changed[0]]

    def _is_new(self, space: Space, row: Rows) -> bool:
        """Whether neither this point nor what a repair would make of it was tried."""
        point = space.point(row)
        mended = {name: self._repairs.get((name, value), value) for name, value in point.items()}
        return space.key(row) not in self._seen and space.key(space.row(mended)) not in self._seen

    async def answer(self, request: Envelope) -> AnyBody:
        """A hypothesis for a node."""
        asked = request.body
        if not isinstance(asked, IdeaRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {HYPOTHESIZE}")
        rng = self._member.rng(HYPOTHESIZE)
        space, surrogate = self._space, self._surrogate
        if space is None or surrogate is None:
            return unchanged(asked)
        self._most_left = max(self._most_left, asked.evaluations_left)
        rows = self._learn(space, surrogate)
        base = self._base(space, asked)
        chosen = self._choose(space, surrogate, asked, rows, base, rng)
        point = space.point(chosen)
        hypothesis = self._state(space, surrogate, asked, base, point)
        self.observe(hypothesis)
        return hypothesis

    # -- what is known --------------------------------------------------------------------------------------------

    def _learn(self, space: Space, surrogate: Surrogate) -> Rows:
        """Fit the surrogate to everything heard; the rows of all points tried or under way come back."""
        points: list[Point] = [space.start]
        worths = [signed(self._card.baseline, self._card.direction)]
        errors = [self._card.feedback_standard_error]
        for point, evidence in self._book.scored():
            points.append(point)
            worths.append(signed(evidence.mean, self._card.direction))
            errors.append(evidence.standard_error)
        worst, doubt = min(worths), max(float(np.std(worths)), *errors, 1e-6)
        for point in self._book.failed():
            points.append(point)
            worths.append(worst)
            errors.append(doubt)
        rows = np.array([space.row(point) for point in points])
        surrogate.fit(rows, worths, errors)
        pending = self._book.pending()
        if pending:
            # What is under way counts as if it came out as expected, so that the next proposal looks elsewhere.
            waiting = np.array([space.row(point) for point in pending])
            expected, _ = surrogate.predict(waiting)
            rows = np.vstack([rows, waiting])
            surrogate.fit(rows, [*worths, *expected.tolist()], [*errors, *([0.5 * doubt] * len(pending))])
        return rows

    def _base(self, space: Space, asked: IdeaRequest) -> Point:
        """The point that a proposal starts from: its first parent's, else the incumbent's, else the start."""
        candidates = (*asked.parents, *([] if self._book.selected is None else [self._book.selected]))
        for node in candidates:
            point = space.start if node == STARTER else self._book.point(node)
            if point is not None:
                return point
        return space.start

    # -- what to try ----------------------------------------------------------------------------------------------

    def _choose(
        self,
        space: Space,
        surrogate: Surrogate,
        asked: IdeaRequest,
        tried: Rows,
        base: Point,
        rng: np.random.Generator,
    ) -> Rows:
        draws = space.draw(rng, DRAWS)
        known, _ = surrogate.predict(tried)
        time_left = asked.evaluations_left / self._most_left
        # Early on a point must promise more than a hair's breadth to be worth a run.
        taste = Taste(target=float(known.max() + MARGIN * time_left * known.std()))
        match asked.operator:
            case "draft":
                return self._draft(space, surrogate, draws, tried, taste, rng)
            case "combine" if len(asked.parents) > 1:
                others = [self._book.point(node) for node in asked.parents[1:]]
                pool = self._mixes(space, base, [other for other in others if other is not None], rng)
                return self._best_new(space, surrogate, pool, taste, draws[0])
            case _:
                if (
                    rng.random() < PROBES
                    and (probe := self._probe(space, surrogate, space.row(base))) is not None
                ):
                    return probe
                pool = self._climb(space, surrogate, space.row(base), taste, rng)
                return self._best_new(space, surrogate, pool, taste, draws[0])

    def _draft(
        self,
        space: Space,
        surrogate: Surrogate,
        draws: Rows,
        tried: Rows,
        taste: Taste,
        rng: np.random.Generator,
    ) -> Rows:
        families = [space.family(space.point(row)) for row in draws]
        proposed = Counter(idea.family for idea in self._book.hypotheses.values())
        tries = max(TRIES, SHARED // len(set(families)))
        untried = [name for name in families if name and proposed[name] < tries]
        family = (
            min(untried, key=lambda name: proposed[name])
            if untried
            else self._family(surrogate, draws, families, rng)
        )
        among: Rows = draws[[index for index, name in enumerate(families) if name == family]]
        if len(tried) <= 1:
            return np.array(among[0])
        worth, doubt = surrogate.predict(among)
        if len(tried) <= NOVICE:
            return np.array(among[int(np.argmax(_ranks(worth) + 2.0 * _ranks(doubt)))])
        # As it was drawn: a draft that climbed to what the surrogate likes would be an improvement by another name.
        return self._best_new(space, surrogate, among, taste, draws[0])

    def _family(
        self, surrogate: Surrogate, draws: Rows, families: Sequence[str], rng: np.random.Generator
    ) -> str:
        """Thompson sampling over families: a draw from the belief about the best draw that each may hold.

        What counts is what a family may hold, not the best that it has yielded: one bad draw says little of the rest.
        """
        worth, doubt = surrogate.predict(draws)
        beliefs: dict[str, float] = {}
        for name in sorted(set(families)):
            of_family = [index for index, other in enumerate(families) if other == name]
            boldness = 1.0 + 0.5 * float(rng.normal())
            beliefs[name] = float(np.max(worth[of_family] + boldness * doubt[of_family]))
        chosen = max(beliefs, key=lambda name: beliefs[name])
        self._member.decide(
            "family", chosen or "(one)", rule="Thompson sampling over families", candidates=beliefs
        )
        return chosen

    def _climb(
        self, space: Space, surrogate: Surrogate, row: Rows, taste: Taste, rng: np.random.Generator
    ) -> Rows:
        """Rows met while climbing from this one, axis by axis."""
        met: list[Rows] = []
        for _ in range(CLIMBS):
            near = space.around(row, rng, within_family=True)
            if not len(near):
                break
            gain = taste.of(surrogate, near)
            met.append(near)
            best = near[int(np.argmax(gain))]
            if float(gain.max()) <= float(taste.of(surrogate, row[None, :])[0]):
                break
            row = best
        return np.vstack(met) if met else row[None, :]

    def _probe(self, space: Space, surrogate: Surrogate, row: Rows) -> Rows | None:
        """A step to the side that was never taken, the least known and most promising; None where all were."""
        fresh = [each for each in space.beside(row) if self._is_new(space, each)]
        if not fresh:
            return None
        worth, doubt = surrogate.predict(np.array(fresh))
        return np.array(fresh[int(np.argmax(worth + CURIOSITY * doubt))])

    def _mixes(self, space: Space, base: Point, others: Sequence[Point], rng: np.random.Generator) -> Rows:
        parents = np.array([space.row(point) for point in (base, *others)])
        picks = rng.integers(len(parents), size=(4 * DRAWS, len(space)))
        return parents[picks, np.arange(len(space))]

    def _best_new(self, space: Space, surrogate: Surrogate, pool: Rows, taste: Taste, fallback: Rows) -> Rows:
        order = np.argsort(-taste.of(surrogate, pool), kind="stable")
        fresh = (pool[index] for index in order if self._is_new(space, pool[index]))
        return next(fresh, fallback)

    # -- how to say it --------------------------------------------------------------------------------------------

    def _state(
        self, space: Space, surrogate: Surrogate, asked: IdeaRequest, base: Point, point: Point
    ) -> Hypothesis:
        worth, doubt = surrogate.predict(np.array([space.row(point), space.row(base)]))
        expected = signed(float(worth[0]), self._card.direction)
        now = signed(float(worth[1]), self._card.direction)
        changed = space.changed(base, point)
        what = ", ".join(f"{name}={point[name]}" for name in changed if name in point) or "the same again"
        start = (
            "A new start"
            if asked.operator == "draft"
            else f"Changing node {asked.parents[0] if asked.parents else 0}"
        )
        return Hypothesis(
            node=asked.node,
            operator=asked.operator,
            parents=asked.parents,
            claim=(
                f"{start} to {what} brings {self._card.metric} to about {expected:.4g} ± {float(doubt[0]):.2g}"
                f" (from {now:.4g})."
            ),
            family=space.family(point) or "+".join(changed[:3]) or "same",
            point=point,
            predicted=round(expected, 6),
        )


def unchanged(asked: IdeaRequest) -> Hypothesis:
    """What is proposed where a task declares no moves and no model has ideas: nothing."""
    return Hypothesis(
        node=asked.node,
        operator=asked.operator,
        parents=asked.parents,
        claim="The task declares no moves, so the starter stands as it is.",
        family="none",
        point=None,
    )


def _ranks(values: Array) -> Array:
    """Ranks from 0 (least) to 1."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(1, len(values) - 1)
