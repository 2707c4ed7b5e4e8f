"""Runs and studies whose models stand behind a cache: what is asked again, what is not, and what the record says."""

from pathlib import Path

import msgspec
import pytest
from model_server import ModelServer, open_model_server
from run_cases import journals, needs_sandbox, researcher

from benchmarks.studies.conducting import conduct
from benchmarks.studies.design import ArmDesign, Design
from benchmarks.studies.model_use import open_model_use
from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.resolving import resolve
from benchmarks.studies.running import limits_for, run_plan
from benchmarks.studies.study import read_study
from benchmarks.studies.summary import Record
from engine.budget import Budget
from engine.models.cache import CacheUse
from engine.seeds import Seeds

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    needs_sandbox()


async def run(folder: Path, server: ModelServer, cache: Path | None, *, seeds: int = 1) -> Record:
    plan = make_plan(Request(tasks=("planted",), evaluations=2, models=("local/any",), seeds=seeds))
    with open_model_use(cache, is_scoped=False) as use:
        return await run_plan(
            plan,
            folder=folder,
            limits=limits_for(1),
            reporter=Quiet(),
            base_url=server.base_url,
            model_use=use,
        )


def cache_use(study: Path) -> CacheUse:
    used = read_study(study).runs[-1].model_cache
    assert used is not msgspec.UNSET
    return used


async def test_while_developing_a_second_run_asks_nothing_and_says_so(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    async with open_model_server(researcher) as server:
        first = await run(tmp_path / "first", server, cache)
        asked = len(server.requests)
        second = await run(tmp_path / "second", server, cache)

    assert len(server.requests) == asked
    assert (cache_use(tmp_path / "first").misses, cache_use(tmp_path / "second").misses) == (asked, 0)
    assert cache_use(tmp_path / "second").hits == asked
    assert cache_use(tmp_path / "second").saved_tokens == first.episodes[0].spending["tokens"]
    assert any("not for comparisons" in note for note in second.notes)


async def test_a_cached_episode_reads_as_if_it_had_been_asked_and_its_meters_tell(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        first = await run(tmp_path / "first", server, tmp_path / "cache")
        second = await run(tmp_path / "second", server, tmp_path / "cache")

    episode = first.episodes[0].episode
    marks = [
        (study / "episodes" / episode / "journal.jsonl").read_text().count('"extra":{"cached":1.0}')
        for study in (tmp_path / "first", tmp_path / "second")
    ]
    assert journals(tmp_path / "first") == journals(tmp_path / "second")
    assert first.episodes[0].spending == second.episodes[0].spending
    assert marks == [0, len(server.requests)]


async def test_without_a_cache_a_record_does_not_speak_of_one(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        record = await run(tmp_path / "study", server, None)

    assert b"model_cache" not in (tmp_path / "study" / "study.json").read_bytes()
    assert b"replay_of" not in (tmp_path / "study" / "study.json").read_bytes()
    assert not any("cache" in note for note in record.notes)


async def test_in_a_study_seeds_and_arms_share_nothing_and_a_rerun_finds_all(tmp_path: Path) -> None:
    arms = tuple(ArmDesign(name=name, model="local/any") for name in ("one", "two"))
    seeds = tuple(Seeds(task=seed, team=seed, evaluation=seed) for seed in (1, 2))
    design = Design(name="cached", tasks=("planted",), arms=arms, seeds=seeds, budget=Budget(evaluations=2))

    async with open_model_server(researcher) as server:
        for folder in ("first", "again"):
            with open_model_use(tmp_path / "cache", is_scoped=True) as use:
                summary = await conduct(
                    resolve(design),
                    folder=tmp_path / folder,
                    limits=limits_for(4),
                    reporter=Quiet(),
                    base_url=server.base_url,
                    model_use=use,
                )

    first, again = cache_use(tmp_path / "first"), cache_use(tmp_path / "again")
    assert (first.hits, first.misses) == (0, len(server.requests))
    assert (again.hits, again.misses) == (len(server.requests), 0)
    assert journals(tmp_path / "first") == journals(tmp_path / "again")
    assert not any("not for comparisons" in note for note in summary.notes)
