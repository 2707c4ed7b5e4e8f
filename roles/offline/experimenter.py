"""Replicates a run until it is told apart from its rival, or the request's evaluations are spent."""

import msgspec

from engine.errors import BudgetExceeded, EngineDefect
from engine.member import EffectFailed, Member
from engine.messages import (
    EXPERIMENT,
    RESULTS,
    AnyBody,
    ArtefactHash,
    Envelope,
    Evidence,
    RunRequest,
    RunResult,
    Topic,
)
from engine.task import Score
from roles.evidence import lead, pool
from roles.offline.notebook import Notebook

WORSE = -0.7
"""A candidate so many standard errors below its rival is given up: most candidates are worse, and runs are dear."""
TRUSTED_RUNS = 2
"""Runs before anything is called better: the spread of one run is unknown, and scorers may understate their noise."""
BETTER = 2.0
"""A candidate so many standard errors above its rival needs no further run."""
FINDING = "the judge found"
"""How a failure text begins that reports a crossed boundary beside a score."""


class Experimenter:
    """Buys as many evaluations as a question needs.

    A sequential test of candidate against rival with two bounds (after Wald 1945), unequal because errors cost
    unequally: a good candidate given up too soon can come back, a bad one kept alive takes the budget.
    """

    queue = EXPERIMENT
    topics: tuple[Topic, ...] = (RESULTS,)

    def __init__(self, member: Member, *, once: bool = False) -> None:
        self._member, self._once = member, once
        self._book = Notebook()

    def observe(self, body: AnyBody) -> None:
        """Take note of what other experimenters found, so that runs of one artefact add up."""
        self._book.hear(body)

    async def answer(self, request: Envelope) -> AnyBody:
        """All evidence about an artefact, with new runs in it."""
        asked = request.body
        if not isinstance(asked, RunRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {EXPERIMENT}")
        evidence = self._book.of_artefact(asked.artefact)
        values = list(evidence.values) if evidence is not None else []
        at_most = min(1, asked.evaluations_at_most) if self._once else asked.evaluations_at_most
        spent, failure = 0, ""
        while spent < at_most:
            score, problem = await evaluated(self._member, asked.artefact)
            failure = failure or problem
            if score is None:
                break
            spent += 1
            if score.value is None:
                evidence = None  # what crashes now and then is not to be handed in
                break
            values.append(score.value)
            evidence = pool(values, declared=score.standard_error, node=asked.node, artefact=asked.artefact)
            if self._is_settled(asked, evidence):
                break
        if evidence is not None:
            evidence = msgspec.structs.replace(evidence, node=asked.node)
        result = RunResult(node=asked.node, evidence=evidence, evaluations=spent, failure=failure)
        self._book.hear(result)
        return result

    def _is_settled(self, asked: RunRequest, evidence: Evidence) -> bool:
        if asked.rival is None or asked.rival.artefact == asked.artefact:
            return False
        gap, error = lead(evidence, asked.rival, self._member.task.card.direction)
        if error <= 0.0:
            return True
        is_better = gap / error > BETTER and len(evidence.values) >= TRUSTED_RUNS
        return is_better or gap / error < WORSE


async def evaluated(member: Member, artefact: ArtefactHash) -> tuple[Score | None, str]:
    """A feedback score, and what is wrong with it in a sentence; no score where the budget had none left."""
    try:
        score = await member.evaluate(artefact)
    except BudgetExceeded as error:
        return None, str(error)
    except EffectFailed as error:
        score = Score(value=None, failure=f"{error.kind}: {error}")
    if score.value is None:
        return score, score.failure or "the artefact earned no score"
    crossed = [finding for finding in score.findings if not finding.advisory]
    return score, f"{FINDING} {crossed[0].kind}: {crossed[0].detail}"[:500] if crossed else ""
