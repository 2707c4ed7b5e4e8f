"""Measures and audit of studies that really ran: an offline team in the process workspace, and its controls."""

from pathlib import Path

import msgspec
import pytest
import trio

from benchmarks.measures import headline, measure_study, measures_by_arm
from benchmarks.measures.__main__ import main as measures_main
from benchmarks.measures.audit import (
    Verdict,
    audit_reviews,
    episode_verdicts,
    read_audit,
    sample_verdicts,
)
from benchmarks.measures.audit import main as audit_main
from benchmarks.measures.rescoring import archived_nodes, ended_episodes, rescore
from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.running import limits_for, run_plan
from engine.errors import UserError
from engine.messages import ArtefactHash


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full team and a solo researcher on the planted task, two seeds each."""
    folder = tmp_path_factory.mktemp("measured") / "study"
    plan = make_plan(Request(tasks=("planted",), team="full", seeds=2, evaluations=8, controls=("solo",)))

    async def run() -> None:
        await run_plan(plan, folder=folder, limits=limits_for(2), reporter=Quiet(), workspace="process")

    trio.run(run)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "audit" not in path.parts and "-" not in path.suffix
    }


def test_a_team_speaks_more_than_a_solo_researcher_whose_net_has_no_density(study: Path) -> None:
    solo, full = sorted(measures_by_arm(measure_study(study)), key=lambda arm: arm.arm != "solo")

    assert (solo.arm, full.arm) == ("solo", "full")
    assert solo.values["density"].mean is None
    assert full.values["density"].mean == 0.4
    assert (full.values["density_with_copies"].mean or 0) > 0.4
    assert (full.values["causal_depth"].mean or 0) > (solo.values["causal_depth"].mean or 0)


def test_the_code_that_was_handed_in_has_authors_for_all_its_lines(study: Path) -> None:
    for measures in measure_study(study):
        code = measures.provenance.code

        assert code is not None
        assert sum(each.share for each in code) == pytest.approx(1.0)
        assert {each.author for each in code} <= {"starter", "coder", "solo"}


def test_shares_and_rates_lie_between_nought_and_one(study: Path) -> None:
    for measures in measure_study(study):
        figures = headline(measures)
        for name in ("density", "duplicate_hypotheses", "verdict_with_evidence", "experimenter_busy_share"):
            value = figures[name]
            assert value is None or 0.0 <= value <= 1.0


def test_rescoring_every_node_finds_the_recorded_final_of_what_was_handed_in(study: Path) -> None:
    before = tree(study)

    scores = trio.run(lambda: rescore(study, workspace="process"))

    finals = {result.episode: result for result in ended_episodes(study)}
    handed_in = [each for each in scores if each.artefact == finals[each.episode].selected]
    assert {each.episode for each in handed_in} == set(finals)
    assert all(each.score.value == finals[each.episode].final.value for each in handed_in)
    assert tree(study) == before


def test_an_audit_runs_rejected_work_anyway_and_is_kept_beside_the_study(study: Path, tmp_path: Path) -> None:
    before = tree(study)

    audit = trio.run(lambda: audit_reviews(study, fraction=0.5, seed=3, workspace="process"))
    again = trio.run(lambda: audit_reviews(study, fraction=0.5, seed=3, workspace="process"))

    assert tree(study) == before
    assert audit == again == read_audit(study)
    assert {review.arm for review in audit.reviews} == {"full"}
    assert sum(not review.accepted for review in audit.reviews) > 0
    assert read_audit(tmp_path) is None


def test_whoever_rejects_half_is_audited_in_half_of_that(study: Path) -> None:
    verdicts = [v for r in ended_episodes(study) for v in episode_verdicts(study / "episodes" / r.episode)]
    rejected = [verdict for verdict in verdicts if not verdict.accepted]

    chosen = sample_verdicts(verdicts, fraction=0.5, seed=1)

    weights = [weight for verdict, weight in chosen if not verdict.accepted]
    assert len(weights) == -(-len(rejected) // 2)
    assert sum(weights) == pytest.approx(len(rejected))


def test_the_draw_of_one_arm_does_not_depend_on_the_others() -> None:
    def verdict(arm: str, node: int) -> Verdict:
        return Verdict(
            episode=arm, task="t", arm=arm, node=node, direction="max", accepted=False,
            candidate=ArtefactHash("1"), incumbent=ArtefactHash("0"),
        )  # fmt: skip

    own = [verdict("b", node) for node in range(20)]
    other = [verdict("a", node) for node in range(7)]

    alone = sample_verdicts(own, fraction=0.2, seed=5)
    beside = sample_verdicts([*other, *own], fraction=0.2, seed=5)

    assert alone == tuple(each for each in beside if each[0].arm == "b")
    assert len(alone) == 4


def test_the_commands_print_tables(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_main([str(study), "--workspace", "process"]) == 0
    assert "| planted | full |" in capsys.readouterr().out

    assert measures_main([str(study)]) == 0
    printed = capsys.readouterr().out

    assert "| causal_depth |" in printed
    assert "audited after the fact" in printed


def test_the_json_of_the_command_is_one_document_an_episode(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measures_main([str(study), "--json"]) == 0

    decoded = msgspec.json.decode(capsys.readouterr().out)

    assert len(decoded) == 4


def test_what_is_no_study_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measures_main([str(tmp_path)]) == 2
    assert "holds no episode with a journal" in capsys.readouterr().err
    assert audit_main([str(tmp_path), "--fraction", "2"]) == 2
    assert "is no share" in capsys.readouterr().err


def test_an_episode_that_has_not_ended_is_not_rescored(study: Path) -> None:
    (archived, *_) = archived_nodes(study, ended_episodes(study)[0].episode)
    stranger = msgspec.structs.replace(archived, episode="another")

    with pytest.raises(UserError, match="has not ended"):
        trio.run(lambda: rescore(study, [stranger], workspace="process"))
