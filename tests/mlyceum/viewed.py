"""Helpers of the viewer's tests: who asks it in this process, studies with hostile or very many episodes, a server."""

import re
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import trio
from run_cases import environment
from written_studies import episode_spec, write_study

from engine.effects import Command, CommandOutcome, Evaluation, ModelAnswer, ModelCall, Scored
from engine.episode import EpisodeResult
from engine.index import open_index
from engine.journal import AnyRecord, Closed, Decided, Finished, Opened, Posted, Started
from engine.member import Chosen, Feedback
from engine.messages import (
    ArtefactHash,
    Brief,
    Hypothesis,
    IdeaRequest,
    MemberId,
    NodeId,
    Patch,
    Queue,
    RunRequest,
    RunResult,
    Selection,
)
from engine.models.interface import AssistantMessage, Completion, ToolCall, Usage, UserMessage
from engine.seeds import Seeds
from engine.store import ArtefactStore
from engine.task import Measured, Score
from mlyceum.viewer.web.app import Viewer
from mlyceum.viewer.web.guard import Guard
from mlyceum.viewer.web.studies import Studies

HOSTILE = (
    '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
    " \u202egpj.exe\u202c \x1b[31mred\x07 zero\u200bwidth </pre></bdi>javascript:alert(1)"
)


def asker(folder: Path, *, base: str = "http://127.0.0.1:8421", **guard: Any) -> httpx.AsyncClient:
    """Someone who asks the viewer of a folder, without a network."""
    app = Guard(Viewer(Studies(folder)).application(), **guard)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)  # type: ignore[arg-type]  # ASGI by another name
    return httpx.AsyncClient(transport=transport, base_url=base)


def put_journal(study: Path, episode: str, records: list[AnyRecord]) -> Path:
    """An episode's journal, written as it stands."""
    path = study / "episodes" / episode / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return path


def hostile_records(study: Path, *, output: str = HOSTILE, text: str = HOSTILE) -> list[AnyRecord]:
    """An episode in which everything that a member may write is hostile."""
    store = ArtefactStore(study / "artefacts")
    starter = store.put({"answer.py": b"x = 1\n"})
    made = store.put({"answer.py": f"x = '{text}'\n".encode("utf-8", "replace")})
    coder, strategy = MemberId("coder"), MemberId("strategy")
    idea = Hypothesis(node=NodeId(1), operator="draft", parents=(), claim=text, family=text, predicted=0.5)
    call = ModelCall(model="made/up", conversation=1, offset=0, new=(UserMessage(text=text),))
    answer = Completion(
        message=AssistantMessage(text=text, tool_calls=(ToolCall(id="1", name=text, arguments=text),)),
        stop_reason="tool_calls",
        usage=Usage(input_tokens=1200, output_tokens=34),
        cost_usd=0.0125,
        model="made/up-1",
    )
    brief = Brief(
        task="battle-of-sexes",
        text="b",
        metric="Score",
        direction="max",
        baseline=1.0,
        starter=starter,
        evaluations=8,
    )
    score = Score(value=1.25, standard_error=0.01)
    return [
        Opened(episode="hostile", spec="0" * 64, seeds=Seeds(task=1, team=1, evaluation=1)),
        Posted(seq=1, sender=MemberId("runtime"), body=brief),
        Decided(member=strategy, what="next node", chosen=text, rule=text, candidates={text: 1.5, "b": 0.25}),
        Posted(
            seq=2,
            sender=strategy,
            to=Queue("hypothesize"),
            body=IdeaRequest(node=NodeId(1), operator="draft", parents=(), evaluations_left=8),
        ),
        Started(member=MemberId("hypothesizer"), ordinal=1, effect=call, measured=Measured(at=0.1)),
        Finished(
            member=MemberId("hypothesizer"),
            ordinal=1,
            outcome=ModelAnswer(completion=answer),
            measured=Measured(seconds=1.5),
        ),
        Posted(seq=3, sender=MemberId("hypothesizer"), to=strategy, cause=2, body=idea),
        Started(
            member=coder, ordinal=1, effect=Command(language="python", source=text), measured=Measured(at=1.7)
        ),
        Finished(
            member=coder,
            ordinal=1,
            outcome=CommandOutcome(exit_code=0, stdout=output, stderr=""),
            measured=Measured(seconds=0.5),
        ),
        Posted(
            seq=4,
            sender=coder,
            to=strategy,
            body=Patch(node=NodeId(1), base=starter, artefact=made, diff=text),
        ),
        Posted(
            seq=5, sender=strategy, to=Queue("experiment"), body=RunRequest(node=NodeId(1), artefact=made)
        ),
        Started(
            member=MemberId("experimenter"),
            ordinal=1,
            effect=Evaluation(artefact=made, split="feedback", seed=1),
            measured=Measured(at=2.5),
        ),
        Finished(member=MemberId("experimenter"), ordinal=1, outcome=Scored(score=score)),
        Posted(
            seq=6,
            sender=MemberId("experimenter"),
            to=strategy,
            body=RunResult(node=NodeId(1), evidence=None, evaluations=1, failure=text),
        ),
        Posted(
            seq=7,
            sender=strategy,
            body=Selection(node=NodeId(1), artefact=made, rule=text, candidates=(NodeId(1),), final=True),
        ),
        Closed(outcome="submitted"),
    ]


def write_hostile(study: Path, **texts: str) -> Path:
    """A study of one hostile episode."""
    put_journal(study, "hostile", hostile_records(study, **texts))
    return study


def write_many(study: Path, episodes: int, *, padding: int = 4_000) -> Path:
    """A finished study of very many episodes: rows as real as a run's, and a journal for the first of them only.

    Args:
        study: the folder.
        episodes: how many, over 5 arms and 4 tasks.
        padding: further bytes of a row.
    """
    import sqlite3

    study.mkdir(parents=True, exist_ok=True)
    tasks = ("battle-of-sexes", "prisoners-dilemma", "colonel-blotto", "planted")
    arms = ("full", "full.reviewer-vacuous", "solo", "best-of-n", "random-search")
    first = episode_spec(tasks[0], "full", 1, evaluations=8)
    artefacts = [ArtefactHash(f"{number:064x}") for number in range(9)]
    template = EpisodeResult(
        episode=first.id,
        spec=first,
        outcome="submitted",
        selected=artefacts[8],
        final=Score(value=1.0),
        feedback=tuple(
            Feedback(evaluation=n, artefact=artefacts[n], value=1 + n / 10, standard_error=0.1)
            for n in range(1, 9)
        ),
        standing=tuple(Chosen(evaluations=n, artefact=artefacts[n]) for n in range(1, 9)),
        messages=60,
        evaluations=8,
        spending={"evaluations": 8.0, "tokens": 1000.0, "cost_usd": 0.01},
        measured=Measured(seconds=2.5),
        reason="",
    )
    with open_index(study / "index.sqlite"):
        pass
    connection = sqlite3.connect(study / "index.sqlite")
    specs = []
    for number in range(episodes):
        task, arm, seed = tasks[number % 4], arms[number // 4 % 5], number // 20 + 1
        team = msgspec.structs.replace(first.team, name=arm)
        spec = msgspec.structs.replace(
            first, task=task, team=team, seeds=Seeds(task=seed, team=seed, evaluation=seed)
        )
        specs.append(spec)
        failed = number % 97 == 5
        result = msgspec.structs.replace(
            template,
            episode=spec.id,
            spec=spec,
            outcome="deadlock" if failed else "submitted",
            reason="x" * padding if number % 2 else "",
            final=Score(value=None, failure="no answer.py")
            if failed
            else Score(value=(number * 37 % 1000) / 1000),
        )
        connection.execute(
            "INSERT INTO episodes VALUES (?, ?, ?, ?, ?)",
            (spec.id, "0" * 64, result.outcome, result.final.value, msgspec.json.encode(result)),
        )
    connection.commit()
    connection.close()
    (study / "study.json").write_bytes(msgspec.json.encode({"version": 1, "episodes": specs, "runs": []}))
    opened, *records = hostile_records(study)
    put_journal(study, specs[0].id, [msgspec.structs.replace(opened, episode=specs[0].id), *records])
    return study


@contextmanager
def serving(*arguments: object) -> Generator[str]:
    """The command, as a process; the address that it prints."""
    command = [sys.executable, "-m", "mlyceum", "view", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, line + process.stdout.read()
        yield found[0]
    finally:
        process.terminate()
        rest = process.stdout.read() if process.stdout is not None else ""
        if process.stdout is not None:
            process.stdout.close()
        assert process.wait(10) == 0, rest
        assert not rest, rest


async def written(folder: Path, **options: Any) -> Path:
    """A study as `written_studies.write_study` writes it, from within a test that runs."""
    return await trio.to_thread.run_sync(partial(write_study, folder, **options))


def strings(value: object) -> Iterator[str]:
    """Every string in a document, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
