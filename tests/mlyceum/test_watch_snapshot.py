"""What `mlyceum watch` says of a record with fixed times, and that it reads in pieces and writes nothing."""

import fcntl
import io
import os
from pathlib import Path

import msgspec
import pytest
from called import assert_sentence, call
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from watched_studies import (
    BEGAN,
    ended,
    half_way,
    many_rows,
    run_record,
    specs_of,
    write_journal,
    write_watched,
)

from engine.journal import Finished
from mlyceum import watching
from mlyceum.time_left import TimeLeft
from mlyceum.watch_tail import JournalTail, is_held
from mlyceum.watch_view import event_line, screen, state_line
from mlyceum.watching import Snapshot, StudyWatch

HOSTILE = "\x1b]52;c;cGF5\x07\x1b[2J\u202etxt\x9b31m\x00\n<script>"


def make_running(study: Path, *, text: str = "no answer for 30 s") -> Path:
    """Five of eight have ended, one is under way, two wait."""
    specs = specs_of("full", "solo", seeds=4)
    results = [
        (ended(specs[0], 0.9, seconds=10), 10.0),
        (ended(specs[1], None, seconds=6), 16.0),
        (ended(specs[2], 0.7, seconds=12, finding=text), 22.0),
        (ended(specs[3], 0.3, seconds=8), 24.0),
        (ended(specs[4], 0.5, seconds=11), 35.0),
    ]
    write_watched(study, results=results, specs=specs)
    write_journal(study, specs[5], half_way(specs[5], text=text), at=38.0)
    return study


def shown(snapshot: Snapshot, *, width: int = 118, height: int | None = None) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, emoji=False, markup=False).print(
        screen(snapshot, height=height)
    )
    return [line.rstrip() for line in file.getvalue().splitlines()]


def hold(study: Path) -> int:
    lock = os.open(study / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyWatch:
    monkeypatch.chdir(tmp_path)
    study = make_running(Path("study"))
    watch = StudyWatch(study)
    watch.refresh(whole=True)
    return watch


GOLDEN = """\
study  running  5 of 8 episodes ended, 1 running, 2 waiting
██████████████████░░░░░░░░░░░░  62 %  450 episodes an hour  time left: about 15 s (11 s to 20 s), 1.4 episodes at once
spent: 23 of 32 evaluations, 4500 tokens, 1.25 USD, 38 steps
limits: episodes 1/2 (+2 waiting), scorings 1/1, workspaces 1/2, calls to local 1/16
task  arm   ended  running  failed  waiting  no score  mean time
t     full    3/4        -       -        1         -       11 s
t     solo    2/4        1       -        1         1        7 s
best so far  metric  baseline   final  of               feedback
t ↑          Yield     0.1000  0.9000  t--full--seed-1    0.4000
under way        evaluations  time  quiet  waits for
t--solo--seed-3          3/4   9 s    2 s  experimenter: feedback score (+2)
t--solo--seed-1  submitted no score 4 evaluations, 6.0 s (no answer)
t--full--seed-2  submitted 0.7000 4 evaluations, 12.0 s
t--full--seed-2  FINDING  bad-move: no answer for 30 s
t--solo--seed-2  submitted 0.3000 4 evaluations, 8.0 s
t--full--seed-3  submitted 0.5000 4 evaluations, 11.0 s
t--solo--seed-3  begun
t--solo--seed-3  TROUBLE  coder failed (restart): no answer for 30 s
t--solo--seed-3  TROUBLE  coder: Rejected: no answer for 30 s
"""


def test_a_running_study_is_shown_like_this(running: StudyWatch) -> None:
    lock = hold(running.folder)

    snapshot = running.snapshot(BEGAN + 40)
    os.close(lock)
    assert snapshot.left is not None
    estimate = TimeLeft(seconds=15, low=11, high=20, concurrency=1.4)  # drawn; its own tests hold it

    assert shown(msgspec.structs.replace(snapshot, left=estimate)) == GOLDEN.splitlines()


def test_a_screen_keeps_to_its_height_and_says_what_it_leaves_out(running: StudyWatch) -> None:
    lines = shown(running.snapshot(BEGAN + 40), height=14)

    assert len(lines) <= 14
    assert "5 of 8 episodes ended" in lines[0]


def test_without_a_run_the_study_is_idle_and_nothing_is_under_way(running: StudyWatch) -> None:
    (running.folder / ".lock").touch()

    snapshot = running.snapshot(BEGAN + 40)

    assert (snapshot.state, snapshot.running, snapshot.waiting, snapshot.left) == ("idle", 0, 3, None)
    assert any("no run works in this folder" in line for line in shown(snapshot))


def test_the_snapshot_reads_back_as_itself(running: StudyWatch) -> None:
    snapshot = running.snapshot(BEGAN + 40)

    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


def test_what_is_spent_counts_episodes_under_way(running: StudyWatch) -> None:
    snapshot = running.snapshot(BEGAN + 40)

    assert snapshot.spent == {"evaluations": 23, "tokens": 4500, "cost_usd": 1.25, "steps": 38}
    assert snapshot.caps == {"evaluations": 32}


def test_what_the_outside_failed_at_is_told_until_it_is_done(tmp_path: Path) -> None:
    specs = specs_of("full", seeds=2)
    run = run_record({specs[1].id: "RateLimited: slow down"})
    study = write_watched(
        tmp_path / "s", results=[(ended(specs[0], 0.5, seconds=3), 3)], specs=specs, runs=[run]
    )
    watch = StudyWatch(study)

    watch.refresh()

    assert watch.snapshot(BEGAN + 9).failed == 1
    assert [event_line(event) for event in watch.events_after(0) if event.kind == "failed"] == [
        "t--full--seed-2  FAILED  RateLimited: slow down"
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_hostile_text_reaches_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    study = make_running(tmp_path / "study", text=HOSTILE)

    done = call(capsys, "watch", study, "--once", *(["--json"] if as_json else []))

    assert done.status == 0
    assert "script" in done.out
    assert not set(done.out) & set("\x1b\x07\x9b\x00\u202e")


def test_the_piped_lines_hold_no_hostile_text_either(tmp_path: Path) -> None:
    watch = StudyWatch(make_running(tmp_path / "study", text=HOSTILE))
    watch.refresh()

    lines = [event_line(event) for event in watch.events_after(0)]

    assert any("script" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_second_look_reads_only_what_is_new(running: StudyWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = next(path for path in running.folder.glob("episodes/*/*.jsonl") if "solo--seed-3" in str(path))
    taken: list[bytes] = []
    take = JournalTail._take
    monkeypatch.setattr(
        JournalTail, "_take", lambda self, line, *, early: (taken.append(line), take(self, line, early=early))
    )
    monkeypatch.setattr(watching, "read_rows", None)  # the index has not changed: not opened
    monkeypatch.setattr(watching, "read_study", None)

    with journal.open("ab") as file:
        file.write(b'{"type":"Started","member":"x","ordinal":1,"effect":{"type":"ClockReading"}}\n{"typ')
    running.refresh()
    running.refresh()

    assert len(taken) == 1


@given(cuts=st.lists(st.integers(0, 4000), max_size=12))
def test_a_journal_read_in_any_pieces_comes_to_the_same(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    spec = specs_of("full", seeds=1)[0]
    folder = tmp_path_factory.mktemp("pieces")
    whole = write_journal(folder, spec, half_way(spec), at=0)
    content = whole.read_bytes()
    partly = folder / "journal.jsonl"
    pieces, at_once = JournalTail(partly), JournalTail(whole)

    at_once.read(1 << 20)
    for cut in [*sorted(cuts), len(content)]:
        partly.write_bytes(content[:cut])
        pieces.read(64)
    while pieces.read(64):
        pass

    assert pieces.open_effects() == at_once.open_effects()
    assert (pieces.evaluations, pieces.steps, pieces.best) == (at_once.evaluations, at_once.steps, 0.4)


def test_a_torn_tail_that_was_cut_off_is_read_anew(tmp_path: Path) -> None:
    spec = specs_of("full", seeds=1)[0]
    path = write_journal(tmp_path, spec, half_way(spec), at=0)
    tail = JournalTail(path)
    tail.read()
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(b"".join(lines[:4]))
    tail.read()

    assert tail.evaluations == 1
    assert not tail.open_effects()


def test_an_answer_that_came_before_its_turn_is_no_longer_waited_for(tmp_path: Path) -> None:
    spec = specs_of("full", seeds=1)[0]
    path = write_journal(tmp_path, spec, half_way(spec), at=0)
    early = [record for record in half_way(spec) if isinstance(record, Finished)][-1:]
    answer = msgspec.structs.replace(early[0], member="coder", ordinal=2)
    path.with_name("early.jsonl").write_bytes(msgspec.json.encode(answer) + b"\n")
    tail = JournalTail(path)

    tail.read()

    assert [each.member for each in tail.open_effects()] == ["experimenter", "coder.2"]


def test_watching_leaves_no_file_and_no_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_running(tmp_path / "study")

    def listing() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in study.rglob("*")}

    before = listing()
    assert call(capsys, "watch", study, "--once").status == 0

    assert listing() == before


def test_a_lock_is_seen_without_being_touched(tmp_path: Path) -> None:
    assert is_held(tmp_path / ".lock") is False

    lock = hold(tmp_path)
    assert is_held(tmp_path / ".lock") is True

    os.close(lock)
    assert is_held(tmp_path / ".lock") is False


def test_ten_thousand_episodes_are_read_a_bounded_piece_at_a_time(tmp_path: Path) -> None:
    specs = specs_of("full", "solo", seeds=5000)
    study = write_watched(tmp_path / "study", results=[], specs=specs)
    many_rows(study, [ended(spec, 0.5, seconds=5) for spec in specs[:9000]])
    watch = StudyWatch(study)

    looks = [(watch.refresh(), watch.snapshot(BEGAN).ended) for _ in range(6)]

    assert [count for _, count in looks] == [2000, 4000, 6000, 8000, 9000, 9000]
    assert [more for more, _ in looks] == [True] * 4 + [False] * 2
    assert len(shown(watch.snapshot(BEGAN), height=40)) <= 40


def test_an_index_that_was_made_again_is_read_again(tmp_path: Path) -> None:
    study = make_running(tmp_path / "study")
    watch = StudyWatch(study)
    watch.refresh(whole=True)
    specs = specs_of("full", "solo", seeds=4)

    (study / "index.sqlite").unlink()
    many_rows(study, [ended(specs[0], 0.9, seconds=10)])
    watch.refresh(whole=True)

    assert watch.snapshot(BEGAN).ended == 1


def test_an_empty_folder_is_a_study_that_has_not_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = call(capsys, "watch", tmp_path, "--once")

    assert (done.status, "no study yet" in done.out) == (0, True)


def test_what_is_no_study_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").touch()

    assert_sentence(call(capsys, "watch", tmp_path), says="not a study's folder")
    assert_sentence(call(capsys, "watch", tmp_path / "nowhere"), says="does not exist")


def test_the_line_on_the_state_says_all_that_a_log_needs(running: StudyWatch) -> None:
    lock = hold(running.folder)

    line = state_line(running.snapshot(BEGAN + 40))
    os.close(lock)

    assert line.startswith("study: running, 5 of 8 episodes ended, 1 running, 2 waiting; time left: about ")


def test_a_run_on_another_node_is_known_by_its_lease(running: StudyWatch) -> None:
    (running.folder / ".lock").touch()
    lease = running.folder / ".lease"
    lease.touch()

    os.utime(lease, (BEGAN, BEGAN))

    assert running.snapshot(BEGAN + 200).state == "running"
    assert running.snapshot(BEGAN + 2000).state == "idle"


def test_a_study_that_grows_counts_what_had_ended_before_it_was_known(tmp_path: Path) -> None:
    specs = specs_of("full", seeds=3)
    results = [(ended(spec, 0.5, seconds=3), 3.0) for spec in specs]
    study = write_watched(tmp_path / "s", results=results, specs=specs[:2])
    watch = StudyWatch(study)
    watch.refresh()
    before = watch.snapshot(BEGAN).ended

    write_watched(study, results=[], specs=specs)
    watch.refresh()

    assert (before, watch.snapshot(BEGAN).ended, watch.is_complete) == (2, 3, True)
