"""A finished study is run again from its journals: no network, the same table, and a difference is told of."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from called import assert_sentence, call
from model_server import ChatRequest, Reply, completion, open_model_server
from run_cases import FAST, journals, needs_sandbox, researcher

import roles
from benchmarks.studies.arms import control_arms
from benchmarks.studies.conducting import conduct
from benchmarks.studies.design import ArmDesign, Design
from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.resolving import resolve
from benchmarks.studies.running import limits_for, run_plan
from benchmarks.studies.study import read_study
from engine.budget import Budget
from engine.replay import RecordedKind
from engine.seeds import Seeds
from mlyceum.replaying import ReplayReport, prepare_replay, replay_study
from mlyceum.single_error import single_error

MODEL = ArmDesign(name="full", model="openai/researcher")
FULL = Path(roles.__file__).parent / "teams" / "full.toml"
EPISODE = "planted--full.model--seed-1"


@pytest.fixture
def _sandbox() -> None:
    needs_sandbox()


@pytest.fixture
def offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished study of a team without a model."""
    folder = tmp_path / "origin"
    called = call(capsys, "run", "planted", "--budget", 5, "--seeds", 2, "--out", folder, *FAST)
    assert called.status == 0, called
    return folder


async def run_modelled(
    folder: Path, script: Callable[[ChatRequest], Reply] = researcher, *, evaluations: int = 2
) -> int:
    """A study that a model drives, run to its end; the server is gone afterwards. How often it was asked."""
    plan = make_plan(Request(tasks=("planted",), evaluations=evaluations, models=("local/any",)))
    async with open_model_server(script) as server:
        with single_error():
            await run_plan(
                plan, folder=folder, limits=limits_for(None), reporter=Quiet(), base_url=server.base_url
            )
    return len(server.requests)


async def replayed(origin: Path, out: Path, *recorded: RecordedKind) -> ReplayReport:
    replay = prepare_replay(origin, recorded=recorded)
    with single_error():
        return await replay_study(replay, folder=out, limits=limits_for(2), reporter=Quiet())


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file; what SQLite lays beside an index while one reads it left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and "sqlite-" not in path.name)
    return {path: path.read_bytes() for path in files}


def rewrite(study: Path, change: Callable[[dict[str, object]], None], *, episode: str = EPISODE) -> None:
    path = study / "episodes" / episode / "journal.jsonl"
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    for record in records:
        change(record)
    path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in records))


def test_a_team_without_a_model_does_the_same_again(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"

    called = call(capsys, "replay", offline, "--out", again, *FAST)

    assert called.status == 0, called
    assert "2 of 2 journals are equal, the table is the same" in called.out
    assert journals(again) == journals(offline)
    assert read_study(again).runs[0].replay_of == str(offline)


def test_the_report_is_one_document_and_nothing_in_the_origin_changes(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(offline)

    called = call(capsys, "replay", offline, "--out", tmp_path / "again", "--json", *FAST)

    report = msgspec.json.decode(called.out, type=ReplayReport)
    assert report.is_same
    assert [each.how for each in report.episodes] == ["again", "again"]
    assert report.summary.rows[0].score is not None
    assert contents(offline) == before


def test_one_episode_can_be_replayed_alone(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called = call(
        capsys, "replay", offline / "planted--full--seed-2", "--out", tmp_path / "again", "--json", *FAST
    )

    report = msgspec.json.decode(called.out, type=ReplayReport)
    assert [each.episode for each in report.episodes] == ["planted--full--seed-2"]


def test_a_score_that_is_not_what_it_was_is_told_of_unless_it_is_taken_from_the_record(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def flatter(record: dict[str, object]) -> None:
        outcome = record.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "Scored" and record["member"] == "judge":
            outcome["score"]["value"] = 0.9

    rewrite(offline, flatter, episode="planted--full--seed-1")
    again = call(capsys, "replay", offline, "--out", tmp_path / "again", *FAST)
    recorded = call(
        capsys, "replay", offline, "--out", tmp_path / "recorded", "--recorded", "scores", "--json", *FAST
    )

    assert again.status == 1
    assert "1 of 2 journals are equal" in again.out
    assert again.err.startswith("mlyceum: planted--full--seed-1 is not what it was: line ")
    (first, second) = msgspec.json.decode(recorded.out, type=ReplayReport).episodes
    # The journal is followed; the index still holds the score that was given then.
    assert "final" in first.difference
    assert second.is_same


def test_an_episode_that_had_not_ended_is_left_out(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = offline / "episodes" / "planted--full--seed-2" / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))

    called = call(capsys, "replay", offline, "--out", tmp_path / "again", *FAST)

    assert called.status == 0
    assert "planted--full--seed-2 had not ended and was left out" in called.out


def test_mistakes_are_told_in_a_sentence(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_sentence(call(capsys, "replay", tmp_path / "nowhere"), says="does not exist")
    assert_sentence(call(capsys, "replay", offline, "--out", offline, *FAST), says="name another folder")
    assert_sentence(call(capsys, "replay", offline / "planted--solo--seed-1"), says="unknown episode")
    study = json.loads((offline / "study.json").read_bytes())
    study["episodes"][0]["hashes"]["moves"] = "0" * 16
    (offline / "study.json").write_text(json.dumps(study))
    assert_sentence(
        call(capsys, "replay", offline, "--out", tmp_path / "again", *FAST), says="another version (moves"
    )


def test_where_arrival_decided_the_order_the_record_is_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, again, file = tmp_path / "origin", tmp_path / "again", tmp_path / "hasty.toml"
    full = re.sub(r"(?m)^(name|in_flight|arrival_order) *=.*$", "", FULL.read_text())
    file.write_text(f'name = "hasty"\nin_flight = 3\narrival_order = true\n{full}')
    ran = call(capsys, "run", "planted", "--team", file, "--budget", 6, "--out", origin, *FAST)

    called = call(capsys, "replay", origin, "--out", again, *FAST)

    assert ran.status == 0, ran
    assert called.status == 0, called
    assert "1 followed their record" in called.out
    assert journals(again) == journals(origin)


def test_a_fork_is_replayed_with_what_it_began_with(
    offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fork, again = tmp_path / "fork", tmp_path / "again"
    forked = call(
        capsys, "fork", offline / "planted--full--seed-1", "--at", 20, "--seed", 7, "--out", fork, *FAST
    )

    called = call(capsys, "replay", fork, "--out", again, *FAST)

    assert forked.status == 0, forked
    assert called.status == 0, called
    assert journals(again) == journals(fork)


@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_a_study_that_a_model_drove_is_run_again_without_it(tmp_path: Path) -> None:
    asked = await run_modelled(tmp_path / "origin")

    report = await replayed(tmp_path / "origin", tmp_path / "again")

    assert report.is_same, report
    assert report.episodes[0].calls == asked > 5
    assert journals(tmp_path / "again") == journals(tmp_path / "origin")


@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_nothing_is_done_again_where_all_is_taken_from_the_record(tmp_path: Path) -> None:
    await run_modelled(tmp_path / "origin")

    report = await replayed(tmp_path / "origin", tmp_path / "again", "commands", "scores")

    assert report.is_same, report
    assert not (tmp_path / "again" / "scores.jsonl").exists()


@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_a_failed_call_fails_again(tmp_path: Path) -> None:
    from model_server import empty_choices

    def moody(request: ChatRequest) -> Reply:
        return empty_choices() if request.ordinal == 3 else researcher(request)

    await run_modelled(tmp_path / "origin", moody)
    report = await replayed(tmp_path / "origin", tmp_path / "again")

    assert "BadResponse" in (tmp_path / "origin" / "episodes" / EPISODE / "journal.jsonl").read_text()
    assert report.is_same, report


@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_another_question_than_the_recorded_one_stops_the_episode_and_says_which(
    tmp_path: Path,
) -> None:
    def misremember(record: dict[str, object]) -> None:
        effect = record.get("effect")
        if isinstance(effect, dict) and effect["type"] == "ModelCall":
            for message in effect["new"]:
                if message["role"] == "user":
                    message["text"] = message["text"].replace("the", "teh", 1)

    await run_modelled(tmp_path / "origin")
    rewrite(tmp_path / "origin", misremember)
    report = await replayed(tmp_path / "origin", tmp_path / "again")

    (episode,) = report.episodes
    assert not report.is_same
    assert episode.difference.startswith("Divergence: the record of planted--full.model--seed-1, ")
    assert ", effect 1: the record has 'message " in episode.difference
    assert "teh" in episode.difference


@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_another_answer_than_the_model_gave_is_seen_in_what_follows(tmp_path: Path) -> None:
    def boast(record: dict[str, object]) -> None:
        outcome = record.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "ModelAnswer":
            for each in outcome["completion"]["message"].get("tool_calls", []):
                each["arguments"] = each["arguments"].replace("is better", "is best")

    await run_modelled(tmp_path / "origin")
    rewrite(tmp_path / "origin", boast)
    report = await replayed(tmp_path / "origin", tmp_path / "again")

    assert not report.is_same
    assert "is bes" in report.episodes[0].difference


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_a_study_with_controls_needs_neither_key_nor_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = (MODEL, *control_arms((MODEL,), ("solo", "best-of-n")))
    seeds = tuple(Seeds(task=seed, team=seed, evaluation=seed) for seed in (1, 2))
    design = Design(name="modelled", tasks=("planted",), arms=arms, seeds=seeds, budget=Budget(evaluations=3))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-this-test-only")
    async with open_model_server(researcher) as server:
        first = await conduct(
            resolve(design),
            folder=tmp_path / "origin",
            limits=limits_for(4),
            reporter=Quiet(),
            base_url=server.base_url,
        )

    monkeypatch.delenv("OPENAI_API_KEY")
    report = await replayed(tmp_path / "origin", tmp_path / "again")

    assert first.failed == {}
    assert report.is_same, report
    assert len(report.episodes) == 6
    assert sum(each.calls for each in report.episodes) == len(server.requests)
    assert [row.points for row in report.summary.rows] == [row.points for row in first.rows]


@pytest.mark.sandbox
@pytest.mark.usefixtures("_sandbox")
async def test_answers_come_from_the_record_even_where_a_server_stands(tmp_path: Path) -> None:
    await run_modelled(tmp_path / "origin")

    async with open_model_server(lambda request: completion("never", ordinal=request.ordinal)) as server:
        report = await replayed(tmp_path / "origin", tmp_path / "again")

    assert report.is_same
    assert server.requests == []
