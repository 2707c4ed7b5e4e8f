"""What it costs to watch a large study: makes the record of one and measures looks at it.

``python -m mlyceum.watch_cost [EPISODES]`` prints, for each look, the processor time of reading and of summing up.
"""

import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.studies.study import STUDY_VERSION, StudyRecord
from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec
from engine.index import open_index
from engine.messages import ArtefactHash
from engine.seeds import Seeds
from engine.task import Measured, Score
from mlyceum.folders import EPISODES, INDEX, JOURNAL, STUDY
from mlyceum.watching import StudyWatch
from roles import named_team

EPISODES_MADE = 10_000
ARMS = ("full", "solo", "random-search", "best-of-n")
LOOKS = 9


def make_study(folder: Path, episodes: int) -> None:
    """A record of so many episodes, of which 99 in 100 have ended."""
    teams = [named_team(name) for name in ARMS]
    specs = tuple(
        EpisodeSpec(
            task="t",
            team=team,
            seeds=Seeds(task=seed, team=seed, evaluation=seed),
            budget=Budget(evaluations=20),
        )
        for seed in range(1, episodes // len(teams) + 1)
        for team in teams
    )
    (folder / STUDY).write_bytes(msgspec.json.encode(StudyRecord(version=STUDY_VERSION, episodes=specs)))
    with open_index(folder / INDEX):
        pass
    ended = specs[: len(specs) * 99 // 100]
    connection = sqlite3.connect(folder / INDEX)
    with connection:
        connection.executemany(
            "INSERT INTO episodes VALUES (?, 'x', 'submitted', 0.5, ?)",
            [(spec.id, msgspec.json.encode(_result(spec))) for spec in ended],
        )
    connection.close()
    for spec in specs[: len(ended) + 10]:
        (folder / EPISODES / spec.id).mkdir(parents=True)
        (folder / EPISODES / spec.id / JOURNAL).touch()


def _result(spec: EpisodeSpec) -> EpisodeResult:
    return EpisodeResult(
        episode=spec.id,
        spec=spec,
        outcome="submitted",
        selected=ArtefactHash("0" * 64),
        final=Score(value=0.5),
        evaluations=20,
        spending={"evaluations": 20.0},
        measured=Measured(seconds=5.0),
    )


def main(arguments: list[str]) -> int:
    """Make the study and print what each look takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_study(folder, int(arguments[0]) if arguments else EPISODES_MADE)
        watch = StudyWatch(folder)
        for look in range(1, LOOKS + 1):
            began = time.process_time()
            watch.refresh()
            read = time.process_time()
            snapshot = watch.snapshot(0.0)
            summed = time.process_time() - read
            sys.stdout.write(
                f"look {look}: {snapshot.ended} of {snapshot.asked} ended; "
                f"read {1e3 * (read - began):.0f} ms, summed up {1e3 * summed:.0f} ms\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
