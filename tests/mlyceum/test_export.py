"""`mlyceum export`: files, tables, trajectories and W&B runs of a study."""

import json
import re
import sqlite3
import sys
import types
from pathlib import Path

import pytest
from called import assert_sentence, call
from watched_studies import (
    CODER,
    beginning,
    ended,
    evaluated,
    measured,
    specs_of,
    write_journal,
    write_watched,
)
from written_studies import write_study

from benchmarks.studies.looks import read_looks
from engine.effects import ModelAnswer, ModelCall
from engine.journal import AnyRecord, Finished, Started
from engine.models.interface import (
    AssistantMessage,
    Completion,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from mlyceum import load
from mlyceum.export.result_tables import ResultTable, latex, markdown
from mlyceum.export.trajectories import conversation_of, read_trajectories
from mlyceum.export.wandb_runs import run_id
from mlyceum.frame_rows import ROWS, columns

polars = pytest.importorskip("polars")
HOSTILE = '=HYPERLINK("http://x","y")\x1b[2J\u202e'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("export") / "study", seeds=2, evaluations=5)


# -- files ----------------------------------------------------------------------------------------------------------


def test_parquet_files_read_back_as_the_frames(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = call(capsys, "export", study, "--to", "parquet", "--out", tmp_path / "out")

    assert done.status == 0
    assert "2 episodes, " in done.err
    for name, frame in load(study).make().items():
        assert polars.read_parquet(tmp_path / "out" / f"{name}.parquet").equals(frame)


def test_json_lines_hold_a_row_each(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "export", study, "--to", "jsonl", "--frames", "nodes, scores", "--out", tmp_path / "out")

    rows = [json.loads(line) for line in (tmp_path / "out" / "nodes.jsonl").read_text().splitlines()]

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"nodes.jsonl", "scores.jsonl"}
    assert rows == load(study).nodes.to_dicts()


def test_a_database_has_a_typed_table_for_each_frame(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "export", study, "--to", "sqlite", "--out", tmp_path / "study.db")

    connection = sqlite3.connect(tmp_path / "study.db")
    joined = connection.execute(
        "SELECT count(*) FROM scores JOIN episodes USING (episode) WHERE arm = 'full' AND split = 'feedback'"
    ).fetchone()
    lists = connection.execute('SELECT "values" FROM nodes').fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()

    assert tables == set(ROWS)
    assert joined == (10,)
    assert isinstance(json.loads(lists[0]), list)


def test_no_text_of_an_agent_is_a_formula_in_a_spreadsheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specs = specs_of("full", seeds=1)
    result = ended(specs[0], None, seconds=1)
    study = write_watched(tmp_path / "s", results=[(result, 1.0)], specs=specs)
    records = [*beginning(specs[0]), *talk(HOSTILE)]
    write_journal(study, specs[0], records, at=1)

    call(capsys, "export", study, "--to", "csv", "--out", tmp_path / "out")
    text = polars.read_csv(tmp_path / "out" / "calls.csv")["text"][1]

    assert text == f"'{HOSTILE}"
    assert load(study).calls["text"][1] == HOSTILE


def test_nothing_is_written_over(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.db").write_text("mine")

    refused = call(capsys, "export", study, "--to", "sqlite", "--out", tmp_path / "mine.db")

    assert_sentence(refused, says="exists already", status=refused.status)
    assert refused.status in (1, 2)
    assert (tmp_path / "mine.db").read_text() == "mine"


def test_what_is_misspelt_is_said(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"

    assert_sentence(
        call(capsys, "export", study, "--to", "csv", "--frames", "score", "--out", out), says="scores"
    )
    assert_sentence(call(capsys, "export", study, "--to", "csv"), says="--out")
    assert_sentence(
        call(capsys, "export", study, "--to", "chat", "--member", "codr", "--out", out), says="coder"
    )


# -- tables ---------------------------------------------------------------------------------------------------------


def test_a_table_of_results_is_a_look_and_is_put_down_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path / "study", seeds=2, evaluations=3)

    first = call(capsys, "export", study, "--to", "markdown")
    call(capsys, "export", study, "--to", "latex", "--out", tmp_path / "table.tex")

    assert [(look.by, look.complete_blocks, look.blocks) for look in read_looks(study)] == [("export", 2, 2)]
    assert "| battle-of-sexes ↑ | full | 2 |" in first.out
    assert r"\begin{tabular}" in (tmp_path / "table.tex").read_text()


def test_names_are_text_in_both_kinds_of_table() -> None:
    table = ResultTable(
        title="50 % of a_b", heads=("arm", "x"), numeric=(False, True), rows=(("a|b_c*&", "-0.5"),), notes=()
    )

    assert r"| a\|b\_c\*& | -0.5 |" in markdown([table])
    assert r"a|b\_c*\& & $-$0.5 \\" in latex([table])
    assert r"\caption{50 \% of a\_b}" in latex([table])


def test_intervals_are_there_from_ten_blocks_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("scipy")
    study = write_study(tmp_path / "study", seeds=10, evaluations=2)

    done = call(capsys, "export", study, "--to", "markdown")
    values = load(study).episodes["final"]

    row = next(line for line in done.out.splitlines() if line.startswith("| battle-of-sexes"))
    mean, interval = (cell.strip() for cell in row.split("|")[4:6])
    low, high = map(float, interval.split(" to "))
    half = 2.262 * float(values.std()) / 10**0.5
    assert float(mean) == pytest.approx(values.mean(), abs=6e-4)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=2e-3)


# -- trajectories -----------------------------------------------------------------------------------------------------

SYSTEM, ASK = SystemMessage(text="You write code."), UserMessage(text="Improve it.")
CALLING = AssistantMessage(text="", tool_calls=(ToolCall(id="1", name="run", arguments='{"x": 1'),))
TOOL = ToolMessage(call_id="1", text="fine")


def answered(
    ordinal: int,
    new: tuple[Message, ...],
    answer: AssistantMessage,
    *,
    conversation: int = 1,
    offset: int = 0,
) -> tuple[AnyRecord, ...]:
    call_ = ModelCall(model="local/m", conversation=conversation, offset=offset, new=new, tools=("run",))
    done = Completion(message=answer, stop_reason="stop", usage=Usage(), cost_usd=0.1, model="m")
    return (
        Started(member=CODER, ordinal=ordinal, effect=call_, measured=measured(float(ordinal))),
        Finished(member=CODER, ordinal=ordinal, outcome=ModelAnswer(completion=done)),
    )


def talk(last: str) -> tuple[AnyRecord, ...]:
    """A conversation of two steps and one of one step, with feedback of 0.3, 0.2 and 0.7 between (baseline: 0.1)."""
    return (
        *answered(1, (SYSTEM, ASK), CALLING),
        *evaluated(1, 0.3, at=1.0),
        *evaluated(2, 0.2, at=2.0),
        *answered(2, (TOOL,), AssistantMessage(text=last), offset=3),
        *answered(3, (ASK,), AssistantMessage(text="other"), conversation=2),
        *evaluated(3, 0.7, at=3.0),
    )


@pytest.fixture
def lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    specs = specs_of("full", seeds=1)
    study = write_watched(tmp_path / "s", results=[(ended(specs[0], 0.6, seconds=9), 9.0)], specs=specs)
    write_journal(study, specs[0], [*beginning(specs[0]), *talk(HOSTILE)], at=9)
    done = call(
        capsys, "export", study, "--to", "chat", "--member", "coder", "--out", tmp_path / "chat.jsonl"
    )
    assert done.status == 0, done
    return tmp_path / "chat.jsonl"


def test_a_conversation_reads_back_as_the_model_saw_it(lines: Path) -> None:
    first, second = read_trajectories(lines)

    assert conversation_of(first) == (SYSTEM, ASK, CALLING, TOOL, AssistantMessage(text=HOSTILE))
    assert conversation_of(second) == (ASK, AssistantMessage(text="other"))
    assert (first.member, first.model, first.conversation) == ("coder", "local/m", 1)


def test_a_step_is_rewarded_with_what_the_best_feedback_rose_by_until_the_next(lines: Path) -> None:
    first, second = read_trajectories(lines)

    assert first.rewards == (None, None, pytest.approx(0.2), None, pytest.approx(0.4))
    assert second.rewards == (None, pytest.approx(0.4))
    assert first.final_score == 0.6
    assert first.final_reward == pytest.approx(0.5)
    assert first.best_feedback == 0.7


def test_the_lines_are_in_the_shape_of_the_chat_format(lines: Path) -> None:
    message = json.loads(lines.read_text().splitlines()[0])["messages"]

    assert message[0] == {"role": "system", "content": "You write code."}
    assert message[2] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "function": {"name": "run", "arguments": '{"x": 1'}, "type": "function"}],
    }
    assert message[3] == {"role": "tool", "content": "fine", "tool_call_id": "1"}


def test_a_member_without_a_model_has_one_line_of_what_it_heard_and_said(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "export", study, "--to", "chat", "--out", tmp_path / "chat.jsonl")
    frames = load(study)
    found = list(read_trajectories(tmp_path / "chat.jsonl"))

    keys = [(each.episode, each.member) for each in found]
    assert len(keys) == len(set(keys))
    coder = next(each for each in found if each.member == "coder")
    own = frames.messages.filter(episode=coder.episode, sender="coder")
    said = [each.content for each in coder.messages if each.role == "assistant"]
    assert said == own["body"].to_list()
    for each in found:
        best = each.best_feedback
        gained = sum(reward for reward in each.rewards if reward is not None)
        if each.member == "strategy" and best is not None:  # it acts first, so that nothing was gained before
            assert gained == pytest.approx(max(0.0, best - each.baseline))


# -- Weights & Biases -------------------------------------------------------------------------------------------------


class FakeWandb(types.ModuleType):
    """The calls that are made, kept. Real offline runs were written and read with wandb 0.31."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.runs: list[FakeRun] = []

    def Settings(self, **settings: object) -> dict[str, object]:  # noqa: N802 - the package's name
        return settings

    def init(self, **options: object) -> "FakeRun":
        self.runs.append(FakeRun(options))
        return self.runs[-1]


class FakeRun:
    def __init__(self, options: dict[str, object]) -> None:
        self.options, self.logged, self.exit_code = options, [], None
        self.summary: dict[str, object] = {}

    def log(self, data: dict[str, object], *, step: int) -> None:
        self.logged.append((step, data))

    def finish(self, exit_code: int | None = None) -> None:
        self.exit_code = exit_code


def test_an_episode_is_an_offline_run_grouped_by_study_and_tagged_by_arm(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)

    done = call(capsys, "export", study, "--to", "wandb", "--out", tmp_path / "wb", "--project", "p")
    first = wandb.runs[0]

    assert done.status == 0
    assert len(wandb.runs) == 2
    assert first.options["mode"] == "offline"
    assert (first.options["project"], first.options["group"]) == ("p", "study")
    assert first.options["tags"] == ["full", "battle-of-sexes"]
    assert [step for step, _ in first.logged] == list(range(6))
    assert first.summary["final"] == load(study).episodes["final"][0]
    assert first.exit_code == 0
    assert first.options["id"] == run_id("study", "battle-of-sexes--full--seed-1")


def test_without_wandb_a_sentence_names_the_extra(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)

    refused = call(capsys, "export", study, "--to", "wandb", "--out", tmp_path / "wb")

    assert_sentence(refused, says="pip install 'mlyceum[wandb]'")


def test_untrusted_columns_are_those_that_agents_write() -> None:
    """What the export to CSV guards by must be complete: every free text of the record."""
    free = {f"{name}.{column.name}" for name in ROWS for column in columns(name) if column.untrusted}
    words = re.compile(
        r"text|body|claim|family|reason|failure|stdout|stderr|source|point|chosen|candidates|calls"
    )

    texts = {f"{n}.{c.name}" for n in ROWS for c in columns(n) if c.kind == "text" and words.search(c.name)}
    assert texts <= free | {"calls.stop_reason"}  # one of our own words
