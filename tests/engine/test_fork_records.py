"""What a fork takes over from its origin's record: outcomes, also those that came late, and nothing twice."""

from pathlib import Path

import msgspec
import pytest
import trio
from engine_fakes import NoisyJudge, run_count, seat, spec
from trio.testing import MockClock

from engine.episode import EpisodeResult
from engine.errors import BadSpecification, RecordDamaged
from engine.fork import begin_fork, fork_spec, read_origin
from engine.journal import Posted, Started, read_journal, without_measured
from engine.member import Member, Seat
from engine.messages import Answer, MemberId, NodeId, Question, Queue, Selection
from engine.models import Scripted
from engine.models.interface import AssistantMessage, UserMessage
from engine.seeds import Seeds
from engine.store import ArtefactStore


async def worker(member: Member) -> None:
    """Evaluates a number that it draws for every question."""
    while True:
        asked = await member.receive()
        number = int(member.rng("worker").integers(1_000))
        await member.evaluate(member.store.put({"number.txt": str(number).encode()}))
        await member.reply(asked, Answer(text=str(number)))


async def two_at_once(member: Member) -> None:
    """Keeps both workers busy, so that effects are under way at every message."""
    best = 0
    for _ in range(2):
        await member.post(Question(text="?"), to=Queue("work"))
    for left in range(4, 0, -1):
        answer = (await member.receive()).body
        assert isinstance(answer, Answer)
        best = max(best, int(answer.text))
        if left > 2:
            await member.post(Question(text="?"), to=Queue("work"))
    artefact = member.store.put({"number.txt": str(best).encode()})
    choice = Selection(node=NodeId(1), artefact=artefact, rule="max", candidates=(), final=True)
    await member.post(choice)


def crew() -> list[Seat]:
    return [
        seat("strategy", two_at_once, leads=True),
        seat("w1", worker, queues=("work",)),
        seat("w2", worker, queues=("work",)),
    ]


def judge_of(tmp_path: Path) -> NoisyJudge:
    return NoisyJudge(ArtefactStore(tmp_path / "artefacts"), seconds=3.0)


def lines(folder: Path) -> list[bytes]:
    return [without_measured(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


def posts(folder: Path) -> list[Posted]:
    return [r for r in read_journal(folder / "journal.jsonl") if isinstance(r, Posted)]


async def fork(
    tmp_path: Path, at: int, *, seats: list[Seat] | None = None, seeds: Seeds | None = None
) -> tuple[EpisodeResult, NoisyJudge]:
    origin = read_origin(tmp_path / "origin")
    episode = fork_spec(origin, at=at, seeds=seeds)
    begin_fork(origin, episode, tmp_path / "fork")
    judge = judge_of(tmp_path)
    return await run_count(seats or crew(), tmp_path / "fork", episode=episode, judge=judge), judge


@pytest.mark.parametrize("at", range(1, 11))
async def test_without_a_change_the_rest_is_the_same_wherever_it_is_cut(
    tmp_path: Path, autojump_clock: MockClock, at: int
) -> None:
    await run_count(crew(), tmp_path / "origin", judge=judge_of(tmp_path))

    await fork(tmp_path, at)

    assert lines(tmp_path / "fork")[1:] == lines(tmp_path / "origin")[1:]
    assert not (tmp_path / "fork" / "early.jsonl").exists()


@pytest.mark.parametrize("at", range(1, 11))
async def test_what_was_begun_before_the_message_is_not_done_again(
    tmp_path: Path, autojump_clock: MockClock, at: int
) -> None:
    """Also where its outcome came only after the message: it was paid for."""
    await run_count(crew(), tmp_path / "origin", judge=judge_of(tmp_path))
    before = read_origin(tmp_path / "origin").until(at)
    begun = {(r.effect.seed, r.effect.artefact) for r in before if isinstance(r, Started)}  # type: ignore[union-attr]  # all are evaluations

    result, judge = await fork(tmp_path, at, seeds=Seeds(task=1, team=9, evaluation=9))

    assert not begun & {(seed, artefact) for artefact, _, seed in judge.calls}
    assert result.evaluations == 4
    assert result.spending["evaluations"] == 4


async def test_an_origin_that_was_killed_can_be_forked_up_to_where_it_came(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    with trio.move_on_after(4):
        await run_count(crew(), tmp_path / "origin", judge=judge_of(tmp_path))
    last = read_origin(tmp_path / "origin").messages

    result, _ = await fork(tmp_path, last)

    assert result.outcome == "submitted"
    with pytest.raises(BadSpecification, match=f"its messages are 1 to {last}"):
        fork_spec(read_origin(tmp_path / "origin"), at=last + 1)


async def test_a_model_is_asked_only_for_what_comes_after(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def talker(member: Member) -> None:
        talk: tuple[UserMessage | AssistantMessage, ...] = ()
        for round_number in range(4):
            talk = (*talk, UserMessage(text=f"round {round_number}"))
            completion = await member.generate(talk)
            talk = (*talk, completion.message)
            await member.post(Answer(text=completion.message.text), to=MemberId("strategy"))

    first, second = Scripted(["a", "b", "c", "d"]), Scripted(["C", "D"])
    await run_count([seat("strategy", talker, leads=True, model=first)], tmp_path / "origin")
    result, _ = await fork(tmp_path, 3, seats=[seat("strategy", talker, leads=True, model=second)])
    said = [m.body.text for m in posts(tmp_path / "fork") if isinstance(m.body, Answer)]

    assert said == ["a", "b", "C", "D"]
    assert result.spending["steps"] == 4


async def test_a_fork_whose_record_does_not_begin_as_its_origin_is_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    await run_count(crew(), tmp_path / "origin", judge=judge_of(tmp_path))
    origin = read_origin(tmp_path / "origin")
    episode = fork_spec(origin, at=5)

    with pytest.raises(RecordDamaged, match="begins with its origin's up to message 5"):
        await run_count(crew(), tmp_path / "fork", episode=episode)


async def test_the_task_of_a_fork_is_that_of_its_origin(tmp_path: Path, autojump_clock: MockClock) -> None:
    await run_count(crew(), tmp_path / "origin", judge=judge_of(tmp_path))

    with pytest.raises(BadSpecification, match="a fork keeps its origin's, 1"):
        fork_spec(read_origin(tmp_path / "origin"), at=2, seeds=Seeds(task=2, team=1, evaluation=1))


def test_a_specification_without_a_fork_has_the_digest_that_it_always_had() -> None:
    assert b"fork" not in spec().canonical()
    assert msgspec.json.decode(spec().canonical(), type=type(spec())) == spec()
