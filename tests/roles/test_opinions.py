"""Debates are decided by votes and auctions by bids; what functions say rests on what they have heard."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trio
from conformance.strategy_suite import bodies, led_by, read
from grown_trees import START, grow, tree
from laboratory import HillTask, NoisyJudge, play, truth

from engine.messages import (
    CODE,
    EXPERIMENT,
    HYPOTHESIZE,
    REVIEW,
    Argument,
    ArtefactHash,
    Bid,
    BidRequest,
    Brief,
    Candidate,
    Claim,
    Dropped,
    Envelope,
    Expired,
    Hypothesis,
    IdeaRequest,
    MemberId,
    Motion,
    NodeId,
    Operator,
    Patch,
    Queue,
    RunResult,
    Selection,
    Vote,
    WorkOrder,
)
from roles import apply, make_rule, named_team, parse_patch
from roles.evidence import pool
from roles.strategies.blackboard import Blackboard
from roles.strategies.debate import Debate
from roles.strategies.lead import lead
from roles.voices import Board, make_voice
from roles.voices.bidding import offers
from roles.worth import Belief, chance, expected_improvement, knowledge_gradient, predictive

ONE, TWO = NodeId(1), NodeId(2)


def motion(question: Any = "run") -> Motion:
    return Motion(
        node=ONE, question=question, stage="vote", candidates=(Candidate(node=ONE), Candidate(node=TWO))
    )


def vote(function: Queue, choice: NodeId | None) -> Vote:
    return Vote(node=ONE, function=function, choice=choice)


def says(function: Queue, *gains: float) -> Argument:
    claims = tuple(
        Claim(node=NodeId(number), gain=gain, text="") for number, gain in enumerate(gains, start=1)
    )
    return Argument(node=ONE, question="run", function=function, claims=claims)


# -- votes ------------------------------------------------------------------------------------------------------------


def test_most_votes_win_whatever_was_claimed() -> None:
    loud = [says(HYPOTHESIZE, 100.0, 0.0)]
    votes = [vote(HYPOTHESIZE, ONE), vote(CODE, TWO), vote(REVIEW, TWO), vote(EXPERIMENT, None)]

    outcome = Debate.from_settings({}).count(motion(), loud, votes, default=ONE)

    assert (outcome.winner, outcome.why) == (TWO, "2 of 3 votes")
    assert outcome.candidates["votes for 2"] == 2.0
    assert outcome.candidates["hypothesize says 1"] == 100.0


def test_a_tie_between_ideas_goes_to_the_larger_claims_and_else_to_what_stands() -> None:
    votes = [vote(HYPOTHESIZE, ONE), vote(CODE, TWO)]
    debate, said = Debate.from_settings({}), [says(CODE, 0.1, 0.4)]

    assert debate.count(motion(), said, votes, default=ONE).winner == TWO
    assert debate.count(motion("accept"), [says(CODE, 0.9, 0.0)], votes, default=ONE).winner == TWO


def test_where_nobody_votes_it_is_as_if_there_had_been_no_debate() -> None:
    silent = [vote(CODE, None), vote(REVIEW, NodeId(7))]  # the second is for nobody who stands

    assert Debate.from_settings({}).count(motion(), [], silent, default=TWO).winner == TWO


async def test_only_the_winner_of_a_vote_is_written_and_run(tmp_path: Path) -> None:
    await play(named_team("debate"), evaluations=12, folder=tmp_path)

    ballots = {each.node: each for each in bodies(tmp_path, Motion) if each.question == "run"}  # type: ignore[union-attr]  # motions
    written = {each.node for each in bodies(tmp_path, WorkOrder)}  # type: ignore[union-attr]  # orders
    decided = [each for each in read(tmp_path)[2] if each.what == "run" and each.member == "strategy"]
    assert len(ballots) == len(decided) > 3
    for each, held in zip(decided, ballots.values(), strict=True):
        candidates = {candidate.node for candidate in held.candidates}
        winner = int(each.chosen.removeprefix("node "))
        assert written & candidates == {winner}
        counts = {node: each.candidates.get(f"votes for {node}", 0.0) for node in candidates}
        assert counts[NodeId(winner)] == max(counts.values())
    assert any(int(each.chosen.removeprefix("node ")) not in ballots for each in decided)


async def test_several_debates_are_held_at_once(tmp_path: Path) -> None:
    """Ideas for one debate count as one node in progress."""
    await play(led_by("debate", in_flight=3), evaluations=9, folder=tmp_path)

    requests = [each.body for each in read(tmp_path)[0] if each.sender == "strategy"]
    assert [type(each) for each in requests[:10]] == [IdeaRequest] * 9 + [Motion]


async def test_a_vote_decides_what_stands_and_can_overrule_a_review(tmp_path: Path) -> None:
    seeds = (1, 5, 11, 12)  # it does so in some; the reviewer is seldom wrong
    for seed in seeds:
        await play(
            named_team("debate"),
            seed=seed,
            evaluations=20,
            folder=tmp_path / str(seed),
            judge=lambda store: NoisyJudge(store, truth, error=0.15),
        )

    overruled = 0
    for seed in seeds:
        posted, _, decisions = read(tmp_path / str(seed))
        verdicts = {e.body.node: e.body.verdict for e in posted if type(e.body).__name__ == "Review"}  # type: ignore[union-attr]  # reviews
        stood = {e.body.node for e in posted if isinstance(e.body, Selection) and not e.body.final}
        held = [e.body for e in posted if isinstance(e.body, Motion) and e.body.question == "accept"]
        debated = list(dict.fromkeys(each.node for each in held))
        outcomes = [each for each in decisions if each.what == "accept"]
        last = {
            node: int(each.chosen.removeprefix("node "))
            for node, each in zip(debated, outcomes, strict=False)
        }
        if len(debated) != len(outcomes):
            continue  # something was debated twice
        for node, winner in last.items():
            assert (node in stood) == (winner == node)
            overruled += (verdicts[node] == "accept") != (winner == node)
    assert overruled > 0


async def test_ideas_are_argued_by_every_function_that_has_an_opinion(tmp_path: Path) -> None:
    team = apply(named_team("debate"), parse_patch("remove reviewer vacuous"))
    await play(team, evaluations=14, folder=tmp_path)

    speakers = {each.function for each in bodies(tmp_path, Argument) if each.claims}  # type: ignore[union-attr]  # arguments
    abstained = {each.function for each in bodies(tmp_path, Vote) if each.choice is None}  # type: ignore[union-attr]  # votes
    assert speakers == {HYPOTHESIZE, CODE, EXPERIMENT}
    assert REVIEW in abstained


async def test_one_proposal_and_no_vote_on_acceptance_is_the_rule_beneath(tmp_path: Path) -> None:
    plain = led_by("greedy")
    quiet = led_by("debate proposals=1 acceptance=false")
    for place, team in (("plain", plain), ("quiet", quiet)):
        await play(team, evaluations=12, folder=tmp_path / place)

    assert bodies(tmp_path / "plain", Hypothesis) == bodies(tmp_path / "quiet", Hypothesis)
    assert not bodies(tmp_path / "quiet", Motion)


async def test_muted_arguments_are_votes_from_what_each_knows_itself(tmp_path: Path) -> None:
    muted = apply(named_team("debate"), parse_patch("mute arguments"))
    for place, team in (("heard", named_team("debate")), ("muted", muted)):
        await play(team, evaluations=12, folder=tmp_path / place)

    def first(place: str, kind: type[Any]) -> list[Any]:
        return bodies(tmp_path / place, kind)[:4]

    assert first("heard", Argument) == first("muted", Argument)
    assert bodies(tmp_path / "heard", Vote) != bodies(tmp_path / "muted", Vote)


# -- voices -----------------------------------------------------------------------------------------------------------


def member() -> Any:
    return SimpleNamespace(task=HillTask(), decide=lambda *_, **__: None)


def board(*worths: float) -> Board:
    """Drafts that were run once, in this order; the best of them stands."""
    heard = Board(HillTask())
    for number, worth in enumerate(worths, start=1):
        node = NodeId(number)
        artefact = ArtefactHash(f"{number:064d}")
        point = {"plan": "hill", "x": worth, "y": 0.0, "steps": 10, "kind": "a", "guard": "yes"}
        idea = Hypothesis(
            node=node, operator="draft", parents=(), claim="", family="hill", point=point, predicted=worth
        )
        heard.hear(idea)
        heard.hear(Patch(node=node, base=ArtefactHash("0" * 64), artefact=artefact, diff="", point=point))
        evidence = pool((worth,), declared=0.02, node=node, artefact=artefact)
        heard.hear(RunResult(node=node, evidence=evidence, evaluations=1))
    if worths:
        best = NodeId(1 + int(np.argmax(worths)))
        heard.hear(Selection(node=best, artefact=ArtefactHash(f"{best:064d}"), rule="", candidates=()))
    return heard


def proposal(node: int, x: float, predicted: float | None) -> Candidate:
    point = {"plan": "hill", "x": x, "y": 0.0, "steps": 10, "kind": "a", "guard": "yes"}
    idea = Hypothesis(
        node=NodeId(node),
        operator="draft",
        parents=(),
        claim="",
        family="hill",
        point=point,
        predicted=predicted,
    )
    return Candidate(node=NodeId(node), hypothesis=idea)


async def spoken(function: Queue, heard: Board, stage: Any, *candidates: Candidate) -> Any:
    standing = pool((0.5,), declared=0.02, node=NodeId(0), artefact=ArtefactHash("0" * 64))
    asked = Motion(
        node=candidates[0].node, question="run", stage=stage, candidates=candidates, incumbent=standing
    )
    return await make_voice(member(), function, "offline", heard).speak(asked)


async def test_a_hypothesizer_claims_what_it_predicts() -> None:
    said = await spoken(HYPOTHESIZE, board(), "argue", proposal(8, 0.1, 0.6), proposal(9, 0.2, None))

    assert [(claim.node, round(claim.gain, 6)) for claim in said.claims] == [(8, 0.1)]


async def test_an_experimenter_claims_what_was_measured_closest_by() -> None:
    said = await spoken(EXPERIMENT, board(0.2, 0.9), "argue", proposal(8, 0.9, None), proposal(9, 0.2, None))

    assert [round(claim.gain, 6) for claim in said.claims] == [0.4, -0.3]


async def test_a_reviewer_says_what_was_there_already_and_how_predictions_held() -> None:
    heard = board(0.2, 0.4, 0.6)
    for number in (1, 2, 3):
        idea = heard.book.hypotheses[NodeId(number)]
        heard.hear(type(idea)(**{**{f: getattr(idea, f) for f in idea.__struct_fields__}, "predicted": 1.0}))
    said = await spoken(REVIEW, heard, "argue", proposal(8, 0.4, 0.9), proposal(9, 0.7, 0.9))

    assert [round(claim.gain, 6) for claim in said.claims] == [
        0.0,
        -0.2,
    ]  # 0.4 predicted, 0.6 too much as a rule
    assert "node 2 was at this point" in said.claims[0].text


async def test_a_coder_doubts_what_broke_before() -> None:
    heard = board(0.5)
    heard.hear(Hypothesis(node=NodeId(5), operator="draft", parents=(), claim="", family="hill"))
    heard.hear(Patch(node=NodeId(5), base=ArtefactHash("0" * 64), artefact=None, diff="", problem="no"))
    said = await spoken(CODE, heard, "argue", proposal(8, 0.4, 0.9))

    assert said.claims[0].gain == pytest.approx(0.5 * 0.4)  # one of two worked


async def test_a_voter_weighs_what_it_hears_with_its_own_opinion() -> None:
    heard = board()
    candidates = proposal(8, 0.1, 0.9), proposal(9, 0.2, 0.6)
    alone = await spoken(HYPOTHESIZE, heard, "vote", *candidates)
    claims = (Claim(node=NodeId(8), gain=-2.0, text=""), Claim(node=NodeId(9), gain=0.1, text=""))
    heard.hear(Argument(node=NodeId(8), question="run", function=REVIEW, claims=claims))
    told = await spoken(HYPOTHESIZE, heard, "vote", *candidates)

    assert (alone.choice, told.choice) == (8, 9)
    assert told.gain == pytest.approx(0.1)


# -- bids -------------------------------------------------------------------------------------------------------------


def bid(function: Queue, value: float, operator: Operator | None = "improve", *parents: int) -> Bid:
    return Bid(
        node=NodeId(9),
        function=function,
        operator=operator,
        parents=tuple(NodeId(parent) for parent in parents),
        value=value,
    )


def awarded(grown: Any, *bids: Bid) -> Any:
    return Blackboard.from_settings({}).award(grown, bids, left=9, total=20, rng=np.random.default_rng(1))


def test_the_highest_bid_wins() -> None:
    grown = tree()
    grown.incumbent = grow(grown, 0.5)
    grow(grown, 0.4)
    low, high = bid(HYPOTHESIZE, 5.0, "improve", 1), bid(EXPERIMENT, 7.0, "replicate", 2)

    move = awarded(grown, low, high)

    assert (move.operator, move.parents, move.evaluations_at_most) == ("replicate", (2,), 1)
    assert move.candidates["hypothesize: improve [1]"] == 5.0
    assert awarded(grown, high, bid(HYPOTHESIZE, 8.0, "combine", 1, 2)).operator == "combine"


def test_the_strategy_bids_a_draft_that_small_bids_do_not_beat() -> None:
    grown = tree()
    grow(grown, 0.5)

    assert awarded(grown, bid(CODE, -1.0, "improve", 1)).operator == "draft"
    assert awarded(grown, bid(CODE, 0.0, None)).operator == "draft"
    assert "strategy: draft []" in awarded(grown).candidates


@pytest.mark.parametrize(
    ("operator", "parents"),
    [
        ("improve", (7,)),
        ("improve", ()),
        ("combine", (1, 1)),
        ("replicate", (0,)),
        ("replicate", (3,)),
        ("debug", (1,)),
        ("improve", (2,)),
    ],
    ids=[
        "no such node",
        "no parent",
        "one parent twice",
        "the starter",
        "being run",
        "nothing broke",
        "no score",
    ],
)
def test_a_bid_that_cannot_be_done_is_refused_and_on_the_record(
    operator: Operator, parents: tuple[int, ...]
) -> None:
    grown = tree()
    grow(grown, 0.5)
    grow(grown, status="failed")
    grow(grown, 0.4, status="running")

    move = awarded(grown, bid(REVIEW, 99.0, operator, *parents))

    assert move.operator == "draft"
    assert any("refused" in name for name in move.candidates)


async def test_each_node_of_an_episode_is_its_auctions_highest_bid(tmp_path: Path) -> None:
    await play(named_team("blackboard"), evaluations=20, folder=tmp_path)

    decisions = [each for each in read(tmp_path)[2] if each.what == "next node"]
    assert len(decisions) > 5
    for each in decisions:
        valid = {name: value for name, value in each.candidates.items() if "refused" not in name}
        chosen = {name for name in valid if name.partition(": ")[2] == each.chosen}
        assert max(valid.values()) == max(valid[name] for name in chosen)
    winners = {each.chosen.split()[0] for each in decisions}
    assert len(winners) >= 2
    assert len(bodies(tmp_path, BidRequest)) == 4 * len(decisions)


def test_an_experimenter_offers_runs_where_they_may_change_what_is_best() -> None:
    close, far = board(0.50, 0.49, 0.1), board(0.50, 0.1)

    best = offers(EXPERIMENT, close)[0]

    assert (best.operator, best.parents) == ("replicate", (2,))
    assert best.value > offers(EXPERIMENT, far)[0].value
    assert offers(REVIEW, close)[0].parents == (1,)


def test_a_coder_offers_to_mend_what_broke_once() -> None:
    heard = board(0.3)
    idea = Hypothesis(node=NodeId(4), operator="draft", parents=(), claim="", family="f", predicted=0.9)
    heard.hear(idea)
    heard.hear(Patch(node=NodeId(4), base=ArtefactHash("0" * 64), artefact=None, diff="", problem="no"))
    assert [each.parents for each in offers(CODE, heard)] == [(4,)]

    again = Hypothesis(node=NodeId(5), operator="debug", parents=(NodeId(4),), claim="", family="f")
    heard.hear(WorkOrder(node=NodeId(5), operator="debug", base=ArtefactHash("0" * 64), hypothesis=again))

    assert offers(CODE, heard) == []


def test_a_crowded_parent_is_worth_less() -> None:
    heard = board(0.3, 0.9)
    before = {each.parents: each.value for each in offers(HYPOTHESIZE, heard) if each.operator == "improve"}
    heard.hear(Hypothesis(node=NodeId(7), operator="improve", parents=(NodeId(2),), claim="", family="f"))
    after = {each.parents: each.value for each in offers(HYPOTHESIZE, heard) if each.operator == "improve"}

    assert after[NodeId(2),] == pytest.approx(before[NodeId(2),] / 2)
    assert after[NodeId(1),] == pytest.approx(before[NodeId(1),])


# -- worths -----------------------------------------------------------------------------------------------------------


def test_expected_improvement_has_its_known_values() -> None:
    assert expected_improvement(Belief(0.0, 1.0), 0.0) == pytest.approx(0.3989422804)
    assert expected_improvement(Belief(1.0, 0.0), 0.25) == 0.75
    assert expected_improvement(Belief(-9.0, 1.0), 0.0) < 1e-15


def test_a_run_is_worth_most_where_little_is_known_and_much_is_open() -> None:
    artefact = ArtefactHash("a" * 64)
    once, often = (pool((0.5,) * n, declared=0.1, node=ONE, artefact=artefact) for n in (1, 9))

    assert knowledge_gradient(once, 0.0) > knowledge_gradient(often, 0.0) > 0.0
    assert knowledge_gradient(once, 0.0) > knowledge_gradient(once, 0.3)


def test_beliefs_go_from_the_prior_to_the_record() -> None:
    prior = Belief(0.0, 1.0)

    assert predictive([], prior=prior) == prior
    many = predictive([5.0] * 999, prior=prior)
    assert many.mean == pytest.approx(4.995)
    assert many.error < 0.3
    assert [chance(0, 0), chance(3, 0)] == [0.5, 0.8]


# -- answers that do not come -------------------------------------------------------------------------------------------


class Scripted:
    """As much of a member as a strategy's uses: each of its requests is answered by a function of the request."""

    def __init__(self, strategy: str, answer: Any) -> None:
        self.spec = led_by(strategy)
        self.posted: list[Any] = []
        self._answer = answer
        brief = Brief(
            task="t", text="", metric="m", direction="max", baseline=0.0, starter=START, evaluations=3
        )
        self._waiting = [Envelope(seq=1, sender=MemberId("runtime"), body=brief)]

    async def receive(self) -> Envelope:
        await trio.lowlevel.checkpoint()
        return self._waiting.pop(0)

    async def post(self, body: Any, *, to: Any = None, topic: Any = None) -> int:
        await trio.lowlevel.checkpoint()
        self.posted.append(body)
        seq = 1 + len(self.posted)
        if to is not None:
            answer = self._answer(seq, body)
            self._waiting.append(Envelope(seq=1000 + seq, sender=MemberId("x"), body=answer, cause=seq))
        return seq

    def rng(self, _: str) -> np.random.Generator:
        return np.random.default_rng(1)

    def decide(self, *_: Any, **__: Any) -> None:
        pass

    async def led(self) -> list[Any]:
        rule = make_rule(self.spec.strategy)
        await lead(lambda: rule)(self)  # type: ignore[arg-type]  # as much of a member as it uses
        return self.posted


def dropped(seq: int, _: Any) -> Dropped:
    return Dropped(seq=seq, reason="nobody is there")


@pytest.mark.parametrize("strategy", ["debate", "blackboard"])
async def test_where_nobody_answers_the_starter_is_handed_in(strategy: str) -> None:
    posted = await Scripted(strategy, dropped).led()

    assert isinstance(posted[-1], Selection)
    assert (posted[-1].node, posted[-1].final) == (0, True)
    assert sum(isinstance(each, IdeaRequest) for each in posted) in (24, 72)


async def test_an_idea_without_rivals_is_tried_without_a_debate() -> None:
    def third(seq: int, body: Any) -> Any:
        if isinstance(body, IdeaRequest) and body.node == 3:
            return Hypothesis(node=body.node, operator="draft", parents=(), claim="", family="f")
        return dropped(seq, body)

    posted = await Scripted("debate", third).led()

    assert [type(each).__name__ for each in posted[:4]] == ["IdeaRequest"] * 3 + ["WorkOrder"]
    assert posted[3].node == 3
    assert not any(isinstance(each, Motion) for each in posted)


async def test_an_expired_opinion_is_an_abstention() -> None:
    def late(seq: int, body: Any) -> Any:
        if isinstance(body, IdeaRequest):
            return Hypothesis(node=body.node, operator="draft", parents=(), claim="", family="f")
        return Expired(seq=seq, deadline_seconds=1.0)

    posted = await Scripted("debate", late).led()

    orders = [each.node for each in posted if isinstance(each, WorkOrder)]
    assert orders[:2] == [1, 4]  # the first of each three
    assert posted[-1].final
