"""MLGym's agent with a scripted model: whole episodes in the real sandbox, and every way in which they end."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from laboratory import HillTask, NoisyJudge, truth

from engine.budget import Budget
from engine.effects import Command
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.errors import BadSpecification
from engine.journal import Decided, Posted, Started, read_journal, without_measured
from engine.messages import RunResult
from engine.models.errors import ContextOverflow
from engine.models.interface import AssistantMessage, Completion, Usage, UserMessage
from engine.models.scripted import Line, Scripted
from engine.seeds import Seeds
from engine.shared_workspace import open_pool
from engine.store import ArtefactStore
from engine.task import ScoringProtocol
from engine.team import TeamSpec
from engine.workspace.backends import make_backend
from roles import assemble, named_team, parse_team

pytestmark = pytest.mark.sandbox

BEST = '{"plan":"hill","x":1.0,"y":0.0,"steps":10,"kind":"b","guard":"yes"}'


def act(action: str, thought: str = "Next.") -> str:
    return f"{thought}\n\n```\n{action}\n```"


def team(**settings: object) -> TeamSpec:
    strategy = msgspec.structs.replace(named_team("mlgym").strategy, settings=settings)
    return msgspec.structs.replace(named_team("mlgym"), strategy=strategy)


async def play(
    script: Sequence[Line] | Scripted,
    folder: Path,
    *,
    spec: TeamSpec | None = None,
    budget: Budget | None = None,
    protocol: ScoringProtocol = "verified",
) -> EpisodeResult:
    model = script if isinstance(script, Scripted) else Scripted(script)
    task, chosen = HillTask(), (await make_backend("sandbox")).backend
    store = ArtefactStore(folder / "artefacts")
    async with open_pool(chosen, places=1) as pool:
        return await run_episode(
            EpisodeSpec(
                task="hills",
                team=spec or team(),
                seeds=Seeds(task=1, team=1, evaluation=1),
                budget=budget or Budget(evaluations=12),
                protocol=protocol,
            ),
            task=task,
            seats=assemble(spec or team(), task, model),
            judge=NoisyJudge(store, truth, error=0.0),
            store=store,
            pool=pool,
            folder=folder,
        )


def exits(folder: Path) -> list[str]:
    records = read_journal(folder / "journal.jsonl")
    return [each.chosen for each in records if isinstance(each, Decided) and each.what == "exit"]


def last_seen(model: Scripted) -> str:
    message = model.requests[-1].conversation[-1]
    assert isinstance(message, UserMessage)
    return message.text


async def test_a_whole_episode_reads_edits_validates_and_submits(tmp_path: Path) -> None:
    script = [
        act("ls"),
        act('open "answer.json"'),
        act(f"edit 1:1\n{BEST}\nend_of_edit"),
        act("validate"),
        act("submit"),
    ]
    model = Scripted(script)

    result = await play(model, tmp_path)

    assert (result.outcome, result.evaluations) == ("submitted", 1)
    assert result.final.value == pytest.approx(0.8)
    assert exits(tmp_path) == ["submitted"]
    assert "Score: height 0.8" in last_seen(model)
    assert "(Step 4 of 50 done, 46 left)" in last_seen(model)


async def test_an_answer_and_its_action_are_one_step(tmp_path: Path) -> None:
    script = [act("ls"), act("validate"), act("pwd"), act("ls"), act("never")]

    result = await play(
        script, tmp_path, budget=Budget(steps=3, evaluations=3, cost_usd=4.0), protocol="mlgym"
    )

    assert result.spending["steps"] == 3
    assert exits(tmp_path) == ["autosubmission (max_steps)"]
    sources = [r.effect.source for r in read_journal(tmp_path / "journal.jsonl")
               if isinstance(r, Started) and isinstance(r.effect, Command)]  # fmt: skip
    assert len(sources) == 4  # where the folder is, and three actions


async def test_steps_of_its_own_end_it_where_the_budget_has_none(tmp_path: Path) -> None:
    await play([act("pwd"), act("ls")], tmp_path, spec=team(steps=2))

    assert exits(tmp_path) == ["autosubmission (max_steps)"]


async def test_bad_form_is_asked_again_and_forgotten(tmp_path: Path) -> None:
    model = Scripted(["no block", f"{act('ls')}\n{act('pwd')}", act("ls"), act("submit")])
    await play(model, tmp_path)

    first, second, third, fourth = (request.conversation for request in model.requests)
    assert second[-2].text == "no block"
    assert "more than one block" in third[-1].text
    assert len(third) == len(first) + 2  # only the last bad answer is shown
    assert not any(message.text == "no block" for message in fourth)


async def test_three_answers_of_bad_form_end_it(tmp_path: Path) -> None:
    model = Scripted([act('sed -i \'s/"a"/"b"/\' answer.json'), *["I would rather not."] * 4])
    result = await play(model, tmp_path)

    assert len(model.requests) == 4
    assert exits(tmp_path) == ["autosubmission (exit_format)"]
    assert result.final.value == pytest.approx(0.3)  # what the folder held was handed in


async def test_old_observations_are_left_out_and_answers_stay(tmp_path: Path) -> None:
    model = Scripted([*(act(f"echo number {n}; echo", f"Thought {n}.") for n in range(4)), act("submit")])
    await play(model, tmp_path, spec=team(observations=2))

    texts = [message.text for message in model.requests[-1].conversation]
    assert "Find the top." in texts[1]
    assert texts[3] == "(5 lines of older output left out)"
    assert "number 2" in texts[-3]
    assert "number 3" in texts[-1]
    assert sum(text.startswith("Thought") for text in texts) == 4


async def test_the_answer_that_used_up_the_money_is_not_carried_out(tmp_path: Path) -> None:
    paid = Completion(
        message=AssistantMessage(text=act("rm answer.json")), stop_reason="stop",
        usage=Usage(input_tokens=10, output_tokens=1), cost_usd=4.0, model="m",
    )  # fmt: skip
    result = await play([paid, act("never")], tmp_path, budget=Budget(cost_usd=4.0, evaluations=5))

    assert exits(tmp_path) == ["autosubmission (exit_cost)"]
    assert result.final.value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ContextOverflow("too long", model="m"), "autosubmission (exit_context)"),
        (act("exit_forfeit"), "exit_forfeit"),
        (act("skip"), "skip"),
    ],
    ids=["context", "forfeit", "skip"],
)
async def test_other_ends(answer: Line, status: str, tmp_path: Path) -> None:
    result = await play([act(f"echo '{BEST}' > answer.json"), answer], tmp_path)

    assert exits(tmp_path) == [status]
    gave_up = not status.startswith("auto")
    assert result.final.value == pytest.approx(0.2 if gave_up else 0.8)


async def test_a_broken_artefact_is_validated_to_a_reason(tmp_path: Path) -> None:
    model = Scripted([act("rm answer.json"), act("validate"), act("submit")])
    await play(model, tmp_path)

    assert "the scorer said: guard is missing" in last_seen(model)
    posted = [each.body for each in read_journal(tmp_path / "journal.jsonl") if isinstance(each, Posted)]
    assert [body.failure for body in posted if isinstance(body, RunResult)] == ["guard is missing"]


async def test_hidden_files_and_those_of_the_shell_are_not_handed_in(tmp_path: Path) -> None:
    script = [
        act("mkdir -p deep/er; echo 1 > deep/er/new.txt; echo 2 > .secret"),
        act("cat deep/er/new.txt; submit"),
    ]
    result = await play(script, tmp_path)

    handed_in = ArtefactStore(tmp_path / "artefacts").get(result.selected)
    assert sorted(handed_in) == ["answer.json", "deep/er/new.txt"]


async def test_a_cut_record_is_gone_on_with_to_the_same_end(tmp_path: Path) -> None:
    script = [act("mkdir new && cd new && export WORD=there"), act("echo $WORD > word; pwd"),
              act(f"cat word; echo '{BEST}' > ../answer.json"), act("submit")]  # fmt: skip
    await play(script, tmp_path)
    whole = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(whole[: len(whole) // 2]))

    result = await play(Scripted(lambda request: script[_turn(request.conversation)]), tmp_path)

    again = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert [_plain(line) for line in again] == [_plain(line) for line in whole]
    assert result.final.value == pytest.approx(0.8)


def _plain(line: bytes) -> bytes:
    return re.sub(rb"scripted-[0-9]+", b"", without_measured(line))


def _turn(conversation: Sequence[object]) -> int:
    return sum(isinstance(message, AssistantMessage) for message in conversation)


async def test_memory_is_there_where_a_team_asks_for_it(tmp_path: Path) -> None:
    script = [act("memory_write 'a hill beats the plain'"), act("memory_read hill"), act("submit")]
    model = Scripted(script)
    await play(model, tmp_path, spec=team(memory=True))

    assert "a hill beats the plain" in last_seen(model)


def test_a_team_of_it_says_what_cannot_be_set() -> None:
    text = 'name = "x"\n[strategy]\nkind = "mlgym"\n[strategy.settings]\nsteps = 0\n'
    text += '[[members]]\nrole = "solo"\npolicy = "model"\n'

    with pytest.raises(BadSpecification, match="allowed are steps, observations, window"):
        parse_team(text, where="t.toml")
    with pytest.raises(BadSpecification, match="driven by a model"):
        parse_team(text.replace("steps = 0", "steps = 9").replace('"model"', '"offline"'), where="t.toml")
