"""What makes each search rule the one that it is called after."""

import math
from pathlib import Path

import numpy as np
import pytest
from conformance.strategy_suite import bodies, led_by, read
from grown_trees import grow, rerun, tree
from laboratory import NoisyJudge, play, truth

from engine.errors import BadSpecification
from engine.messages import IdeaRequest, NodeId, RunRequest, WorkOrder
from engine.team import StrategySpec
from roles import make_rule, named_team
from roles.strategies.evolution import Evolution, population
from roles.strategies.halving import SuccessiveHalving, rung_scores
from roles.strategies.mending import can_mend
from roles.strategies.pipeline import Pipeline
from roles.strategies.rule import Move, Rule
from roles.strategies.uct import UCT, statistics
from roles.tree import STARTER, Tree

SPENT = {"left": 10, "total": 20}


def asked(rule: Rule, grown: Tree, *, seed: int = 1) -> Move:
    move = rule.next(grown, left=10, total=20, rng=np.random.default_rng(seed))
    assert move is not None
    return move


# -- UCT --------------------------------------------------------------------------------------------------------------


def family() -> Tree:
    """Two drafts, the better one with two children."""
    grown = tree()
    good, _poor = grow(grown, 0.8), grow(grown, 0.2, status="rejected")
    grow(grown, 0.9, operator="improve", parents=(good,))
    grow(grown, 1.0, operator="improve", parents=(good,), status="rejected")
    return grown


def test_a_nodes_visits_are_its_own_and_those_of_its_children() -> None:
    grown = family()
    counted = statistics(grown)

    assert {node: known.visits for node, known in counted.items()} == {0: 5, 1: 3, 2: 1, 3: 1, 4: 1}
    for known in counted.values():
        assert known.visits == 1 + sum(counted[child].visits for child in known.children)
    assert counted[NodeId(1)].value == pytest.approx((0.8 + 0.9 + 1.0) / 3)


def test_a_node_in_flight_is_a_visit_that_brought_nothing() -> None:
    grown = tree()
    left, right = grow(grown, 1.0), grow(grown, 1.0)
    rule = UCT.from_settings({"widening": 2.0, "widening_exponent": 0.0})
    assert asked(rule, grown).parents == (left,)

    grow(grown, operator="improve", parents=(left,), status="running")

    assert statistics(grown)[left].in_flight == 1
    assert asked(rule, grown).parents == (right,)


def test_a_node_gets_no_more_children_than_its_visits_allow() -> None:
    grown = family()
    narrow = UCT.from_settings({"widening": 1.0, "widening_exponent": 0.5, "exploration": 0.0})

    move = asked(narrow, grown)

    assert len(statistics(grown)[STARTER].children) < math.ceil(5**0.5)
    assert move.operator == "draft"
    grow(grown, 0.1)
    assert asked(narrow, grown).parents == (
        NodeId(4),
    )  # full at the root and at node 1; below, node 4 is best


def test_without_exploration_uct_follows_the_mean_and_with_it_the_unvisited() -> None:
    grown = family()
    shared = {"widening": 2.0, "widening_exponent": 0.0}

    assert asked(UCT.from_settings({**shared, "exploration": 0.0}), grown).parents == (NodeId(4),)
    assert asked(UCT.from_settings({**shared, "exploration": 9.0}), grown).parents == (NodeId(2),)


def test_nothing_is_built_on_what_broke_or_leaked() -> None:
    grown = tree()
    leak, broken = grow(grown, 9.0), grow(grown, status="failed")
    artefact = grown.artefact(leak)
    assert artefact is not None
    grown.barred.add(artefact)

    move = asked(UCT.from_settings({"widening": 0.5, "widening_exponent": 0.0}), grown)

    assert move.operator == "draft"
    assert {leak, broken} <= set(statistics(grown)[STARTER].children)


async def test_the_record_holds_visits_and_values_of_every_descent(tmp_path: Path) -> None:
    await play(named_team("uct"), evaluations=12, folder=tmp_path)

    made, descents = 0, 0
    for each in [each for each in read(tmp_path)[2] if each.what == "next node"]:
        if each.rule.startswith("UCT"):
            descents += 1
            assert each.candidates["0 visits"] == 1 + made  # the starter and every node so far
            seen = {name.split()[0] for name in each.candidates}
            assert all(
                each.candidates[f"{node} visits"] > each.candidates[f"{node} in flight"] for node in seen
            )
            assert all(0.0 <= each.candidates[f"{node} value"] <= 1.0 for node in seen)
            assert all(f"{node} bound" in each.candidates for node in seen - {"0"})
        made += 1  # noqa: SIM113 - of some it is not asked
    assert descents > 5


# -- evolution --------------------------------------------------------------------------------------------------------


def grown_population(count: int) -> Tree:
    grown = tree()
    for number in range(count):
        grow(grown, 1.0 - number / 10)
    return grown


def test_the_oldest_die_however_good_they_are() -> None:
    grown = grown_population(6)

    assert population(grown, 4) == (3, 4, 5, 6)
    assert grown.ranked()[0] == 1


def test_parents_come_from_those_that_live_and_crossover_has_two() -> None:
    grown = grown_population(8)
    rule = Evolution.from_settings({"population": 4, "tournament": 2, "crossover": 0.5})
    moves = [asked(rule, grown, seed=seed) for seed in range(60)]

    parents = {parent for move in moves for parent in move.parents}
    assert parents <= {5, 6, 7, 8}
    assert len(parents) >= 3  # a tournament of two lets all but the worst win
    crossed = [move for move in moves if move.operator == "combine"]
    assert 15 < len(crossed) < 45
    assert all(len(set(move.parents)) == 2 for move in crossed)


def test_a_tournament_of_everybody_is_won_by_the_best_that_lives() -> None:
    grown = grown_population(8)
    rule = Evolution.from_settings({"population": 4, "tournament": 4, "crossover": 0.0})

    assert {asked(rule, grown, seed=seed).parents for seed in range(10)} == {(5,)}


def test_evolution_does_not_wait_for_a_generation() -> None:
    """With founders still in flight a child is made of those that are there."""
    grown = grown_population(2)
    for _ in range(2):
        grow(grown, status="running")
    rule = Evolution.from_settings({"population": 4, "crossover": 1.0})

    assert set(asked(rule, grown).parents) == {1, 2}


async def test_crossover_in_an_episode_combines_members_of_the_population(tmp_path: Path) -> None:
    await play(named_team("evolution"), evaluations=20, folder=tmp_path)

    orders = bodies(tmp_path, WorkOrder)
    crossed = [each for each in orders if each.operator == "combine"]  # type: ignore[union-attr]  # orders
    made = {each.node for each in orders}  # type: ignore[union-attr]
    assert crossed
    for each in crossed:
        assert len(set(each.hypothesis.parents)) == 2  # type: ignore[union-attr]
        assert set(each.hypothesis.parents) <= made  # type: ignore[union-attr]


# -- successive halving -----------------------------------------------------------------------------------------------


def test_a_ladder_fits_its_budget() -> None:
    rule = SuccessiveHalving.from_settings({})

    assert [rule.fidelities(total) for total in (1, 4, 20, 60)] == [(1,), (1, 2), (1, 2, 4), (1, 2, 4, 8)]
    assert SuccessiveHalving.from_settings({"eta": 3, "rungs": 2, "runs": 2}).fidelities(5) == (2, 6, 18)


def test_the_best_part_of_a_rung_is_promoted_and_no_more() -> None:
    grown = tree()
    for value in (0.1, 0.9, 0.5, 0.7):
        grow(grown, value)
    rule = SuccessiveHalving.from_settings({"rungs": 1})

    first = asked(rule, grown)
    rerun(grown, first.parents[0], 0.0)
    second = asked(rule, grown)
    rerun(grown, second.parents[0], 0.0)
    third = asked(rule, grown)

    assert [first.operator, first.parents, first.evaluations_at_most] == ["replicate", (2,), 1]
    assert (second.operator, second.parents) == ("replicate", (4,))
    assert third.operator == "draft"  # two of four have gone up


def test_promotions_from_the_highest_rung_come_first() -> None:
    grown = tree()
    for value in (0.9, 0.8, 0.7, 0.6):
        grow(grown, value)
    rerun(grown, NodeId(1), 0.9)
    rerun(grown, NodeId(2), 0.8)
    rule = SuccessiveHalving.from_settings({"rungs": 2})

    move = asked(rule, grown)

    assert (move.parents, move.evaluations_at_most) == ((1,), 2)


def test_a_rung_is_judged_by_its_own_runs() -> None:
    grown = tree()
    lucky = grow(grown, 1.0)
    rerun(grown, lucky, -1.0)

    assert rung_scores(grown, 1) == {lucky: 1.0}
    assert rung_scores(grown, 2) == {lucky: 0.0}
    assert rung_scores(grown, 3) == {}


def test_a_run_that_stopped_short_is_made_up_for() -> None:
    grown = tree()
    for value in (0.9, 0.1):
        grow(grown, value)
    rerun(grown, NodeId(1), 0.9)
    rule = SuccessiveHalving.from_settings({"rungs": 1, "eta": 2, "runs": 1})
    more = SuccessiveHalving.from_settings({"rungs": 1, "eta": 2, "runs": 2})
    rerun(grown, NodeId(2), 0.1)

    assert asked(rule, grown).operator == "draft"
    assert asked(more, grown).evaluations_at_most == 2  # from 2 runs to 4


def test_what_is_handed_in_has_had_as_many_runs_as_any() -> None:
    grown = tree()
    grow(grown, 0.99)
    proven = grow(grown, 0.6)
    rerun(grown, proven, 0.6)

    assert SuccessiveHalving.from_settings({}).final(grown)[0] == proven
    assert SuccessiveHalving.from_settings({}).final(tree())[0] == STARTER


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_every_promotion_of_an_episode_was_among_the_best_of_its_rung(
    in_flight: int, tmp_path: Path
) -> None:
    await play(
        led_by("successive-halving eta=2", in_flight=in_flight),
        evaluations=24,
        folder=tmp_path,
        judge=lambda store: NoisyJudge(store, truth, error=0.2),
    )

    promotions = [each for each in read(tmp_path)[2] if "promoted" in each.rule]
    assert promotions
    for each in promotions:
        order = sorted(each.candidates, key=lambda name: (-each.candidates[name], int(name.split()[1])))
        chosen = each.chosen.removeprefix("replicate [").removesuffix("]")
        assert f"node {chosen}" in order[: len(order) // 2]
    fidelities = {each.evaluations_at_most for each in bodies(tmp_path, RunRequest)}  # type: ignore[union-attr]  # requests
    assert fidelities == {1, 2} if in_flight == 1 else fidelities <= {1, 2}


# -- pipeline ---------------------------------------------------------------------------------------------------------


def test_operators_come_in_turn_and_those_without_work_are_passed_over() -> None:
    rule, grown = Pipeline.from_settings({}), tree()

    assert [asked(rule, grown).operator for _ in range(3)] == ["draft", "improve", "draft"]
    grown.incumbent = grow(grown, 0.5)
    grow(grown, 0.4, status="rejected")
    assert [asked(rule, grown).operator for _ in range(3)] == ["improve", "combine", "draft"]


def test_a_pipeline_mends_what_broke_when_its_turn_comes() -> None:
    grown = tree()
    broken = grow(grown, status="failed", problem="no guard")
    rule = Pipeline.from_settings({"order": "debug,draft"})

    assert [asked(rule, grown).parents for _ in range(2)] == [(broken,), ()]
    grow(grown, operator="debug", parents=(broken,), status="failed", problem="still none")
    assert asked(rule, grown).operator == "draft"  # once is enough
    assert not any(can_mend(grown, node) for node in grown.nodes.values())


async def test_each_role_hands_over_to_the_next(tmp_path: Path) -> None:
    await play(named_team("pipeline"), evaluations=10, folder=tmp_path)

    requests = [each for each in read(tmp_path)[0] if each.sender == "strategy" and each.to is not None]
    first = [each.to for each in requests if getattr(each.body, "node", None) == 1]
    assert first[:4] == ["hypothesize", "code", "experiment", "review"]
    operators = [each.operator for each in bodies(tmp_path, IdeaRequest)]  # type: ignore[union-attr]  # requests
    assert operators[:2] == ["draft", "improve"]


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        ("uct", {"exploration": -1.0}, "exploration"),
        ("uct", {"exploratoin": 1.0}, "no setting 'exploratoin'; allowed: exploration"),
        ("evolution", {"tournament": 0}, "tournament"),
        ("successive-halving", {"eta": 1}, "eta"),
        ("pipeline", {"order": "draft,polish"}, "'polish' is no operator; allowed: draft"),
        ("debate", {"over": "oracle"}, "oracle"),
        ("debate", {"proposals": 0}, "proposals"),
        ("blackboard", {"replications": 0}, "replications"),
    ],
)
def test_a_setting_that_is_none_is_refused_in_a_sentence(
    kind: str, settings: dict[str, float | str], complaint: str
) -> None:
    with pytest.raises(BadSpecification, match=complaint):
        make_rule(StrategySpec(kind=kind, settings=settings))
