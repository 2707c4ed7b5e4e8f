"""A recorded run played again: its answers, its workspace, its evaluations; on a checkout and a run of our own making."""

from pathlib import Path

import msgspec
import pytest
from mlgym_checkouts import write_checkout

from benchmarks.mlgym_replay.playing import play, select
from benchmarks.mlgym_replay.running import Options, RunRow
from benchmarks.mlgym_replay.tables import markdown, summarise
from engine.errors import UserError
from engine.models.interface import AssistantMessage, UserMessage
from roles.mlgym.replay import action_of
from roles.mlgym.replay_model import SUBMIT, is_recorded, open_recorded, recorded_answers
from roles.mlgym.trajectory import Step, read_trajectory
from tasks.mlgym_folder import needs

pytest.importorskip("yaml", reason="needs PyYAML (extra mlgym)")

HOME = "/home/agent/workspace"
GUESS_WINDOW = f"[File: {HOME}/guess.py (2 lines total)]\n1:def guess(seen):\n2:    return 0"
ONES_WINDOW = f"[File: {HOME}/guess.py (2 lines total)]\n1:def guess(seen):\n2:    return 1\nwell done"


def scored(value: float) -> str:
    return f"fine\nEvaluation Score: {{'Hits': {value}}}"


HONEST = [
    ("ls -F\n", "dealer.py\nevaluate.py*\nguess.py"),
    ("validate\n", scored(0.49)),
    ('open "guess.py"\n', GUESS_WINDOW),
    ("edit 2:2\n    return (\nend_of_edit\n", "Yours has introduced new syntax error(s)\n- E999 oh no"),
    ("edit 2:2\n    return 1\nend_of_edit\n", ONES_WINDOW),
    ('open "gone.py"\n', "File gone.py not found"),
    ("validate\n", scored(0.52)),
    (
        "python -c 'print(1 / 0)'\n",
        'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\nZeroDivisionError: division by zero',
    ),
    ("submit\n", "Exited (submit)"),
]
REWRITING = [
    ("printf 'def card():\\n    return 0\\n' > dealer.py\n", ""),
    ("validate\n", scored(1.0)),
    ("submit\n", ""),
]


def write_run(folder: Path, steps, scores, *, status="submitted") -> Path:
    folder.mkdir(parents=True)
    trajectory = [
        {
            "action": action,
            "observation": said,
            "response": f"I think so.\n\n```\n{action}```\n",
            "thought": "I think so.",
        }
        for action, said in steps
    ]
    info = {"exit_status": status, "score": [{"Hits": each} for each in scores]}
    path = folder / "cardGame.traj"
    path.write_bytes(msgspec.json.encode({"trajectory": trajectory, "history": [], "info": info}))
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write_checkout(tmp_path / "checkout")
    monkeypatch.setenv("MLYCEUM_MLGYM", str(root))
    # What these runs import is the standard library's: no environment has to be built.
    monkeypatch.setattr("benchmarks.mlgym_replay.running.PACKAGES", {})
    assert needs.PACKAGES
    return root


async def played(path: Path, **options) -> RunRow:
    chosen = select([path])
    (row,) = await play(chosen, options=Options(**options), jobs=1)
    return row


@pytest.mark.slow
@pytest.mark.sandbox
async def test_a_run_that_repeats_is_the_same_in_every_step(checkout: Path, tmp_path: Path) -> None:
    row = await played(write_run(tmp_path / "runs" / "honest", HONEST, [0.49, 0.52, 0.5]))

    assert [step.difference for step in row.rows] == [""] * len(HONEST)
    assert row.changed == ()
    assert row.replayed_final is not None
    assert abs(row.replayed_final["Hits"] - 0.5) < 0.1


@pytest.mark.sandbox
async def test_the_run_that_rewrote_its_opponent_is_flagged_and_its_score_is_gone_once_that_is_put_back(
    checkout: Path, tmp_path: Path
) -> None:
    row = await played(write_run(tmp_path / "runs" / "rewriting", REWRITING, [1.0, 1.0]))

    assert row.changed == ("dealer.py",)
    assert row.best_changed == 1.0
    assert row.verified_best is not None
    assert row.verified_best < 0.6
    report = summarise([row], checkout="here", selection="1 of 1")
    assert [flag.run for flag in report.flags] == ["rewriting"]
    assert "dealer.py" in markdown(report)


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("number", "instead", "difference"),
    [
        (1, ("validate\n", scored(0.9)), "score"),
        (1, ("validate\n", "Failed. Traceback (most recent call last):\nValueError: no"), "no score"),
        (
            2,
            (
                'open "guess.py"\n',
                GUESS_WINDOW.replace("return 0", "return 7").replace("guess.py", "other.py"),
            ),
            "window",
        ),
        (3, ("edit 2:2\n    return (\nend_of_edit\n", ONES_WINDOW), "lint verdict"),
        (5, ('open "gone.py"\n', "No file open. Open one."), "error kind"),
        (7, ("python -c 'print(1 / 0)'\n", "two"), "program output"),
        (0, ("ls\n", "dealer.py\nevaluate.py"), "listing"),
        (7, ("python -c 'print(1)'\n", "Exited (max_steps)"), "ending"),
    ],
)
async def test_each_kind_of_difference_is_found_and_named(
    checkout: Path, tmp_path: Path, number: int, instead: tuple[str, str], difference: str
) -> None:
    steps = [instead if place == number else step for place, step in enumerate(HONEST)]

    row = await played(write_run(tmp_path / "runs" / "other", steps, [0.49, 0.52, 0.5]), verify=False)

    assert row.rows[number].difference == difference


@pytest.mark.sandbox
async def test_a_run_that_saw_an_earlier_starter_file_is_played_with_that(
    checkout: Path, tmp_path: Path
) -> None:
    older = f"[File: {HOME}/guess.py (1 lines total)]\n1:def guess(seen): return 0"
    edited = f"[File: {HOME}/guess.py (1 lines total)]\n1:def guess(seen): return 1"
    steps = [('open "guess.py"\n', older), ("edit 1:1\ndef guess(seen): return 1\nend_of_edit\n", edited)]

    row = await played(write_run(tmp_path / "runs" / "older", steps, [], status="exit_forfeit"))

    assert [step.difference for step in row.rows] == ["", ""]
    assert row.older_files == ("guess.py",)


@pytest.mark.sandbox
async def test_an_interrupted_replay_goes_on_with_what_is_missing(checkout: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / "runs" / name, HONEST[:1], [])
    told: list[str] = []
    first = select([tmp_path / "runs" / "a" / "cardGame.traj"])
    await play(first, options=Options(), jobs=1, folder=tmp_path / "out")

    rows = await play(
        select([tmp_path / "runs"]),
        options=Options(),
        jobs=2,
        folder=tmp_path / "out",
        told=lambda row: told.append(row.name),
    )

    assert told == ["b"]
    assert [row.name for row in rows] == ["a", "b"]


def test_runs_of_tasks_that_cannot_be_played_are_left_out_with_why(checkout: Path, tmp_path: Path) -> None:
    place = write_run(tmp_path / "runs" / "x", REWRITING, [])
    place.rename(place.with_name("heavyTask.traj"))
    write_run(tmp_path / "runs" / "y", REWRITING, [])

    chosen = select([tmp_path / "runs"])

    assert [each.name for each in chosen.runs] == ["y"]
    assert "torch" in chosen.refused["heavyTask"]
    with pytest.raises(UserError, match="no trajectory to play"):
        select([tmp_path / "runs"], tasks=["heavyTask"])


def test_a_sample_is_drawn_by_its_seed(checkout: Path, tmp_path: Path) -> None:
    for number in range(9):
        write_run(tmp_path / "runs" / str(number), REWRITING, [])

    first = select([tmp_path / "runs"], sample=3, seed=1)

    assert first == select([tmp_path / "runs"], sample=3, seed=1)
    assert len(first.runs) == 3
    assert first.sentence() == "3 of 9 trajectories found"


def test_an_action_is_read_from_the_answer_and_an_exit_is_taken_as_recorded() -> None:
    answer = Step(action="ls\n", observation="", response="look\n\n```\nls -a\n```\n")
    limit = Step(action="exit_cost", observation="", response="the money is gone")

    assert action_of(answer) == "ls -a\n"
    assert action_of(limit) == "exit_cost"


def test_a_recorded_model_gives_the_answers_in_order_then_submits(tmp_path: Path) -> None:
    path = write_run(tmp_path / "runs" / "x", REWRITING[:2], [])
    answers = recorded_answers(read_trajectory(path.read_bytes(), where="x"))
    model = open_recorded(f"recorded/{path}")

    async def ask() -> list[str]:
        said, talk = [], [UserMessage(text="begin")]
        for _ in range(3):
            said.append((await model.generate(tuple(talk))).completion.message.text)
            talk += [AssistantMessage(text=said[-1]), UserMessage(text="on")]
        return said

    import trio

    assert is_recorded(model.name)
    assert trio.run(ask) == [*answers, SUBMIT]


def test_a_recorded_model_without_its_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        open_recorded(f"recorded/{tmp_path}/gone.traj")
