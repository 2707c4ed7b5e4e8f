"""The same seeds give the same journals, byte for byte, whatever runs beside them; `measured` aside."""

import multiprocessing
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from run_cases import FAST, document, journals, mlyceum, outcome


def run(tasks: tuple[str, ...], folder: Path, *options: str) -> dict[str, list[bytes]]:
    document(mlyceum("run", *tasks, *options, "--out", str(folder), "--json", *FAST, cwd=folder.parent))
    return journals(folder)


def _burn() -> None:
    while True:
        pass


@contextmanager
def loaded_machine(processes: int = 4) -> Generator[None]:
    """Twice as much work as small machines have cores."""
    burners = [
        multiprocessing.get_context("spawn").Process(target=_burn, daemon=True) for _ in range(processes)
    ]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


@pytest.mark.slow
def test_one_job_or_eight_write_equal_journals(tmp_path: Path) -> None:
    options = ("--seeds", "3", "--budget", "4", "--control", "solo")

    one = run(("planted",), tmp_path / "one", "--jobs", "1", *options)
    eight = run(("planted",), tmp_path / "eight", "--jobs", "8", *options)

    assert len(one) == 6
    assert one == eight


@pytest.mark.slow
def test_experiments_in_flight_together_are_recorded_in_one_order(tmp_path: Path) -> None:
    (tmp_path / "wide.toml").write_text(
        'name = "wide"\nin_flight = 3\n[strategy]\nkind = "greedy"\n'
        + "".join(f'[[members]]\nrole = "{role}"\nreplicas = 2\n' for role in ("coder", "experimenter"))
        + '[[members]]\nrole = "hypothesizer"\n[[members]]\nrole = "reviewer"\n'
    )
    options = ("--team", str(tmp_path / "wide.toml"), "--seeds", "2", "--budget", "6")

    quiet = run(("planted",), tmp_path / "quiet", "--jobs", "1", *options)
    with loaded_machine():
        busy = run(("planted",), tmp_path / "busy", "--jobs", "8", *options)

    assert quiet == busy


def repeat_idle_and_loaded(tasks: tuple[str, ...], tmp_path: Path) -> None:
    options = ("--seeds", "2", "--budget", "4")

    first = run(tasks, tmp_path / "first", "--jobs", "1", *options)
    with loaded_machine():
        second = run(tasks, tmp_path / "second", "--jobs", "8", *options)

    assert first == second


@pytest.mark.slow
def test_games_repeat_on_a_loaded_machine(tmp_path: Path) -> None:
    repeat_idle_and_loaded(("battle-of-sexes", "prisoners-dilemma", "colonel-blotto"), tmp_path)


@pytest.mark.slow
def test_3_sat_repeats_on_a_loaded_machine(tmp_path: Path) -> None:
    repeat_idle_and_loaded(("3-sat",), tmp_path)


@pytest.mark.slow
def test_the_same_command_twice_gives_the_same_record(tmp_path: Path) -> None:
    command = ("run", "battle-of-sexes", "--seeds", "2", "--budget", "4", "--json", *FAST)

    first = document(mlyceum(*command, "--out", "first", cwd=tmp_path))
    second = document(mlyceum(*command, "--out", "second", cwd=tmp_path))

    assert outcome(first) == outcome(second)
    assert journals(tmp_path / "first") == journals(tmp_path / "second")
