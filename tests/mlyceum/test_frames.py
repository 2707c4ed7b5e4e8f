"""`mlyceum.load`: a study's record as frames, with the schema that the docs name."""

import subprocess
import sys
import types
from pathlib import Path

import msgspec
import pytest
from written_studies import cut_short, write_study

from engine.errors import RecordDamaged, UnknownName, UserError
from engine.index import open_index
from mlyceum import load
from mlyceum.folders import NotAStudy
from mlyceum.frame_rows import ROWS, columns

polars = pytest.importorskip("polars")
DATA_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "data.md"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames") / "study"
    write_study(folder, seeds=2, evaluations=6, broken_seeds=(2,))
    return folder


def test_every_frame_has_the_columns_and_types_that_its_rows_declare(study: Path) -> None:
    kinds = {"text": "String", "int": "Int64", "float": "Float64", "bool": "Boolean"}

    for name, frame in load(study).make().items():
        declared = {column.name: column for column in columns(name)}
        assert frame.columns == list(declared)
        for column, dtype in frame.schema.items():
            kind = declared[column].kind
            assert str(dtype) == kinds.get(kind, f"List({kinds.get(kind[:-1])})"), (name, column)
            assert declared[column].optional or not frame[column].null_count(), (name, column)


def test_the_reference_page_names_every_column_with_unit_and_meaning() -> None:
    page = DATA_PAGE.read_text(encoding="utf-8")

    for name in ROWS:
        for column in columns(name):
            unit = column.unit or ("text of agents" if column.untrusted else "")
            assert (
                f"| `{column.name}` | {column.kind}{'?' if column.optional else ''} | {unit} | {column.means} |"
                in page
            )


def test_scores_of_an_episode_are_those_of_its_result(study: Path) -> None:
    frames = load(study)
    with open_index(study / "index.sqlite", read_only=True) as index:
        result = index.results()[0]

    feedback = frames.scores.filter(episode=result.episode, split="feedback")
    episode = frames.episodes.filter(episode=result.episode).row(0, named=True)

    assert feedback["value"].to_list() == [each.value for each in result.feedback]
    assert episode["final"] == result.final.value
    assert frames.scores.filter(episode=result.episode, split="final")["is_selected"].any()
    assert episode["arm"] == "full"
    assert episode["block"] == "battle-of-sexes/1"


def test_an_artefact_without_a_score_counts_as_the_baseline(study: Path) -> None:
    broken = load(study).episodes.filter(team_seed=2).row(0, named=True)

    assert broken["final"] is None
    assert broken["counted"] == broken["baseline"]
    assert "strategy.py is missing" in broken["reason"]


def test_a_curve_has_a_row_for_each_evaluation_and_one_before_them(study: Path) -> None:
    frames = load(study)
    curve = frames.curves.filter(episode="battle-of-sexes--full--seed-1")
    result = frames.results[0]
    values = [each.value for each in result.feedback]

    assert curve["evaluation"].to_list() == list(range(len(values) + 1))
    assert curve["value"].to_list() == [None, *values]
    assert curve["best_feedback"].to_list()[-1] == max(value for value in values if value is not None)
    assert curve["standing"].to_list()[-1] == result.selected
    assert curve["steps"].to_list()[-1] == result.spending["steps"]


def test_experiments_spend_the_evaluations_that_the_episode_spent(study: Path) -> None:
    frames = load(study)

    spent = frames.experiments.group_by("episode").agg(polars.col("evaluations").sum().alias("spent"))
    both = spent.join(frames.episodes, on="episode")

    assert both["spent"].to_list() == both["evaluations"].to_list()


def test_rows_join_across_frames(study: Path) -> None:
    frames = load(study)

    answered = frames.experiments.filter(polars.col("answer_seq").is_not_null())
    answers = answered.join(frames.messages, left_on=["episode", "answer_seq"], right_on=["episode", "seq"])
    nodes = answered.join(frames.nodes, on=["episode", "node"])

    assert answers.height == nodes.height == answered.height
    assert set(answers["type"]) == {"RunResult"}


def test_an_unfinished_study_can_be_loaded(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", seeds=3, evaluations=4)
    cut_short(study, "battle-of-sexes--full--seed-2", lines=20)
    (study / "episodes" / "battle-of-sexes--full--seed-3" / "journal.jsonl").unlink()
    import sqlite3

    with sqlite3.connect(study / "index.sqlite") as connection:
        connection.execute("DELETE FROM episodes WHERE episode LIKE '%seed-3'")
    connection.close()

    frames = load(study)

    assert frames.episodes["state"].to_list() == ["ended", "unfinished", "waiting"]
    assert frames.episodes["final"].null_count() == 2
    assert frames.messages["episode"].n_unique() == 2


def test_a_study_without_an_episode_has_empty_frames_of_the_same_types(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"version": 1, "episodes": [], "runs": []}')

    frames = load(tmp_path).make()

    assert {frame.height for frame in frames.values()} == {0}
    assert frames["scores"].schema["value"] == polars.Float64


def test_the_lock_adds_the_studys_name_the_kinds_of_arms_and_the_pilot(tmp_path: Path) -> None:
    from benchmarks.studies.design import LOCK, ArmDesign, Design, Lock
    from engine.seeds import Seeds

    study = write_study(tmp_path / "study", seeds=2, evaluations=3)
    design = Design(
        name="does-it-matter",
        tasks=("battle-of-sexes",),
        arms=(ArmDesign(name="full", kind="control"),),
        seeds=(Seeds(task=2, team=2, evaluation=2),),
        pilot_seeds=(Seeds(task=1, team=1, evaluation=1),),
    )
    (study / LOCK).write_bytes(msgspec.json.encode(Lock(design=design)))

    episodes = load(study).episodes

    assert episodes["study"].unique().to_list() == ["does-it-matter"]
    assert episodes["arm_kind"].unique().to_list() == ["control"]
    assert episodes["is_pilot"].to_list() == [True, False]


def test_labelled_rows_say_their_arm_and_block(study: Path) -> None:
    labelled = load(study).labelled("nodes")

    assert labelled.columns[:6] == ["episode", "task", "arm", "block", "is_pilot", "node"]
    assert labelled.height == load(study).nodes.height


def test_pandas_is_used_where_it_is_there(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of the one name that is used: pandas is no dependency."""
    stand_in = types.ModuleType("pandas")
    stand_in.DataFrame = lambda data, columns: (data, columns)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", stand_in)

    data, names = load(study).to_pandas("scores")  # type: ignore[misc]

    assert names == [column.name for column in columns("scores")]
    assert len(data["value"]) == load(study).scores.height


def test_without_pandas_a_sentence_says_what_to_do(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(UserError, match="pip install pandas"):
        load(study).to_pandas("scores")


def test_without_polars_a_sentence_names_the_extra(study: Path) -> None:
    program = f"""
import sys
sys.modules["polars"] = None
import mlyceum
try:
    mlyceum.load({str(study)!r}).scores
except mlyceum.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "pip install 'mlyceum[study]'" in done.stdout


def test_what_cannot_be_loaded_is_said(study: Path, tmp_path: Path) -> None:
    with pytest.raises(NotAStudy):
        load(tmp_path / "nothing")
    with pytest.raises(UnknownName, match="scores"):
        load(study).frame("score")


def test_a_damaged_journal_is_named_and_not_left_out(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", evaluations=3)
    journal = next(study.glob("episodes/*/journal.jsonl"))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"{}\n", *lines[1:]]))

    with pytest.raises(RecordDamaged, match="line 2"):
        _ = load(study).messages
