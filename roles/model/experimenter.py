"""An experimenter driven by a model: it decides how many runs a question needs; the scores are the judge's."""

from typing import Annotated

import msgspec

from engine.errors import EngineDefect
from engine.member import Member
from engine.messages import EXPERIMENT, RESULTS, AnyBody, Envelope, Evidence, RunRequest, RunResult, Topic
from roles.evidence import pool
from roles.model.folder import Folder
from roles.model.kit import kit
from roles.model.talk import AnyUse, Reaction, Talk, Use
from roles.offline.experimenter import evaluated
from roles.offline.notebook import Notebook

TURNS = 16


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """Run the artefact."""

    times: Annotated[int, msgspec.Meta(ge=1)] = 1


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """Say that enough is known."""

    comment: str = ""


class ModelExperimenter:
    """Buys the runs that its model asks for, within the request; falls back on a single run."""

    queue = EXPERIMENT
    topics: tuple[Topic, ...] = (RESULTS,)

    def __init__(self, member: Member, talk: Talk) -> None:
        self._member, self._talk = member, talk
        self._book = Notebook()

    def observe(self, body: AnyBody) -> None:
        """Take note of what other experimenters found."""
        self._book.hear(body)

    async def answer(self, request: Envelope) -> AnyBody:
        """All evidence about an artefact, with the runs that were asked for."""
        asked = request.body
        if not isinstance(asked, RunRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {EXPERIMENT}")
        bench = _Bench(self._member, asked, self._book.of_artefact(asked.artefact))

        async def evaluate(wanted: Evaluate) -> Reaction:
            await bench.run(wanted.times)
            return Reaction(bench.told(), is_last=bench.is_over)

        async def finish(_: Finish) -> Reaction:
            if not bench.spent:
                return Reaction("Nothing was run yet: call `evaluate` first.", is_wrong=True)
            return Reaction("Noted.", is_last=True)

        folder = Folder(self._member, self._member.store.get(asked.artefact), writable=False)
        uses: list[AnyUse] = [
            *kit(self._talk, "experimenter", folder),
            Use(
                "evaluate",
                "Run the artefact so many times; each run costs one evaluation.",
                Evaluate,
                evaluate,
            ),
            Use("finish", "Say that enough is known.", Finish, finish),
        ]
        why = await self._talk.work(bench.words(), uses, turns=TURNS)
        if not bench.spent and not bench.is_over:
            self._member.decide("fallback", "experimenter", rule=f"one run, since {why}"[:500])
            await bench.run(1)
        result = bench.result()
        self._book.hear(result)
        return result


class _Bench:
    """One request in work: what was spent, and what is known."""

    def __init__(self, member: Member, asked: RunRequest, known: Evidence | None) -> None:
        self._member, self._asked = member, asked
        self._evidence = known
        self._failure = ""
        self.spent = 0
        self.is_over = asked.evaluations_at_most < 1

    async def run(self, times: int) -> None:
        """So many runs, or as many as the request allows."""
        asked = self._asked
        for _ in range(min(times, asked.evaluations_at_most - self.spent)):
            score, problem = await evaluated(self._member, asked.artefact)
            self._failure = self._failure or problem
            if score is None:
                self.is_over = True
                return
            self.spent += 1
            if score.value is None:
                self._evidence, self.is_over = None, True
                return
            values = (*(self._evidence.values if self._evidence else ()), score.value)
            self._evidence = pool(
                values, declared=score.standard_error, node=asked.node, artefact=asked.artefact
            )
        self.is_over = self.spent >= asked.evaluations_at_most

    def result(self) -> RunResult:
        """What is reported."""
        evidence = self._evidence
        if evidence is not None:
            evidence = msgspec.structs.replace(evidence, node=self._asked.node)
        return RunResult(
            node=self._asked.node, evidence=evidence, evaluations=self.spent, failure=self._failure
        )

    def words(self) -> str:
        """The request in words."""
        asked = self._asked
        rival = f"Its rival has {_known(asked.rival)}." if asked.rival is not None else "It has no rival yet."
        return (
            f"# Request: experiment for node {asked.node}\n\nThe candidate has {_known(self._evidence)}. {rival}\n"
            f"You may spend at most {asked.evaluations_at_most} evaluations."
        )

    def told(self) -> str:
        """What the model is told after a run."""
        if self._evidence is None or self._failure:
            return self._failure or "No score."
        left = self._asked.evaluations_at_most - self.spent
        return f"Now {_known(self._evidence)}; {left} evaluations left."


def _known(evidence: Evidence | None) -> str:
    if evidence is None:
        return "no score yet"
    return f"a mean score of {evidence.mean:.5g} ± {evidence.standard_error:.2g} over {len(evidence.values)} runs"
