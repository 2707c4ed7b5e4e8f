"""What the judge promises whatever the task: one computation, remembered; infrastructure failures raise."""

from pathlib import Path

import pytest
import trio
from judge_cases import ALWAYS_0, isolated, player

from engine.errors import IsolationUnavailable, RecordDamaged
from engine.messages import ArtefactHash
from engine.store import ArtefactStore
from engine.task import Measured, Score
from engine.workspace.interface import Backend
from engine.workspace.process import Unisolated
from tasks.evaluation import Evaluation
from tasks.registry import open_task
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge, ScoringFailed, open_judge
from tasks.three_sat.heuristics import BASELINE

FILES = {path: text.encode() for path, text in ALWAYS_0.items()}


class CountingScorer:
    """Says how often it was asked."""

    version = 7
    outside = False

    def __init__(self, fault: Exception | None = None) -> None:
        self.asked = 0
        self._fault = fault

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self._fault is not None:
            raise self._fault
        return Score(value=float(evaluation.seed)), Measured(seconds=1.0)


class NoSandbox:
    """A backend whose sandbox cannot start."""

    name = "none"

    def open_process(self, *_: object) -> None:
        raise IsolationUnavailable(("file",), "install bubblewrap")


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(tmp_path)


def judge_over(scorer: CountingScorer, store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> SandboxJudge:
    monkeypatch.setattr("tasks.scoring.load_scorer", lambda _: scorer)
    return open_judge("battle-of-sexes", store=store, backend=NoSandbox(), cache=ScoreCache())  # type: ignore[arg-type]


async def test_a_score_is_found_once_and_then_remembered(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = CountingScorer()
    judge = judge_over(scorer, store, monkeypatch)
    artefact = store.put(FILES)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lambda: judge.score(artefact, split="feedback", seed=3))

    score, _ = await judge.score(artefact, split="feedback", seed=3)
    assert (score.value, score.scorer_version, scorer.asked) == (3.0, 7, 1)


async def test_another_seed_or_split_is_another_score(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = CountingScorer()
    judge = judge_over(scorer, store, monkeypatch)
    artefact = store.put(FILES)

    for split, seed in (("feedback", 1), ("feedback", 2), ("final", 1)):
        await judge.score(artefact, split=split, seed=seed)

    assert scorer.asked == 3


async def test_a_crashing_scorer_raises_and_is_not_remembered(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = CountingScorer(ZeroDivisionError("ours"))
    judge = judge_over(scorer, store, monkeypatch)
    artefact = store.put(FILES)

    for _ in range(2):
        with pytest.raises(
            ScoringFailed, match="the scorer of battle-of-sexes broke: ZeroDivisionError: ours"
        ):
            await judge.score(artefact, split="feedback", seed=1)

    assert scorer.asked == 2


async def test_a_cancelled_score_leaves_the_way_free(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = CountingScorer()
    judge = judge_over(scorer, store, monkeypatch)
    artefact = store.put(FILES)

    with trio.CancelScope() as scope:
        scope.cancel()
        await judge.score(artefact, split="feedback", seed=1)

    assert (await judge.score(artefact, split="feedback", seed=1))[0].value == 1.0


async def test_a_sandbox_that_cannot_start_raises(store: ArtefactStore) -> None:
    judge = open_judge("battle-of-sexes", store=store, backend=NoSandbox())  # type: ignore[arg-type]

    with pytest.raises(IsolationUnavailable, match="bubblewrap"):
        await judge.score(store.put(FILES), split="feedback", seed=1)


async def test_an_artefact_that_is_not_what_the_task_needs_is_a_score_without_value(
    store: ArtefactStore,
) -> None:
    judge = open_judge("battle-of-sexes", store=store, backend=NoSandbox())  # type: ignore[arg-type]

    score, _ = await judge.score(store.put({"other.py": b""}), split="feedback", seed=1)

    assert score == Score(value=None, failure="strategy.py is missing")


async def test_an_artefact_that_the_store_has_lost_raises(store: ArtefactStore) -> None:
    judge = open_judge("battle-of-sexes", store=store, backend=NoSandbox())  # type: ignore[arg-type]

    with pytest.raises(RecordDamaged):
        await judge.score(ArtefactHash("0" * 64), split="feedback", seed=1)


@pytest.mark.sandbox
async def test_the_judges_secret_changes_the_draws_of_feedback_and_no_exact_final(
    store: ArtefactStore,
) -> None:
    backend = await isolated()
    task, artefact = open_task("battle-of-sexes"), store.put(FILES)
    open_, secret = (
        SandboxJudge(task, "verified", store=store, backend=backend, cache=None, secret=secret)
        for secret in (b"", b"only here")
    )

    feedback = [(await judge.score(artefact, split="feedback", seed=1))[0].value for judge in (open_, secret)]
    final = [(await judge.score(artefact, split="final", seed=1))[0].value for judge in (open_, secret)]

    assert feedback[0] != feedback[1]
    assert final[0] == final[1]


REWRITES_ITSELF = """
import os
os.chmod(os.path.dirname(os.path.abspath(__file__)), 0o755)
os.remove(__file__)
with open(__file__, "w") as changed:
    changed.write("def row_strategy(history): return 0")
"""


@pytest.mark.parametrize(
    "task, files",
    [
        ("battle-of-sexes", player("return 0", before=REWRITES_ITSELF)),
        ("3-sat", {"heuristic.py": REWRITES_ITSELF + BASELINE}),
    ],
)
async def test_an_artefact_that_changed_while_it_was_scored_has_no_score(
    task: str, files: dict[str, str], store: ArtefactStore
) -> None:
    """Where nothing isolates it can; the score would belong to another hash."""
    judge = open_judge(task, store=store, backend=Unisolated())
    artefact = store.put({path: text.encode() for path, text in files.items()})

    score, _ = await judge.score(artefact, split="feedback", seed=1)

    path = f"artefact/{next(iter(files))}"
    assert score.value is None
    assert score.failure == f"its files changed while it was scored: {path}"
    assert "changed-hash" in {found.kind for found in score.findings}
