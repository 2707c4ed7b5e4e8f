"""What each rule-driven function does with one request, without a team around it."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from laboratory import HILLS, HillMoves, HillTask

from engine.messages import (
    ArtefactHash,
    Envelope,
    Evidence,
    Hypothesis,
    IdeaRequest,
    MemberId,
    NodeId,
    Patch,
    ReviewRequest,
    RunRequest,
    RunResult,
    Selection,
)
from engine.task import Score
from roles.evidence import pool
from roles.offline.experimenter import Experimenter
from roles.offline.hypothesizer import Hypothesizer
from roles.offline.reviewer import Reviewer
from roles.offline.surrogate import Surrogate
from roles.offline.vacuous import Nod, OneRun, RandomIdeas
from roles.space import Space

ERROR = 0.02
A, B, S = ArtefactHash("a" * 64), ArtefactHash("b" * 64), ArtefactHash("0" * 64)


def member(scores: Sequence[float | None] = (), *, direction: str = "max") -> Any:
    """As much of a member as a function uses: scores come from a list."""
    waiting = list(scores)
    draws = iter(range(1, 1000))

    async def evaluate(_: ArtefactHash) -> Score:
        return Score(value=waiting.pop(0), standard_error=ERROR, failure="crashed")

    return SimpleNamespace(
        task=HillTask(direction=direction, error=ERROR),
        evaluate=evaluate,
        rng=lambda _: np.random.default_rng(next(draws)),
        decide=lambda *_, **__: None,
    )


def envelope(body: Any) -> Envelope:
    return Envelope(seq=1, sender=MemberId("strategy"), body=body)


def known(artefact: ArtefactHash, *values: float, node: int = 1) -> Evidence:
    return pool(values, declared=ERROR, node=NodeId(node), artefact=artefact)


async def run(function: Any, at_most: int, rival: Evidence | None, artefact: ArtefactHash = A) -> RunResult:
    request = RunRequest(node=NodeId(2), artefact=artefact, rival=rival, evaluations_at_most=at_most)
    return await function.answer(envelope(request))


@pytest.mark.parametrize(
    ("scores", "runs"),
    [((0.40,), 1), ((0.60, 0.60), 2), ((0.50, 0.51, 0.50, 0.51), 4)],
    ids=["worse", "better", "close"],
)
async def test_an_experimenter_replicates_only_what_is_close(scores: tuple[float, ...], runs: int) -> None:
    result = await run(Experimenter(member(scores)), 4, known(B, 0.5, 0.5, 0.5, 0.5))

    assert result.evaluations == runs
    assert result.evidence is not None
    assert result.evidence.values == scores


async def test_less_is_better_where_the_task_says_so() -> None:
    lower = await run(Experimenter(member((0.4, 0.4), direction="min")), 4, known(B, 0.5, 0.5))
    higher = await run(Experimenter(member((0.6,), direction="min")), 4, known(B, 0.5, 0.5))

    assert (lower.evaluations, higher.evaluations) == (2, 1)


async def test_an_experimenter_adds_new_runs_to_what_is_known_of_an_artefact() -> None:
    experimenter = Experimenter(member((0.3,)))
    experimenter.observe(RunResult(node=NodeId(1), evidence=known(A, 0.1, 0.2), evaluations=2))

    result = await run(experimenter, 1, None)

    assert result.evidence is not None
    assert result.evidence.values == (0.1, 0.2, 0.3)
    assert result.evaluations == 1


async def test_one_crash_among_runs_is_a_failure_and_is_charged() -> None:
    result = await run(Experimenter(member((0.5, None))), 4, known(B, 0.5))

    assert (result.evidence, result.evaluations, result.failure) == (None, 2, "crashed")


async def test_a_vacuous_experimenter_runs_once() -> None:
    assert (await run(OneRun(member((0.5, 0.5))), 4, known(B, 0.5))).evaluations == 1


def review_of(
    candidate: Evidence | None,
    incumbent: Evidence | None,
    *,
    left: int = 10,
    failure: str = "",
    predicted: float = 0.5,
) -> Envelope:
    hypothesis = Hypothesis(
        node=NodeId(2), operator="improve", parents=(), claim="", family="f", predicted=predicted
    )
    return envelope(
        ReviewRequest(
            node=NodeId(2),
            hypothesis=hypothesis,
            patch=Patch(node=NodeId(2), base=S, artefact=A, diff=""),
            result=RunResult(node=NodeId(2), evidence=candidate, evaluations=1, failure=failure),
            incumbent=incumbent,
            evaluations_left=left,
        )
    )


@pytest.mark.parametrize(
    ("candidate", "incumbent", "verdict", "objection"),
    [
        (known(A, 0.9), known(B, 0.5), "accept", None),
        (known(A, 0.3), known(B, 0.5), "reject", None),
        (known(A, 0.51), known(B, 0.5), "revise", "no-evidence"),
        (known(A, 0.49), known(B, 0.5), "reject", "no-evidence"),
        (known(A, 0.9), known(A, 0.5), "reject", "duplicate"),
        (None, known(B, 0.5), "reject", "bug"),
        (known(A, 0.1), None, "accept", None),
    ],
)
async def test_a_reviewer_says_what_the_evidence_carries(
    candidate: Evidence | None, incumbent: Evidence | None, verdict: str, objection: str | None
) -> None:
    review: Any = await Reviewer(member()).answer(review_of(candidate, incumbent))

    assert review.verdict == verdict
    assert [each.kind for each in review.objections] == ([objection] if objection else [])


async def test_a_reviewer_asks_for_more_evidence_only_so_often_and_while_there_is_a_budget() -> None:
    reviewer = Reviewer(member())
    close = review_of(known(A, 0.51), known(B, 0.5))
    verdicts = [(await reviewer.answer(close)).verdict for _ in range(2)]  # type: ignore[union-attr]  # a review

    assert verdicts == ["revise", "accept"]
    poor: Any = await Reviewer(member()).answer(review_of(known(A, 0.51), known(B, 0.5), left=0))
    assert poor.verdict == "accept"


async def test_a_reviewer_takes_the_winners_curse_off_a_lucky_score() -> None:
    """Predictions have been right so far, so a score far above its prediction is believed to be luck."""
    reviewer = Reviewer(member())
    for number in range(10, 22):
        idea = Hypothesis(
            node=NodeId(number),
            operator="improve",
            parents=(),
            claim="",
            family="f",
            predicted=0.4 + number / 100,
        )
        reviewer.observe(idea)
        told = known(ArtefactHash(f"{number:064d}"), 0.4 + number / 100, node=number)
        reviewer.observe(RunResult(node=NodeId(number), evidence=told, evaluations=1))
    lucky = review_of(known(A, 0.56), known(B, *[0.53] * 9), left=0)

    cautious: Any = await reviewer.answer(lucky)
    credulous: Any = await Nod(member()).answer(lucky)

    assert (cautious.verdict, credulous.verdict) == ("reject", "accept")
    assert cautious.prediction == "refuted"


async def test_how_later_proposals_fared_says_nothing_of_the_incumbent() -> None:
    """Proposals that promise much and hold nothing must not drag down what stands by its own evidence."""
    reviewer = Reviewer(member())
    accepted: Any = await reviewer.answer(review_of(known(A, 0.53), known(B, 0.1), predicted=0.1))
    for number in range(10, 22):
        idea = Hypothesis(
            node=NodeId(number), operator="improve", parents=(), claim="", family="f", predicted=0.5
        )
        reviewer.observe(idea)
        told = known(ArtefactHash(f"{number:064d}"), -0.03, node=number)
        reviewer.observe(RunResult(node=NodeId(number), evidence=told, evaluations=1))

    worse: Any = await reviewer.answer(review_of(known(B, -0.03), known(A, 0.53)))

    assert (accepted.verdict, worse.verdict) == ("accept", "reject")


@pytest.mark.parametrize(("value", "fate"), [(0.51, "confirmed"), (0.55, "open"), (0.8, "refuted")])
async def test_a_review_says_what_became_of_the_prediction(value: float, fate: str) -> None:
    review: Any = await Reviewer(member()).answer(review_of(known(A, value), known(B, 0.1)))

    assert review.prediction == fate


def idea(function: Any, number: int, operator: str = "draft", parents: tuple[NodeId, ...] = ()) -> Any:
    request = IdeaRequest(node=NodeId(number), operator=operator, parents=parents, evaluations_left=20)  # type: ignore[arg-type]  # one of them
    return function.answer(envelope(request))


async def test_a_hypothesizer_learns_from_results_and_predicts_them() -> None:
    hypothesizer = Hypothesizer(member())
    space = Space(HILLS, HillMoves().start())
    for number, row in enumerate(space.draw(np.random.default_rng(5), 40), start=1):
        point = space.point(row)
        worth = float(point.get("x", 0.0)) - float(point.get("y", 0.0))
        artefact = ArtefactHash(f"{number:064d}")
        hypothesizer.observe(Patch(node=NodeId(number), base=S, artefact=artefact, diff="", point=point))
        told = known(artefact, worth, node=number)
        hypothesizer.observe(RunResult(node=NodeId(number), evidence=told, evaluations=1))

    made = await idea(hypothesizer, 50)

    assert made.point["plan"] == "hill"
    assert made.point["x"] - made.point["y"] > 0.5
    assert abs(made.predicted - (made.point["x"] - made.point["y"])) < 0.3


async def test_a_hypothesizer_does_not_repeat_itself_while_results_are_awaited() -> None:
    hypothesizer = Hypothesizer(member())
    points = [(await idea(hypothesizer, number, "improve", (NodeId(0),))).point for number in range(1, 9)]

    assert len({str(sorted(point.items())) for point in points}) == 8


async def test_an_improvement_of_the_starter_starts_there_whatever_else_stands() -> None:
    hypothesizer = Hypothesizer(member())
    hill = {"plan": "hill", "x": 0.5, "y": 0.5, "steps": 10, "kind": "b", "guard": "yes"}
    hypothesizer.observe(Patch(node=NodeId(7), base=S, artefact=A, diff="", point=hill))
    hypothesizer.observe(RunResult(node=NodeId(7), evidence=known(A, 0.9, node=7), evaluations=1))
    hypothesizer.observe(Selection(node=NodeId(7), artefact=A, rule="", candidates=()))

    of_starter = await idea(hypothesizer, 8, "improve", (NodeId(0),))
    of_node = await idea(hypothesizer, 9, "improve", (NodeId(7),))

    assert (of_starter.point["plan"], of_node.point["plan"]) == ("flat", "hill")


async def test_the_first_draft_is_the_draw_that_chance_would_have_made() -> None:
    [offline, vacuous] = [await idea(kind(member()), 1) for kind in (Hypothesizer, RandomIdeas)]
    space = Space(HILLS, HillMoves().start())

    draws = [space.point(row) for row in space.draw(np.random.default_rng(1), 24)]
    assert vacuous.point == draws[0]
    assert offline.point == draws[0]


def test_a_surrogate_is_sure_where_it_was_shown_and_unsure_elsewhere() -> None:
    space = Space(HILLS, HillMoves().start())
    rows = space.draw(np.random.default_rng(1), 30)
    surrogate = Surrogate(space)
    surrogate.fit(rows, [float(row[1]) for row in rows], [0.001] * 30)

    _, doubt_here = surrogate.predict(rows)
    _, doubt_there = surrogate.predict(space.draw(np.random.default_rng(2), 30))

    assert doubt_here.mean() < doubt_there.mean()
