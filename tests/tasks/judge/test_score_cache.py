"""Scores are remembered within a study, on a file that survives a crash."""

from pathlib import Path

import pytest

from engine.errors import OutputUnusable
from engine.messages import ArtefactHash
from engine.task import Score
from tasks.score_cache import ScoreCache, ScoreKey


def key(seed: int) -> ScoreKey:
    return ScoreKey(
        task="t", protocol="verified", artefact=ArtefactHash("a" * 64), split="final", seed=seed, version=1
    )


def test_another_process_finds_what_was_kept(tmp_path: Path) -> None:
    ScoreCache(tmp_path / "scores.jsonl").keep(key(1), Score(value=0.1 + 0.2, metrics={"a": 1.0}))

    found = ScoreCache(tmp_path / "scores.jsonl")

    assert found.find(key(1)) == Score(value=0.1 + 0.2, metrics={"a": 1.0})
    assert found.find(key(2)) is None


def test_a_torn_tail_costs_its_own_score_only(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    cache = ScoreCache(path)
    for seed in (1, 2):
        cache.keep(key(seed), Score(value=float(seed)))
    path.write_bytes(path.read_bytes()[:-7])

    after = ScoreCache(path)
    after.keep(key(3), Score(value=3.0))

    again = ScoreCache(path)
    assert [again.find(key(seed)) for seed in (1, 2, 3)] == [Score(value=1.0), None, Score(value=3.0)]


def test_without_a_file_it_remembers_in_memory() -> None:
    cache = ScoreCache()

    cache.keep(key(1), Score(value=1.0))

    assert cache.find(key(1)) == Score(value=1.0)


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputUnusable, match="cannot keep a score"):
        ScoreCache(tmp_path / "gone" / "scores.jsonl").keep(key(1), Score(value=1.0))
