"""How long does the viewer take for a page of a finished study of 10,000 episodes?

Question: how much time does the server spend on the first page of a study of 10,000 episodes that it has never seen
(every row of the index is read, the plan too), and on each page after that?

Quantity: milliseconds of wall time from the request to the whole answer over loopback, and the size of the answer
(CPU of the server to 10 ms, which is how finely the kernel counts). A server of its own for each repetition, so that the
first page is always the first; the files are in the system's cache. Medians with least and greatest. The study is made up:
5 arms, 4 tasks, rows as a run writes them (8 feedback evaluations, half with 8 KB of text beside).
Beside: the same study with a tenth of the episodes; a page must not grow with the study.

Takes about 20 s.
Last gave, on 2 cores: see docs/how-to/viewer.md.
"""

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec
import psutil

from benchmarks.perf.options import Options, parse, show
from benchmarks.perf.table import Headline, Report, headline, look_at_machine, row
from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec
from engine.index import open_index
from engine.member import Chosen, Feedback
from engine.messages import ArtefactHash
from engine.seeds import Seeds
from engine.task import Measured, Score
from roles import named_team

TASKS = ("battle-of-sexes", "prisoners-dilemma", "colonel-blotto", "planted")
ARMS = ("full", "solo", "best-of-n", "random-search", "full.reviewer-vacuous")
TEXT = "x" * 8_000
PAGES = {
    "first page (overview of a study not seen before)": "/api/s/study",
    "overview again": "/api/s/study",
    "episodes, by name": "/api/s/study/episodes",
    "episodes, by score, in the middle": "/api/s/study/episodes?sort=final&desc&offset={middle}",
    "episodes with a word in the name": "/api/s/study/episodes?q=solo",
    "arms side by side": "/api/s/study/arms?task=planted",
}
FIRST = next(iter(PAGES))


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(__doc__, argv, repetitions=5)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show(measure(options, Path(folder)), options)


def measure(options: Options, folder: Path) -> Report:
    before = look_at_machine()
    count = options.size(10_000, 200)
    large, small = folder / "large" / "study", folder / "small" / "study"
    write_study(large, count)
    write_study(small, count // 10)
    of_large = [ask_pages(large, count // 2) for _ in range(options.repetitions)]
    of_small = [ask_pages(small, count // 20) for _ in range(options.repetitions)]
    rows = [row(name, "ms", [each[name].ms for each in of_large]) for name in PAGES]
    rows.insert(1, row("first page, CPU", "ms CPU", [each[FIRST].cpu_ms for each in of_large]))
    rows += [
        row(f"{name}, {count // 10} episodes", "ms", [each[name].ms for each in of_small], is_ours=False)
        for name in PAGES
    ]
    largest = max(PAGES, key=lambda name: of_large[0][name].kilobytes)
    growth = [of_large[0][name].kilobytes / of_small[0][name].kilobytes for name in PAGES]
    headlines: list[Headline] = [
        headline("first page", [each[FIRST].ms for each in of_large], unit="ms", at_most=1000.0),
        headline("largest growth of a page with ten times the episodes", [max(growth)], at_most=1.1),
    ]
    return Report(
        script="viewer_pages",
        question=f"Time of the viewer's server for pages of a finished study of {count} episodes.",
        before=before,
        after=look_at_machine(),
        rows=tuple(rows),
        headlines=tuple(headlines),
        notes=(
            f"the index has {(large / 'index.sqlite').stat().st_size / 1e6:.0f} MB",
            f"the largest document: {largest}, {of_large[0][largest].kilobytes:.0f} KB",
        ),
    )


class Asked(msgspec.Struct, frozen=True):
    """What one page took."""

    ms: float
    cpu_ms: float
    kilobytes: float


def ask_pages(study: Path, middle: int) -> dict[str, Asked]:
    """Ask a server of its own for every page, the first page first."""
    command = [sys.executable, "-m", "mlyceum", "view", str(study), "--port", "0"]
    asked: dict[str, Asked] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            said = next((line for line in server.stdout if "http://" in line), "")
            address = said[said.index("http://") :].split()[0].rstrip("/.,;")
            process = psutil.Process(server.pid)
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                client.get("/")  # the shell, and every module is loaded
                for name, path in PAGES.items():
                    began, cpu = time.perf_counter(), _cpu(process)
                    answer = client.get(path.format(middle=middle))
                    wall, cpu = time.perf_counter() - began, _cpu(process) - cpu
                    asked[name] = Asked(wall * 1000, cpu * 1000, len(answer.content) / 1000)
                    answer.raise_for_status()
        finally:
            server.terminate()
    return asked


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def write_study(folder: Path, episodes: int) -> None:
    folder.mkdir(parents=True)
    artefacts = [ArtefactHash(f"{number:064x}") for number in range(9)]
    team = named_team("full")
    teams = [msgspec.structs.replace(team, name=arm) for arm in ARMS]
    specs: list[EpisodeSpec] = []
    results: list[EpisodeResult] = []
    for number in range(episodes):
        seed = number // 20 + 1
        spec = EpisodeSpec(
            task=TASKS[number % 4],
            team=teams[number // 4 % 5],
            seeds=Seeds(task=seed, team=seed, evaluation=seed),
            budget=Budget(evaluations=8),
        )
        specs.append(spec)
        results.append(
            EpisodeResult(
                episode=spec.id,
                spec=spec,
                outcome="submitted",
                reason=TEXT if number % 2 else "",
                selected=artefacts[8],
                final=Score(value=number * 37 % 1000 / 1000),
                feedback=tuple(
                    Feedback(evaluation=n, artefact=artefacts[n], value=n / 10, standard_error=0.1)
                    for n in range(1, 9)
                ),
                standing=tuple(Chosen(evaluations=n, artefact=artefacts[n]) for n in range(1, 9)),
                messages=60,
                evaluations=8,
                spending={"evaluations": 8.0, "tokens": 1000.0, "cost_usd": 0.01},
                measured=Measured(seconds=2.5),
            )
        )
    with open_index(folder / "index.sqlite"):
        pass  # made
    connection = sqlite3.connect(folder / "index.sqlite")
    # One transaction, where a run has one for each episode: 10,000 of those would wait for the disk for a minute.
    with connection:
        connection.executemany(
            "INSERT INTO episodes VALUES (?, ?, ?, ?, ?)",
            ((r.episode, r.spec.digest(), r.outcome, r.final.value, msgspec.json.encode(r)) for r in results),
        )
    connection.close()
    (folder / "study.json").write_bytes(msgspec.json.encode({"version": 1, "episodes": specs, "runs": []}))


if __name__ == "__main__":
    main()
