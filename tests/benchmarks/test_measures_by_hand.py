"""Measures of journals written by hand, against figures computed by hand."""

import math

import pytest
from written_journals import Pen, artefact, idea

from benchmarks.measures import headline, measure_episode, measures_by_arm
from benchmarks.measures.agreement import agreement, cohen_kappa
from benchmarks.measures.calibration import Forecast, calibrate, calibration, rank_correlation
from benchmarks.measures.causal_path import causal_path
from benchmarks.measures.conformity import conformity
from benchmarks.measures.episode_record import load_record
from benchmarks.measures.hypothesis_entropy import entropy_bits, hypothesis_entropy
from benchmarks.measures.idle import idle
from benchmarks.measures.intervals_of_time import length, overlap, union
from benchmarks.measures.message_matrix import message_matrix
from benchmarks.measures.provenance import line_origins, provenance
from benchmarks.measures.redundancy import gower_distance, redundancy
from benchmarks.measures.review_quality import JudgedReview, review_quality
from engine.journal import Closed
from engine.messages import (
    CODE,
    EXPERIMENT,
    FUNCTIONS,
    HYPOTHESIZE,
    REVIEW,
    Argument,
    Candidate,
    Claim,
    IdeaRequest,
    Motion,
    NodeId,
    Queue,
    Vote,
)
from engine.task import MoveSpace, Parameter


def two_nodes() -> Pen:
    """Node 1, and node 2 that improves it, one after the other; node 2 is handed in."""
    pen = Pen()
    pen.node(1, 0.6, at=1.0)
    pen.node(2, 0.8, at=8.0, operator="improve", parents=(NodeId(1),), base=artefact(1))
    pen.select(2, at=15.0)
    return pen


# -- messages ---------------------------------------------------------------------------------------------------------


def test_a_star_of_five_has_a_density_of_two_fifths() -> None:
    matrix = message_matrix(load_record(two_nodes().records))

    assert len(matrix.members) == 5
    assert matrix.between()["strategy", "coder"] == 2  # type: ignore[index]  # plain words
    assert matrix.between()["reviewer", "strategy"] == 2  # type: ignore[index]
    assert matrix.density == 8 / 20
    assert matrix.posted == 17
    assert matrix.tokens == matrix.bytes / 4


def test_without_the_teams_specification_nobody_knows_who_heard_copies() -> None:
    matrix = message_matrix(load_record(two_nodes().records))

    assert matrix.density_with_copies is None
    assert {flow.way for flow in matrix.flows} == {"addressed"}


def test_a_request_that_nobody_took_is_counted_and_goes_to_nobody() -> None:
    pen = Pen()
    pen.say(
        "strategy", IdeaRequest(node=NodeId(1), operator="draft", parents=(), evaluations_left=1), to="nobody"
    )

    matrix = message_matrix(load_record(pen.records))

    assert (matrix.untaken, matrix.flows, matrix.density) == (1, (), None)


# -- causes -----------------------------------------------------------------------------------------------------------


def test_a_request_and_its_answer_are_a_recorded_depth_of_two() -> None:
    path = causal_path(load_record(two_nodes().records))

    assert path.recorded_depth == 2


def test_an_improvement_hangs_below_its_parent() -> None:
    """Brief, 8 messages of node 1, 8 of node 2, and the selection of node 2."""
    path = causal_path(load_record(two_nodes().records))

    assert path.depth == 1 + 8 + 8 + 1
    assert path.longest == tuple(range(1, 19))


def test_two_drafts_hang_side_by_side_and_could_have_run_at_once() -> None:
    pen = Pen()
    pen.node(1, 0.6, at=1.0)
    pen.node(2, 0.8, at=8.0)

    path = causal_path(load_record(pen.records))

    assert path.depth == 1 + 8
    assert path.work_seconds == 6.0
    assert path.span_seconds == 3.0
    assert path.parallelism == 2.0


def test_an_episode_of_one_brief_has_a_path_of_one_and_no_seconds() -> None:
    path = causal_path(load_record(Pen().records))

    assert (path.depth, path.work_seconds, path.parallelism) == (1, None, None)


# -- repetition -------------------------------------------------------------------------------------------------------

SPACE = MoveSpace(
    parameters=(
        Parameter(name="x", low=0.0, high=10.0),
        Parameter(name="kind", choices=("a", "b")),
        Parameter(name="rate", low=0.001, high=1.0, log=True),
    )
)


def test_gowers_distance_is_the_mean_share_of_each_axis() -> None:
    a, b = {"x": 0.0, "kind": "a", "rate": 0.001}, {"x": 5.0, "kind": "b", "rate": 0.1}

    assert gower_distance(a, b, SPACE) == pytest.approx((0.5 + 1.0 + 2 / 3) / 3)
    assert gower_distance(a, a, SPACE) == 0.0
    assert gower_distance(a, {"x": 0.0, "kind": "a"}, SPACE) == pytest.approx(1 / 3)


def test_points_and_claims_that_come_again_are_counted_once_each() -> None:
    pen = Pen()
    pen.node(1, 0.6, point={"x": 1})
    pen.node(2, 0.6, point={"x": 1})
    pen.node(3, 0.6, point=None, claim="More  Layers")
    pen.node(4, 0.6, point=None, claim="more layers")

    found = redundancy(load_record(pen.records))

    assert (found.hypotheses, found.with_point, found.same_point, found.same_claim) == (4, 2, 1, 1)
    assert found.near_point is None
    assert found.hypothesis_rate == 2 / 3


def test_patches_of_nearly_the_same_lines_are_near_and_equal_artefacts_are_the_same() -> None:
    pen = Pen()
    lines = "\n".join(f"+line {n}" for n in range(9))
    pen.node(1, 0.6, diff=f"--- a\n+++ b\n{lines}\n+one")
    pen.node(2, 0.6, diff=f"--- a\n+++ b\n{lines}\n+other")
    pen.node(3, 0.6, diff="+elsewhere")

    found = redundancy(load_record(pen.records))

    assert (found.artefacts, found.same_artefact, found.near_artefact) == (3, 0, 1)
    assert found.artefact_rate == 0.0


def test_with_one_hypothesis_a_rate_of_repetition_is_not_defined() -> None:
    pen = Pen()
    pen.node(1, 0.6)

    found = redundancy(load_record(pen.records))

    assert (found.hypothesis_rate, found.artefact_rate) == (None, None)


# -- agreement --------------------------------------------------------------------------------------------------------


def test_cohens_kappa_of_his_kind_of_table() -> None:
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = 0.4."""
    table = {(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15}
    pairs = [pair for pair, count in table.items() for _ in range(count)]

    assert cohen_kappa(pairs) == pytest.approx(0.4)
    assert cohen_kappa([(True, True)]) is None
    assert cohen_kappa([]) is None


def test_verdicts_are_held_against_evidence_then_and_later() -> None:
    """Node 1 is accepted with 0.6 over 0.5, but scores 0.2 later: the mean 0.4 is below."""
    pen = Pen()
    pen.node(1, 0.6, predicted=0.7)
    pen.node(2, 0.3, verdict="reject", predicted=0.9)
    pen.evaluate(1, 0.2)

    found = agreement(load_record(pen.records))

    assert (found.verdicts, found.compared, found.revisions) == (2, 2, 0)
    assert found.with_evidence == 1.0
    assert found.with_evidence_kappa == 1.0
    assert found.with_later_evidence == 0.5
    assert found.with_prediction == 0.5


def test_a_prediction_called_confirmed_is_upheld_while_two_errors_hold_it() -> None:
    """Confirmed at 0.6 with an error of 0.1; after three more scores the mean is 0.9 with an error of 0.05."""
    pen = Pen()
    pen.node(1, 0.6, predicted=0.65, prediction="confirmed")
    first = agreement(load_record(pen.records))
    for _ in range(3):
        pen.evaluate(1, 1.0)

    later = agreement(load_record(pen.records))

    assert (first.predictions_judged, first.predictions_upheld) == (1, 1.0)
    assert later.predictions_upheld == 0.0


def test_without_reviews_nothing_agrees_or_disagrees() -> None:
    found = agreement(load_record(Pen().records))

    assert (found.verdicts, found.with_evidence, found.with_evidence_kappa, found.predictions_upheld) == (
        0, None, None, None,
    )  # fmt: skip


# -- conformity -------------------------------------------------------------------------------------------------------


def debate(pen: Pen, positions: dict[Queue, int], votes: dict[Queue, int | None]) -> None:
    """Nodes 1 and 2 are put to all functions; each argues for its position, and votes."""
    candidates = tuple(Candidate(node=NodeId(n)) for n in (1, 2))

    def put(stage: str) -> dict[Queue, int]:
        motion = Motion(node=NodeId(1), question="run", stage=stage, candidates=candidates)  # type: ignore[arg-type]
        return {function: pen.say("strategy", motion, to=function) for function in FUNCTIONS}

    for function, seq in put("argue").items():
        position = positions.get(function)
        claims = () if position is None else (Claim(node=NodeId(position), gain=1.0, text=""),)
        argument = Argument(node=NodeId(1), question="run", function=function, claims=claims)
        pen.say(f"voice-{function}", argument, to="strategy", cause=seq)
    for function, seq in put("vote").items():
        choice = votes.get(function)
        vote = Vote(node=NodeId(1), function=function, choice=None if choice is None else NodeId(choice))
        pen.say(f"voice-{function}", vote, to="strategy", cause=seq)


def test_a_lone_voice_that_gives_way_has_conformed() -> None:
    pen = Pen()
    debate(pen, {HYPOTHESIZE: 1, CODE: 2, EXPERIMENT: 2, REVIEW: 2}, dict.fromkeys(FUNCTIONS, 2))

    found = conformity(load_record(pen.records))

    assert (found.motions, found.votes, found.changed, found.exposed, found.conformed) == (1, 4, 1, 1, 1)
    assert found.conformity_rate == 1.0
    assert found.change_rate == 0.25
    assert found.unanimous == 1.0


def test_a_lone_voice_that_stands_has_not_and_a_second_debate_is_another_motion() -> None:
    pen = Pen()
    alone = {HYPOTHESIZE: 1, CODE: 2, EXPERIMENT: 2, REVIEW: 2}
    debate(pen, alone, {**alone})
    debate(pen, alone, dict.fromkeys(FUNCTIONS, 2))

    found = conformity(load_record(pen.records))

    assert (found.motions, found.exposed, found.conformed) == (2, 2, 1)
    assert found.conformity_rate == 0.5
    assert found.unanimous == 0.5


def test_where_opinions_split_evenly_or_nobody_argues_there_is_no_majority_to_follow() -> None:
    pen = Pen()
    debate(pen, {HYPOTHESIZE: 1, CODE: 2}, dict.fromkeys(FUNCTIONS, 2))

    found = conformity(load_record(pen.records))

    assert (found.exposed, found.conformity_rate) == (0, None)
    assert conformity(load_record(Pen().records)).change_rate is None


# -- calibration ------------------------------------------------------------------------------------------------------


def forecast(predicted: float, measured: float, error: float = 0.1) -> Forecast:
    return Forecast(node=1, predicted=predicted, measured=measured, standard_error=error)


def test_bias_error_and_coverage_of_four_forecasts() -> None:
    """Misses -0.1, 0.1, -0.3, -0.1; three lie within 1.96 errors."""
    found = calibrate([forecast(0.5, 0.4), forecast(0.3, 0.4), forecast(0.9, 0.6), forecast(0.7, 0.6)])

    assert found.bias == pytest.approx(-0.1)
    assert found.rmse == pytest.approx(math.sqrt((0.01 + 0.01 + 0.09 + 0.01) / 4))
    assert found.coverage == 0.75
    assert [each.count for each in found.bins] == [2, 2]
    assert found.bins[0].mean_predicted == pytest.approx(0.4)
    assert found.bins[1].mean_measured == pytest.approx(0.6)


def test_without_forecasts_every_figure_is_undefined() -> None:
    found = calibrate([], unmeasured=2)

    assert (found.bias, found.rmse, found.coverage, found.correlation, found.bins) == (
        None,
        None,
        None,
        None,
        (),
    )


def test_coverage_is_undefined_where_no_error_is_known() -> None:
    assert calibrate([forecast(0.5, 0.5, error=0.0)]).coverage is None


def test_spearman_by_hand_with_a_tie() -> None:
    """Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 1.125, variances 1.125 and 1.25."""
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(1.125 / math.sqrt(1.125 * 1.25))
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2], [1, 2]) is None


def test_forecasts_are_taken_from_nodes_that_were_measured() -> None:
    pen = Pen()
    pen.node(1, 0.6, 0.8, predicted=0.5)
    pen.node(2, 0.8)
    pen.say("hypothesizer", idea(3, predicted=0.9), topic="hypotheses")

    found = calibration(load_record(pen.records))

    assert [(each.node, each.predicted, each.measured) for each in found.forecasts] == [(1, 0.5, 0.7)]
    assert found.unmeasured == 1


# -- entropy ----------------------------------------------------------------------------------------------------------


def test_entropy_of_two_even_families_is_one_bit() -> None:
    pen = Pen()
    for node, family in enumerate("aabb", start=1):
        pen.node(node, 0.6, family=family)

    found = hypothesis_entropy(load_record(pen.records))

    assert found.families == pytest.approx((0.0, 0.0, entropy_bits("aab"), 1.0))
    assert entropy_bits("aab") == pytest.approx(math.log2(3) - 2 / 3)
    assert found.relative_families == pytest.approx(0.5)
    assert found.relative_points == pytest.approx(1.0)
    assert found.families_window == ()


def test_without_hypotheses_entropy_is_undefined() -> None:
    found = hypothesis_entropy(load_record(Pen().records))

    assert (found.families, found.final_families, found.relative_points) == ((), None, None)


# -- provenance -------------------------------------------------------------------------------------------------------


def test_the_ancestry_of_what_was_handed_in_leaves_other_nodes_out() -> None:
    pen = two_nodes()
    pen.node(3, 0.1, verdict="reject")

    found = provenance(load_record(pen.records))

    assert (found.node, found.ancestry, found.generations) == (2, (1, 2), 2)
    assert found.messages == {"coder": 2, "experimenter": 2, "hypothesizer": 2, "reviewer": 2}
    assert found.share_of_messages is not None
    assert found.share_of_messages["coder"] == 0.25
    assert (found.hypothesis_by, found.patch_by, found.code) == ("hypothesizer", "coder", None)


def test_lines_stem_from_the_version_that_brought_them_in() -> None:
    versions = [(0, {"a": b"1\n2\n3"}), (1, {"a": b"1\nX\n3"}), (4, {"a": b"1\nX\n3\nY\nZ", "b": b"new"})]

    assert line_origins(versions) == {0: 2, 1: 1, 4: 3}


def test_where_nothing_was_selected_nothing_has_a_provenance() -> None:
    found = provenance(load_record(Pen().records))

    assert (found.node, found.generations, found.share_of_messages) == (None, None, None)


# -- time -------------------------------------------------------------------------------------------------------------


def test_stretches_of_time_join_and_overlap() -> None:
    joined = union([(3, 4), (0, 2), (1, 2.5), (5, 5)])

    assert joined == ((0, 2.5), (3, 4))
    assert length(joined) == 3.5
    assert overlap(joined, ((2, 3.25),)) == 0.75


def test_an_experimenter_idles_while_a_hypothesis_waits_for_its_code_and_for_its_turn() -> None:
    """Node 1: idea at 1, code at 2, evaluation 3 to 5. Nothing else happens: 2 s waited, 1 of them with code."""
    pen = Pen()
    pen.node(1, 0.6, at=0.0)

    found = idle(load_record(pen.records))

    assert found.experimenters == ("experimenter",)
    assert found.elapsed_seconds == 6.0
    assert found.busy_share == pytest.approx(2 / 6)
    assert found.idle_while_hypotheses_waited == 2.0
    assert found.idle_while_code_waited == 1.0
    assert found.idle_share == pytest.approx(2 / 6)


def test_an_experimenter_at_work_on_another_node_does_not_idle() -> None:
    """Node 2 waits from 3 to 5 and the evaluation of node 1 fills just that."""
    pen = Pen()
    pen.node(1, 0.6, at=0.0)
    pen.node(2, 0.6, at=2.0)

    found = idle(load_record(pen.records))

    assert found.idle_while_hypotheses_waited == 2.0


def test_a_record_without_times_has_no_idle_time() -> None:
    pen = Pen()

    assert idle(load_record(pen.records)).idle_share is None


# -- reviews ----------------------------------------------------------------------------------------------------------


def judged(accepted: bool, is_better: bool, weight: float = 1.0, gain: float = 0.0) -> JudgedReview:
    return JudgedReview(
        episode="e", task="t", arm="a", node=1, accepted=accepted, candidate=0.5 + gain, incumbent=0.5,
        is_better=is_better, weight=weight,
    )  # fmt: skip


def test_precision_and_recall_weigh_the_rejected_by_how_few_were_sampled() -> None:
    """3 of 4 accepted were better. 2 of 10 rejected were run, one was better: 5 missed in all, so recall is 3 / 8."""
    accepted = [judged(True, True)] * 3 + [judged(True, False)]
    rejected = [judged(False, True, weight=5, gain=0.2), judged(False, False, weight=5, gain=-0.4)]

    found = review_quality([*accepted, *rejected])

    assert found.precision == 0.75
    assert found.recall == pytest.approx(3 / 8)
    assert found.specificity == pytest.approx(5 / 6)
    assert found.rejected_in_all == 10
    assert found.rejected_gain == pytest.approx(-0.1)


def test_without_reviews_their_quality_is_undefined() -> None:
    found = review_quality([])

    assert (found.precision, found.recall, found.specificity, found.rejected_gain) == (None,) * 4


# -- together ---------------------------------------------------------------------------------------------------------


def test_an_empty_journal_has_measures_and_none_of_them_is_a_zero_that_was_not_measured() -> None:
    figures = headline(measure_episode(()))

    assert {name: value for name, value in figures.items() if value is not None} == {
        "messages": 0,
        "message_bytes": 0,
    }


def test_an_arm_averages_over_the_episodes_in_which_a_measure_is_defined() -> None:
    with_node, without = two_nodes().records, Pen().records
    closed = Closed(outcome="submitted")

    (arm,) = measures_by_arm([measure_episode([*records, closed]) for records in (with_node, without)])

    assert arm.episodes == 2
    assert arm.values["density"].mean == 0.4
    assert (arm.values["density"].defined, arm.values["density"].undefined) == (1, 1)
    assert arm.values["conformity_rate"].mean is None


def test_an_episode_under_way_is_measured_and_enters_no_average() -> None:
    measures = measure_episode(two_nodes().records)

    assert not measures.has_ended
    assert measures_by_arm([measures]) == ()
