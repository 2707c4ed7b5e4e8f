"""Tasks of a checkout: found or refused, scored by their own evaluator; what an artefact rewrites gains nothing."""

import os
from pathlib import Path

import pytest
from mlgym_checkouts import write_checkout

from engine.errors import BadSpecification, UnknownName, UserError
from engine.store import ArtefactStore
from engine.task import Score
from engine.workspace import make_backend
from tasks.mlgym_folder.checkout import open_checkout
from tasks.mlgym_folder.names import checkout_names
from tasks.mlgym_folder.needs import missing
from tasks.mlgym_folder.package import FolderTask, open_folder_task
from tasks.registry import open_task, task_id
from tasks.scoring import SandboxJudge

pytest.importorskip("yaml", reason="needs PyYAML (extra mlgym)")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write_checkout(tmp_path / "checkout")
    monkeypatch.setenv("MLYCEUM_MLGYM", str(root))
    return root


async def scored(
    task: FolderTask, files: dict[str, bytes], place: Path, protocol="verified", split="final"
) -> Score:
    backend = (await make_backend("sandbox")).backend
    store = ArtefactStore(place)
    judge = SandboxJudge(task, protocol, store=store, backend=backend, cache=None)
    score, _ = await judge.score(store.put({**task.starter, **files}), split=split, seed=1)
    return score


def test_a_task_of_the_checkout_is_opened_by_its_prefixed_name(root: Path) -> None:
    task = open_task("mlgym-cardGame")

    assert isinstance(task, FolderTask)
    assert (task.card.id, task.card.metric, task.card.direction, task.card.baseline) == (
        "mlgym-cardGame",
        "Hits",
        "max",
        0.5,
    )
    assert (task.own, task.protected) == (("guess.py",), ("dealer.py", "evaluate.py"))
    assert task_id("mlgym-cardGame") == "mlgym-cardGame"


def test_the_brief_is_the_checkouts_with_its_data_sets_described(root: Path) -> None:
    assert "ROWS: two rows" in open_task("mlgym-rowTask").brief


def test_what_a_task_lacks_here_is_said_in_one_sentence(root: Path) -> None:
    checkout = open_checkout(root)

    why = missing(checkout, checkout.task("heavyTask"))

    assert "torch" in why
    assert "torchrun" in why
    assert "some/where" in why
    with pytest.raises(UserError, match=r"heavyTask of the checkout .* cannot be run here: it needs"):
        open_folder_task("mlgym-heavyTask")


def test_a_data_folder_that_is_not_in_the_checkout_is_named(root: Path) -> None:
    (root / "data/rowTask/data/rows.txt").unlink()
    (root / "data/rowTask/data").rmdir()

    with pytest.raises(UserError, match="the data folder data/rowTask/data, which is not in the checkout"):
        open_folder_task("mlgym-rowTask")


def test_beside_the_option_plain_ids_mean_the_checkouts_tasks(root: Path) -> None:
    assert checkout_names(("cardGame", "3-sat"), root) == ("mlgym-cardGame", "3-sat")
    assert checkout_names(("cardGame",), None) == ("cardGame",)


def test_an_unknown_task_and_a_folder_that_is_no_checkout_are_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="cardGame"):
        open_task("mlgym-cardGames")
    with pytest.raises(UserError, match="no checkout of MLGym"):
        open_folder_task("mlgym-cardGame", tmp_path)


def test_without_a_checkout_the_sentence_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLYCEUM_MLGYM", raising=False)

    with pytest.raises(UserError, match="--mlgym-root or MLYCEUM_MLGYM"):
        open_task("mlgym-cardGame")


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.py"])
def test_a_configuration_may_not_name_files_outside_the_checkout(root: Path, path: str) -> None:
    (root.parent / "outside.py").write_text("")
    text = (root / "configs/tasks/cardGame.yaml").read_text()
    (root / "configs/tasks/cardGame.yaml").write_text(text.replace("data/cardGame/dealer.py", path))

    with pytest.raises(BadSpecification, match="outside the checkout"):
        open_checkout(root).starter_files(open_checkout(root).task("cardGame"))


def test_a_damaged_configuration_is_one_sentence(root: Path) -> None:
    (root / "configs/tasks/cardGame.yaml").write_text("id: [")

    with pytest.raises(BadSpecification, match="is not YAML"):
        open_task("mlgym-cardGame")


@pytest.mark.sandbox
async def test_the_checkouts_evaluator_scores_and_a_seed_repeats(root: Path, tmp_path: Path) -> None:
    task = open_folder_task("mlgym-cardGame")

    first = await scored(task, {}, tmp_path / "a", split="feedback")
    again = await scored(task, {}, tmp_path / "b", split="feedback")
    final = await scored(task, {}, tmp_path / "c")

    assert first == again
    assert first.value is not None
    assert abs(first.value - 0.5) < 4 * 0.016
    assert final.metrics["evaluator runs"] == 4
    assert 0 < final.standard_error < 0.05


@pytest.mark.sandbox
async def test_a_rewritten_opponent_gains_nothing_under_verified_and_is_reported(
    root: Path, tmp_path: Path
) -> None:
    task = open_folder_task("mlgym-cardGame")
    tamed = {"dealer.py": b"def card():\n    return 0\n"}

    verified = await scored(task, tamed, tmp_path / "a", split="feedback")
    published = await scored(task, tamed, tmp_path / "b", "mlgym", split="feedback")

    assert verified.value is not None
    assert verified.value < 0.6
    assert published.value == 1.0
    for score in (verified, published):
        assert [(each.kind, each.detail.split(":")[0]) for each in score.findings] == [
            ("changed-hash", "dealer.py is not the checkout's")
        ]


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"evaluate.py": b"print('{\"Hits\": 1}')\n"}, "changed-hash"),
        ({"random.py": b"def randrange(n):\n    return 0\n"}, "changed-hash"),
        ({"dealer/__init__.py": b"def card():\n    return 0\n"}, "changed-hash"),
        ({"__pycache__/dealer.cpython-311.pyc": b"x"}, "changed-hash"),
    ],
)
async def test_ways_round_the_evaluator_end_at_the_files_that_are_put_back(
    root: Path, tmp_path: Path, files: dict[str, bytes], kind: str
) -> None:
    score = await scored(open_folder_task("mlgym-cardGame"), files, tmp_path, split="feedback")

    assert score.value is None or score.value < 0.6
    assert kind in {each.kind for each in score.findings}


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"raise RuntimeError('no idea')\n", "exit status 1: RuntimeError: no idea"),
        (b"print('hello')\ndef guess(seen):\n    return 0\n", "not one JSON object"),
        (b"import os\nprint('{\"Hits\": 1}', flush=True)\nos._exit(0)\n", "ended before its end"),
        (
            b"import json\njson.dumps = lambda _: '{\"Hits\": NaN}'\ndef guess(seen):\n    return 0\n",
            "printed nan",
        ),
        (
            b"import json\njson.dumps = lambda _: '{\"Luck\": 1}'\ndef guess(seen):\n    return 0\n",
            "printed no Hits",
        ),
        (
            b"import json\njson.dumps = lambda _: '{\"Hits\": true}'\ndef guess(seen):\n    return 0\n",
            "printed no Hits",
        ),
    ],
)
async def test_output_that_is_no_score_is_none(root: Path, tmp_path: Path, source: bytes, said: str) -> None:
    score = await scored(open_folder_task("mlgym-cardGame"), {"guess.py": source}, tmp_path, split="feedback")

    assert score.value is None
    assert said in score.failure


@pytest.mark.sandbox
async def test_data_lies_beside_a_table_submission_and_its_absence_is_told(
    root: Path, tmp_path: Path
) -> None:
    task = open_folder_task("mlgym-rowTask")

    score = await scored(task, {"submission.csv": b"x\ny\nz\n"}, tmp_path / "a", split="feedback")
    none = await scored(task, {}, tmp_path / "b", split="feedback")

    assert score.value == 5
    assert none.failure == "submission.csv is missing"


@pytest.fixture
def mlgym() -> Path:
    named = os.environ.get("MLYCEUM_MLGYM", "")
    if not named or not (Path(named) / "configs/tasks/battleOfSexes.yaml").exists():
        pytest.skip("needs a checkout of MLGym (set MLYCEUM_MLGYM to its folder)")
    return Path(named)


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("name", "expected", "error"),
    [("battleOfSexes", 1.021037, 0.0034), ("prisonersDilemma", 2.37752, 0.0050), ("blotto", -0.2461, 0.0024)],
)
async def test_mlgyms_own_games_score_their_starter_as_exact_values_say(
    mlgym: Path, tmp_path: Path, name: str, expected: float, error: float
) -> None:
    score = await scored(open_folder_task(f"mlgym-{name}", mlgym), {}, tmp_path, "mlgym")

    assert score.value is not None
    assert abs(score.value - expected) < 4 * error


@pytest.mark.slow
@pytest.mark.sandbox
async def test_mlgyms_own_sat_task_counts_the_published_decisions(mlgym: Path, tmp_path: Path) -> None:
    score = await scored(open_folder_task("mlgym-3SATTime", mlgym), {}, tmp_path, "mlgym")

    assert (score.metrics["Decisions"], score.metrics["Correct"]) == (86_097, 23_997)
