"""Whole teams on the real engine: every make-up runs, is scored, and repeats message for message."""

from pathlib import Path

import pytest
from conformance.role_suite import NAMES, check_conversation, every_team
from laboratory import HillTask, NoisyJudge, play, truth

from engine.errors import UserError
from engine.journal import Posted, Started, read_journal, without_measured
from engine.task import Finding
from engine.team import TeamSpec
from roles import apply, assemble, named_team, parse_patch, team_names

EVERY_TEAM = {team.name + f" {len(team.patches)}": team for team in every_team()}


def record(folder: Path) -> tuple[list[Posted], list[Started]]:
    records = [each for path in sorted(folder.rglob("*.jsonl")) for each in read_journal(path)]
    return [r for r in records if isinstance(r, Posted)], [r for r in records if isinstance(r, Started)]


def bodies(folder: Path, kind: str) -> list[object]:
    return [each.body for each in record(folder)[0] if type(each.body).__name__ == kind]


def lines(folder: Path) -> list[bytes]:
    return [
        without_measured(line)
        for path in sorted(folder.rglob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


@pytest.mark.parametrize("name", EVERY_TEAM)
async def test_every_subset_of_roles_in_both_senses_runs_and_is_scored(name: str, tmp_path: Path) -> None:
    result = await play(EVERY_TEAM[name], evaluations=6, folder=tmp_path)

    assert (result.outcome, result.reason) == ("submitted", "")
    assert result.final.value is not None
    check_conversation(*record(tmp_path), evaluations=6)


@pytest.mark.parametrize("name", [name for name in team_names() if name != "mlgym"])  # that one needs a model
async def test_a_named_team_repeats_byte_for_byte(name: str, tmp_path: Path) -> None:
    first = await play(named_team(name), evaluations=10, folder=tmp_path / "1")
    second = await play(named_team(name), evaluations=10, folder=tmp_path / "2")

    assert lines(tmp_path / "1") == lines(tmp_path / "2")
    assert first.selected == second.selected
    assert first.evaluations <= 10


async def test_another_seed_makes_another_search(tmp_path: Path) -> None:
    await play(named_team("full"), seed=1, folder=tmp_path / "1")
    await play(named_team("full"), seed=2, folder=tmp_path / "2")

    assert bodies(tmp_path / "1", "Hypothesis") != bodies(tmp_path / "2", "Hypothesis")


async def test_arms_share_their_first_draw(tmp_path: Path) -> None:
    for name in ("full", "random-search"):
        await play(named_team(name), evaluations=2, folder=tmp_path / name)
    without = apply(named_team("full"), parse_patch("remove reviewer vacuous"))
    await play(without, evaluations=2, folder=tmp_path / "without")

    first = {
        body.point["kind"]
        for arm in ("full", "random-search", "without")
        for body in bodies(tmp_path / arm, "Hypothesis")[:1]
    }  # type: ignore[attr-defined]
    assert len(first) == 1


@pytest.mark.parametrize("topic", ["hypotheses", "patches", "results", "reviews", "selections"])
@pytest.mark.parametrize("kind", ["mute", "shuffle", "drop 0.5", "delay 2"])
async def test_a_team_runs_with_a_topic_disturbed(kind: str, topic: str) -> None:
    word, _, amount = kind.partition(" ")
    team = apply(named_team("full"), parse_patch(f"{word} {topic} {amount}".strip()))

    result = await play(team, evaluations=8)

    assert result.outcome == "submitted"
    assert result.evaluations == 8


async def test_muted_results_leave_the_hypothesizer_without_a_clue(tmp_path: Path) -> None:
    team = apply(named_team("full"), parse_patch("mute results"))
    heard = [(await play(named_team("full"), seed=s, evaluations=25)).final.value or 0.0 for s in range(1, 6)]
    deaf = [(await play(team, seed=s, evaluations=25)).final.value or 0.0 for s in range(1, 6)]

    assert sum(heard) > sum(deaf)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("team", ["full", "random-search", "best-of-n"])
async def test_several_nodes_in_flight_never_overrun_the_budget(
    team: str, width: int, tmp_path: Path
) -> None:
    spec = named_team(team)
    spec = TeamSpec(**{**{f: getattr(spec, f) for f in spec.__struct_fields__}, "in_flight": width})
    for role in ("coder", "experimenter"):
        spec = apply(spec, parse_patch(f"duplicate {role} {width}"))

    result = await play(spec, evaluations=9, folder=tmp_path)

    check_conversation(*record(tmp_path), evaluations=9)
    assert 7 <= result.evaluations <= 9


async def test_the_full_team_finds_the_top_and_beats_chance() -> None:
    full = [(await play(named_team("full"), seed=s, evaluations=30)).final.value or 0.0 for s in range(1, 7)]
    chance = [
        (await play(named_team("random-search"), seed=s, evaluations=30)).final.value or 0.0
        for s in range(1, 7)
    ]

    assert sorted(full)[1] > 0.75  # of 0.8; one of six may be a step short of it
    assert min(full) > 0.7
    assert sum(full) > sum(chance)


async def test_a_task_where_less_is_better_is_searched_downwards() -> None:
    result = await play(named_team("full"), task=HillTask(direction="min"), evaluations=25)

    assert result.final.value is not None
    assert result.final.value < -0.7


async def test_a_broken_corner_costs_a_team_without_its_coder_evaluations(tmp_path: Path) -> None:
    await play(
        apply(named_team("random-search"), parse_patch("remove coder vacuous")),
        evaluations=12,
        folder=tmp_path / "without",
    )
    await play(named_team("random-search"), evaluations=12, folder=tmp_path / "with")

    failed = {
        arm: sum(not each.evidence for each in bodies(tmp_path / arm, "RunResult"))
        for arm in ("with", "without")
    }  # type: ignore[attr-defined]
    assert failed["with"] == 0
    assert failed["without"] > 0


async def test_what_crossed_the_boundary_is_reported_as_a_leak_and_never_accepted(tmp_path: Path) -> None:
    finding = Finding(kind="denied-call", detail="socket")
    result = await play(
        named_team("full"),
        evaluations=6,
        folder=tmp_path,
        judge=lambda store: NoisyJudge(store, truth, error=0.02, findings=(finding,)),
    )

    reviews = bodies(tmp_path, "Review")
    assert {each.objections[0].kind for each in reviews} == {"leak"}  # type: ignore[attr-defined]
    assert result.final.value == pytest.approx(0.2)  # the starter stands


async def test_artefacts_that_earn_no_score_end_with_the_starter(tmp_path: Path) -> None:
    result = await play(
        named_team("full"),
        evaluations=5,
        folder=tmp_path,
        judge=lambda store: NoisyJudge(store, lambda _: None, error=0.02),
    )

    assert result.outcome == "submitted"
    assert result.evaluations == 5


@pytest.mark.parametrize("team", ["full", "solo", "best-of-n", "random-search"])
async def test_one_evaluation_is_enough_to_hand_something_in(team: str) -> None:
    assert (await play(named_team(team), evaluations=1)).outcome == "submitted"


async def test_a_task_without_moves_needs_a_model() -> None:
    with pytest.raises(UserError, match="declares no moves"):
        assemble(named_team("full"), HillTask(moves=False))


def test_a_model_driven_role_without_a_model_is_refused_in_one_sentence() -> None:
    for role in NAMES:
        team = apply(named_team("full"), parse_patch(f"replace {role} model"))
        with pytest.raises(UserError, match="--model"):
            assemble(team, HillTask())
