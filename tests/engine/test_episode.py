"""An episode from its specification to its record, whatever happens on the way."""

from pathlib import Path

import msgspec
import pytest
import trio
from engine_fakes import FakeBackend, NoisyJudge, run_count, seat, spec
from trio.testing import MockClock

from engine.budget import Budget
from engine.errors import BudgetExceeded, OutputUnusable
from engine.journal import Closed, Opened, Started, read_journal, without_measured
from engine.member import Member
from engine.messages import Hypothesis as Claim
from engine.messages import NodeId, Patch, Queue, Selection, WorkOrder
from engine.models import Scripted
from engine.models.interface import AssistantMessage, UserMessage
from engine.store import ArtefactStore

CODE = Queue("code")


def order(node: int) -> WorkOrder:
    claim = Claim(node=NodeId(node), operator="draft", parents=(), claim="more is better", family="size")
    return WorkOrder(node=NodeId(node), operator="draft", base="", hypothesis=claim)  # type: ignore[arg-type]


async def pick_the_best(member: Member) -> None:
    """Asks for artefacts and hands in the one with the best feedback, until the budget is spent."""
    best: float | None = None
    for node in range(1, 100):
        envelope = await member.request(order(node), to=CODE)
        assert isinstance(envelope.body, Patch)
        assert envelope.body.artefact is not None
        try:
            score = await member.evaluate(envelope.body.artefact)
        except BudgetExceeded:
            return
        if best is None or (score.value is not None and score.value > best):
            best = score.value
            selection = Selection(
                node=NodeId(node), artefact=envelope.body.artefact, rule="best", candidates=(NodeId(node),)
            )
            await member.post(selection)


async def write_numbers(member: Member) -> None:
    while True:
        envelope = await member.receive()
        number = int(member.rng("code").integers(0, 100))
        artefact = member.store.put({"number.txt": str(number).encode()})
        assert isinstance(envelope.body, WorkOrder)
        outcome = await member.run("print(1)", artefact=artefact)
        assert outcome.exit_code == 0
        patch = Patch(node=envelope.body.node, base=artefact, artefact=artefact, diff="")
        await member.reply(envelope, patch)


def pair() -> list[object]:
    return [seat("strategy", pick_the_best, leads=True), seat("coder", write_numbers, queues=("code",))]


def lines(folder: Path) -> list[bytes]:
    return [without_measured(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


async def test_an_episode_ends_with_the_final_score_of_what_stood(tmp_path: Path) -> None:
    result = await run_count(pair(), tmp_path / "e")  # type: ignore[arg-type]

    assert result.outcome == "submitted"
    assert result.evaluations == 10
    assert result.final.value == max(round(each.value or 0) for each in result.feedback)
    assert [each.evaluation for each in result.feedback] == list(range(1, 11))
    assert result.spending == {"evaluations": 10.0, "steps": 21.0}
    records = list(read_journal(tmp_path / "e" / "journal.jsonl"))
    assert isinstance(records[0], Opened)
    assert isinstance(records[-1], Closed)


async def test_cut_at_any_line_an_episode_goes_on_to_the_same_record(tmp_path: Path) -> None:
    whole = await run_count(pair(), tmp_path / "whole")  # type: ignore[arg-type]
    path = tmp_path / "whole" / "journal.jsonl"
    total = len(path.read_bytes().splitlines())

    for cut in range(0, total, 7):
        again = tmp_path / f"cut-{cut}"
        again.mkdir()
        kept = path.read_bytes().splitlines(keepends=True)[:cut]
        (again / "journal.jsonl").write_bytes(b"".join(kept) + b'{"type":"Pos')
        judge = NoisyJudge(ArtefactStore(tmp_path / "artefacts"))
        result = await run_count(pair(), again, judge=judge)  # type: ignore[arg-type]

        assert lines(again) == lines(tmp_path / "whole")
        assert result.final == whole.final
        assert len(judge.calls) == sum(
            b'"Evaluation"' in line for line in path.read_bytes().splitlines()
        ) - sum(b'"Scored"' in line for line in kept)


async def test_a_finished_record_is_read_again_without_asking_anybody(tmp_path: Path) -> None:
    first = await run_count(pair(), tmp_path / "e")  # type: ignore[arg-type]
    judge = NoisyJudge(ArtefactStore(tmp_path / "artefacts"))

    second = await run_count(pair(), tmp_path / "e", judge=judge)  # type: ignore[arg-type]

    assert judge.calls == []
    assert second.feedback == first.feedback


async def test_feedback_is_drawn_anew_and_the_final_from_its_own_branch(tmp_path: Path) -> None:
    judge = NoisyJudge(ArtefactStore(tmp_path / "artefacts"))

    await run_count(pair(), tmp_path / "e", judge=judge)  # type: ignore[arg-type]

    seeds = [seed for _, _, seed in judge.calls]
    assert len(set(seeds)) >= 11


async def test_out_of_wall_time_the_episode_is_scored_as_it_stands(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    judge = NoisyJudge(ArtefactStore(tmp_path / "artefacts"), seconds=10)

    result = await run_count(pair(), tmp_path / "e", episode=spec(wall=35), judge=judge)  # type: ignore[arg-type]

    assert result.outcome == "budget"
    assert result.reason == "the wall time of 35 s was used up"
    assert len(result.feedback) == 3
    assert result.final.value is not None
    assert not result.deterministic


async def test_a_deadlock_is_an_outcome_with_the_wait_graph(tmp_path: Path) -> None:
    async def wait(member: Member) -> None:
        await member.receive()

    result = await run_count([seat("strategy", wait, leads=True), seat("coder", wait)], tmp_path / "e")

    assert result.outcome == "deadlock"
    assert "strategy waits for a message" in result.reason
    assert result.final.value == 0


async def test_an_evaluation_is_a_step_too_and_one_that_is_refused_costs_nothing(tmp_path: Path) -> None:
    capped = msgspec.structs.replace(spec(), budget=Budget(evaluations=10, steps=7))

    result = await run_count(pair(), tmp_path / "e", episode=capped)  # type: ignore[arg-type]

    assert result.spending == {"evaluations": 3.0, "steps": 7.0}


async def test_a_leader_that_overspends_ends_the_episode_by_budget(tmp_path: Path) -> None:
    async def greedy(member: Member) -> None:
        while True:
            await member.evaluate(member.store.put({"number.txt": b"3"}))

    result = await run_count([seat("strategy", greedy, leads=True)], tmp_path / "e")

    assert result.outcome == "budget"
    assert len(result.feedback) == 10


async def test_a_model_call_holds_only_what_is_new_in_its_conversation(tmp_path: Path) -> None:
    async def talk(member: Member) -> None:
        conversation: tuple[UserMessage | AssistantMessage, ...] = (UserMessage(text="one"),)
        for text in ("two", "three"):
            completion = await member.generate(conversation)
            conversation = (*conversation, completion.message, UserMessage(text=text))
        await member.generate((UserMessage(text="something else"),))

    model = Scripted(["a", "b", "c"])
    await run_count([seat("strategy", talk, leads=True, model=model)], tmp_path / "e")

    calls = [r.effect for r in read_journal(tmp_path / "e" / "journal.jsonl") if isinstance(r, Started)]
    calls = [call for call in calls if hasattr(call, "new")]
    assert [(c.conversation, c.offset, [m.text for m in c.new]) for c in calls] == [
        (1, 0, ["one"]),
        (1, 2, ["two"]),
        (2, 0, ["something else"]),
    ]


async def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OutputUnusable, match="choose another folder"):
        await run_count(pair(), tmp_path / "file" / "e")  # type: ignore[arg-type]


async def test_cancelled_at_any_moment_the_workspaces_are_closed_and_the_record_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    whole = await run_count(pair(), tmp_path / "whole")  # type: ignore[arg-type]
    for hundredths in range(0, 60, 3):
        backend = FakeBackend()
        folder = tmp_path / f"{hundredths}"
        with trio.move_on_after(hundredths / 100):
            await run_count(pair(), folder, backend=backend)  # type: ignore[arg-type]
        assert backend.open_now == 0

        result = await run_count(pair(), folder)  # type: ignore[arg-type]

        assert result.final == whole.final
        assert lines(folder) == lines(tmp_path / "whole")
