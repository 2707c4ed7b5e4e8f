"""Conducting a study for real, on `planted`: idempotent, amended by seeds only, looks put down, failures tried again."""

from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.studies.arm_rows import StudySummary
from benchmarks.studies.conducting import conduct
from benchmarks.studies.design import ArmDesign, Design, Shard, read_lock, read_whole_lock
from benchmarks.studies.estimate import estimate
from benchmarks.studies.locking import make_lock, write_lock
from benchmarks.studies.looks import read_looks, record_look
from benchmarks.studies.merging import merge_shards, shards_beside
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.resolving import resolve
from benchmarks.studies.running import Persistent, limits_for
from benchmarks.studies.study import open_study, read_study
from engine.budget import Budget
from engine.bus import InfrastructureFailed
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, EngineError, OutputUnusable
from engine.index import open_index
from engine.messages import ArtefactHash
from engine.seeds import Seeds
from engine.task import Score

DESIGN = Design(
    name="tiny",
    tasks=("planted",),
    arms=(ArmDesign(name="random-search", team="random-search"), ArmDesign(name="solo", team="solo")),
    seeds=(),
    budget=Budget(evaluations=2),
)


def design_of(*seeds: int, pilots: tuple[int, ...] = (), **fields: object) -> Design:
    made = {"seeds": seeds, "pilot_seeds": pilots}
    blocks = {
        name: tuple(Seeds(task=n, team=n, evaluation=n) for n in numbers) for name, numbers in made.items()
    }
    return msgspec.structs.replace(DESIGN, **blocks, **fields)


async def run(
    design: Design, folder: Path, *, shard: Shard | None = None, look: str | None = "test"
) -> StudySummary:
    return await conduct(
        resolve(design, shard=shard),
        folder=folder,
        limits=limits_for(4),
        reporter=Quiet(),
        workspace="process",
        look=look,
    )


def files(folder: Path, pattern: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.glob(pattern))}


def results(folder: Path) -> dict[str, EpisodeResult]:
    with open_index(folder / "index.sqlite", read_only=True) as index:
        return {
            result.episode: msgspec.structs.replace(result, measured=DROPPED) for result in index.results()
        }


DROPPED = EpisodeResult.__struct_defaults__[-1]


async def test_run_again_a_study_does_what_is_missing_and_nothing_else(tmp_path: Path) -> None:
    first = await run(design_of(1, pilots=(9,)), tmp_path)
    journals = files(tmp_path, "episodes/*/journal.jsonl")

    again = await run(design_of(1, pilots=(9,)), tmp_path)

    assert (first.blocks, first.complete_blocks, first.episodes) == (1, 1, 4)
    assert again.rows == first.rows
    assert len(journals) == 4
    assert files(tmp_path, "episodes/*/journal.jsonl") == journals
    assert read_lock(tmp_path) == resolve(design_of(1, pilots=(9,))).design


async def test_pilots_are_run_and_left_out_of_every_row(tmp_path: Path) -> None:
    summary = await run(design_of(1, 2, pilots=(9,)), tmp_path)

    assert len(results(tmp_path)) == 6
    assert [len(row.points) for row in summary.rows] == [2, 2]


async def test_seeds_added_after_a_look_are_noted(tmp_path: Path) -> None:
    await run(design_of(1), tmp_path)

    summary = await run(design_of(1, 2), tmp_path)

    lock = read_whole_lock(tmp_path)
    assert lock is not None
    assert [(len(each.added), each.looks_before) for each in lock.amendments] == [(1, 1)]
    assert any("after results had been looked at (1 times)" in note for note in summary.notes)
    assert [look.complete_blocks for look in read_looks(tmp_path)] == [1, 2]


async def test_tasks_and_arms_added_after_a_look_are_run_and_noted(tmp_path: Path) -> None:
    await run(design_of(1), tmp_path)
    before = files(tmp_path, "episodes/*/journal.jsonl")
    more = (*DESIGN.arms, ArmDesign(name="best-of-n", team="best-of-n"))

    summary = await run(design_of(1, arms=more, tasks=("planted", "battle-of-sexes")), tmp_path)

    lock = read_whole_lock(tmp_path)
    assert lock is not None
    assert [(each.arms, each.tasks) for each in lock.amendments] == [(("best-of-n",), ("battle-of-sexes",))]
    assert lock.blocks[0].arms[2] == "best-of-n"  # after those that the block began with
    assert len(results(tmp_path)) == 6
    assert before.items() <= files(tmp_path, "episodes/*/journal.jsonl").items()
    assert any("arms were added" in note and "exploratory" in note for note in summary.notes)


async def test_a_blind_run_takes_no_look_and_adding_seeds_then_is_free(tmp_path: Path) -> None:
    blind = await run(design_of(1), tmp_path, look=None)
    summary = await run(design_of(1, 2), tmp_path)

    assert blind.rows == ()
    assert not any("looked at" in note for note in summary.notes)
    assert len(read_looks(tmp_path)) == 1


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (design_of(1, budget=Budget(evaluations=3)), "another budget"),
        (design_of(2), "seeds may be added, never taken away"),
        (design_of(1, order_seed=4), "another order seed"),
        (design_of(1, arms=DESIGN.arms[:1]), "another set of arms"),
    ],
)
async def test_a_folder_of_another_study_is_refused_and_stays_as_it_is(
    other: Design, says: str, tmp_path: Path
) -> None:
    await run(design_of(1), tmp_path)
    before = files(tmp_path, "study*")

    with pytest.raises(BadSpecification, match=says):
        await run(other, tmp_path)

    assert files(tmp_path, "study*") == before


async def test_shards_merged_are_the_whole_study(tmp_path: Path) -> None:
    design = design_of(1, 2, 3, pilots=(9,))
    await run(design, tmp_path / "whole")
    for number in (1, 2):
        shard = Shard(number=number, of=2)
        summary = await run(design, tmp_path / "out.shards" / f"{number}-of-2", shard=shard)
        assert summary.rows == ()

    merged = merge_shards(tmp_path / "out", shards_beside(tmp_path / "out"))

    assert (merged.done, merged.brought) == (8, 8)
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert read_study(tmp_path / "out").episodes == read_study(tmp_path / "whole").episodes
    assert len(read_study(tmp_path / "out").runs) == 2
    assert (await run(design, tmp_path / "out")).complete_blocks == 3
    assert read_looks(tmp_path / "out.shards" / "1-of-2") == ()


async def test_what_does_not_fit_together_is_not_merged(tmp_path: Path) -> None:
    design, folder = design_of(1, 2), tmp_path / "shards"
    await run(design, folder / "1-of-2", shard=Shard(number=1, of=2))
    await run(design, folder / "1-of-3", shard=Shard(number=1, of=3))
    await run(design_of(3, 4), folder / "other", shard=Shard(number=2, of=2))
    await run(design, folder / "whole")
    out, one = tmp_path / "out", folder / "1-of-2"

    for shards, says in (
        ([one], "2/2 missing"),
        ([one, one], "and so is"),
        ([one, folder / "1-of-3"], "they overlap"),
        ([one, folder / "other"], "is a shard of another study"),
        ([one, folder / "whole"], "holds a whole study"),
        ([one, tmp_path], "holds no study.lock"),
        ([], "none is named"),
    ):
        with pytest.raises(BadSpecification, match=says):
            merge_shards(out, shards)

    assert not out.exists()
    with pytest.raises(OutputUnusable, match="holds other files"):
        merge_shards(tmp_path, [one], partial=True)


def ended(spec: EpisodeSpec) -> EpisodeResult:
    return EpisodeResult(
        episode=spec.id,
        spec=spec,
        outcome="submitted",
        selected=ArtefactHash("a" * 64),
        final=Score(value=0.5),
    )


def write_shard(folder: Path, design: Design, shard: Shard, done: set[str]) -> set[str]:
    """A shard's folder in which some episodes have ended, without having run them."""
    resolved = resolve(design, shard=shard)
    with open_study(folder, resolved.plan.specs) as study:
        write_lock(folder, make_lock(resolved))
        for spec in resolved.plan.specs:
            if spec.id in done:
                (folder / "episodes" / spec.id).mkdir(parents=True)
                (folder / "episodes" / spec.id / "journal.jsonl").write_text(spec.id)
                study.index.commit(ended(spec))
    return {spec.id for spec in resolved.plan.specs}


@settings(max_examples=15, deadline=None)
@given(data=st.data(), of=st.integers(1, 4), seeds=st.integers(1, 4))
def test_merging_in_any_order_and_any_number_of_times_brings_what_has_ended_once(
    data: st.DataObject, of: int, seeds: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp = tmp_path_factory.mktemp("merge")
    design = design_of(*range(1, seeds + 1))
    ids = [spec.id for spec in resolve(design).plan.specs]
    done = data.draw(st.sets(st.sampled_from(ids)))
    numbers = data.draw(st.permutations(range(1, of + 1)))
    folders = [tmp / str(number) for number in numbers]
    owned = [
        write_shard(f, design, Shard(number=n, of=of), done) for f, n in zip(folders, numbers, strict=True)
    ]

    first = merge_shards(tmp / "out", folders[:1], partial=True)
    last = merge_shards(tmp / "out", folders, partial=True)
    again = merge_shards(tmp / "out", folders[::-1], partial=True)

    assert first.brought == len(owned[0] & done)
    assert (last.done, last.episodes, again.brought) == (len(done), len(ids), 0)
    assert set(results(tmp / "out")) == done
    assert {path.parent.name for path in (tmp / "out").glob("episodes/*/journal.jsonl")} == done
    assert [spec.id for spec in read_study(tmp / "out").episodes] == ids


class FailsSometimes:
    def __init__(self, times: int) -> None:
        self.left, self.calls = times, 0

    async def run_one(self, spec: EpisodeSpec, _: Path) -> EpisodeResult:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self.left:
            self.left -= 1
            raise InfrastructureFailed(EngineError("the endpoint is down"))
        return ended(spec)


async def test_an_episode_that_the_outside_let_down_is_tried_again_at_once(autojump_clock: object) -> None:
    spec = resolve(design_of(1)).plan.specs[0]
    fake = FailsSometimes(2)
    persistent = Persistent(fake.run_one, retries=2, reporter=Quiet())

    result = await persistent.run_one(spec, Path())

    assert result.final.value == 0.5
    assert persistent.retried == {spec.id: 2}


async def test_retries_are_bounded(autojump_clock: object) -> None:
    fake = FailsSometimes(9)

    with pytest.raises(InfrastructureFailed):
        await Persistent(fake.run_one, retries=2, reporter=Quiet()).run_one(
            resolve(design_of(1)).plan.specs[0], Path()
        )

    assert fake.calls == 3


async def test_time_is_estimated_from_what_was_measured_and_unknown_before(tmp_path: Path) -> None:
    resolved = resolve(design_of(1, 2))
    before = estimate(resolved, folder=tmp_path / "none")
    await run(design_of(1), tmp_path / "some")

    after = estimate(resolved, folder=tmp_path / "some")
    like = estimate(resolved, folder=tmp_path / "none", like=[tmp_path / "some"])

    assert (before.wall_seconds, before.done, before.episodes) == (None, 0, 4)
    assert (after.done, after.evaluations_at_most) == (2, 4)
    assert after.wall_seconds is not None
    assert like.wall_seconds is not None
    assert like.wall_seconds > after.wall_seconds
    assert not (tmp_path / "none").exists()


def test_cost_is_bounded_by_the_caps_and_the_price_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    arm = ArmDesign(name="full", model="openai/gpt-4o-mini")

    def cap(**budget: object) -> float | None:
        made = design_of(1, 2, arms=(arm,), budget=Budget(evaluations=5, **budget))  # type: ignore[arg-type]  # by axis
        return estimate(resolve(made), folder=tmp_path).cost_usd_at_most

    assert cap() is None
    assert cap(cost_usd=0.5) == 1.0
    assert cap(tokens=1_000_000) == pytest.approx(1.2)  # 2 episodes, 0.60 USD for a million tokens out
    assert cap(tokens=1_000_000, cost_usd=0.5) == 1.0


def test_looks_are_kept_line_by_line(tmp_path: Path) -> None:
    record_look(tmp_path, by="report", complete_blocks=3, blocks=4)
    record_look(tmp_path, by="study", complete_blocks=4, blocks=4)

    assert [(look.by, look.complete_blocks) for look in read_looks(tmp_path)] == [("report", 3), ("study", 4)]
