"""The talk with the heuristic's process: what honest ones get, and what hostile ones do not."""

from array import array
from pathlib import Path

import pytest
import trio
import trio.testing
from three_sat_players import DirectChannel, ScriptedChannel, load_source, open_driver, solve

from tasks.three_sat.dialogue import HeuristicFault, SolveReport, solve_all, wait_ready
from tasks.three_sat.heuristics import BASELINE
from tasks.three_sat.instances import hard_instances, verified_instances
from tasks.three_sat.solver import Verdict

INSTANCES = verified_instances(7, 80)
HEAD = "def heuristic(unresolved_clauses, assignments, conflict_count, assignment_history, level):\n"
HONEST = (
    HEAD
    + """
    free = sorted({abs(x) for clause in unresolved_clauses for x in clause} - assignments.keys())
    return free[(sum(conflict_count.values()) + len(assignment_history) + level) % len(free)], True
"""
)


async def solve_directly(source: str) -> SolveReport:
    return await solve_all(INSTANCES, DirectChannel(source), decision_cap=1000)


async def solve_in_process(folder: Path, source: str) -> SolveReport:
    async with open_driver(folder, source) as channel:
        return await solve_all(INSTANCES, channel, decision_cap=1000)


@pytest.mark.parametrize("together", [1, 7, 128])
async def test_a_report_equals_solving_one_formula_after_the_other(together: int) -> None:
    report = await solve_all(INSTANCES, DirectChannel(HONEST), decision_cap=1000, together=together)

    one_by_one = [solve(instance, load_source(HONEST)) for instance in INSTANCES]
    assert [r.decisions for r in report.results] == [s.decisions for s in one_by_one]
    assert [r.propagations for r in report.results] == [s.propagations for s in one_by_one]
    assert [r.verdict for r in report.results] == [s.verdict for s in one_by_one]
    assert report.decisions == sum(s.decisions for s in one_by_one)


@pytest.mark.parametrize("source", [HONEST, BASELINE])
async def test_the_process_gives_the_same_report_as_the_code_here(tmp_path: Path, source: str) -> None:
    assert await solve_in_process(tmp_path, source) == await solve_directly(source)


async def test_one_process_serves_one_call_after_the_other(tmp_path: Path) -> None:
    async with open_driver(tmp_path, HONEST) as channel:
        await wait_ready(channel)
        halves = [
            await solve_all(half, channel, decision_cap=1000) for half in (INSTANCES[:40], INSTANCES[40:])
        ]

    assert halves[0].results + halves[1].results == (await solve_directly(HONEST)).results


async def test_no_formulas_need_no_process() -> None:
    with trio.testing.assert_checkpoints():
        report = await solve_all((), ScriptedChannel(b""), decision_cap=1)

    assert report.results == ()


async def test_others_run_while_many_formulas_are_solved() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        report = await solve_all(hard_instances(1, 64), DirectChannel(BASELINE), decision_cap=1000)
        nursery.cancel_scope.cancel()

    assert turns > report.decisions / 32


HOSTILE_BUT_HARMLESS = {
    "changes its arguments": HONEST.replace("    return", "    answer =")
    + """
    for clause in unresolved_clauses:
        clause.clear()
    unresolved_clauses.clear()
    assignments.clear()
    conflict_count.clear()
    assignment_history.clear()
    return answer
""",
    "prints a fake score": HONEST.replace(
        "    return",
        '    print(\'{"Decisions": 1}\', flush=True)\n    import os; os.write(1, b"A" * 9)\n    return',
    ),
    "reads stdin": HONEST.replace("    return", "    import sys; assert sys.stdin.read() == ''\n    return"),
}


@pytest.mark.parametrize("name", HOSTILE_BUT_HARMLESS)
async def test_it_gains_and_breaks_nothing_when_it(tmp_path: Path, name: str) -> None:
    report = await solve_in_process(tmp_path, HOSTILE_BUT_HARMLESS[name])

    assert report == await solve_directly(HONEST)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("None", "malformed-answer"),
        ("'x'", "malformed-answer"),
        ("(1,)", "malformed-answer"),
        ("(1, 1)", "malformed-answer"),
        ("(1.0, True)", "malformed-answer"),
        ("(True, True)", "malformed-answer"),
        ("(-1, True)", "malformed-answer"),
        ("(2 ** 31, True)", "malformed-answer"),
        ("(99, True)", "unknown-variable"),
        ("(abs(next(iter(assignments), 1)), True)", "assigned-variable"),
    ],
)
async def test_a_bad_answer_fails_its_formula_and_no_other(answer: str, kind: str) -> None:
    """The bad answer is only given from the third level on, which some formulas never reach."""
    bad = f"    if level >= 2:\n        return {answer}\n    return "

    source = HONEST.replace("    return ", bad)
    report = await solve_directly(source)

    faults = [result.fault for result in report.results if result.fault is not None]
    assert {fault.kind for fault in faults} == {kind}
    assert all((r.verdict is Verdict.FAULTY) == (r.fault is not None) for r in report.results)
    assert 0 < len(faults) < len(INSTANCES)


async def test_giving_every_branch_up_proves_nothing() -> None:
    report = await solve_directly(HEAD + "    return None, True\n")

    assert all(r.verdict is Verdict.UNSATISFIABLE and r.gave_up for r in report.results)


FATAL = {
    "raises": (HEAD + "    raise ValueError('no \\x1b[31m' + 'x' * 10**6)\n", "raised", "ValueError: no"),
    "raises what cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise KeyError\n" + HEAD + "    raise E\n",
        "raised",
        "cannot be shown",
    ),
    "exits": (HEAD + "    raise SystemExit(0)\n", "raised", "SystemExit"),
    "exits for good": (HEAD + "    import os; os._exit(0)\n", "exited", "ended"),
    "is no Python": ("def heuristic(\n", "import", "SyntaxError"),
    "raises when imported": ("1 / 0\n", "import", "ZeroDivisionError"),
    "has no such function": ("x = 1\n", "import", "heuristic"),
    "is not callable": ("heuristic = 1\n", "raised", "TypeError"),
    "writes to every descriptor": (
        HEAD
        + "    import os\n    for fd in range(3, 20):\n        try: os.write(fd, b'\\0\\0\\0\\1A')\n"
        + "        except OSError: pass\n    return 1, True\n",
        "bad-frame",
        "",
    ),
    "announces four gigabytes": (
        HEAD
        + "    import os\n    for fd in range(3, 20):\n        try: os.write(fd, b'\\xff' * 4)\n"
        + "        except OSError: pass\n    return 1, True\n",
        "bad-frame",
        "4294967295",
    ),
}


@pytest.mark.parametrize("name", FATAL)
async def test_the_artefact_fails_as_a_whole_with_a_named_kind_when_it(tmp_path: Path, name: str) -> None:
    source, kind, said = FATAL[name]

    with pytest.raises(HeuristicFault) as caught:
        await solve_in_process(tmp_path, source)

    assert caught.value.kind == kind
    assert said in caught.value.detail
    assert len(caught.value.detail) <= 500
    assert caught.value.detail.isprintable()


async def test_a_sleeper_is_waited_for_as_long_as_the_caller_says(tmp_path: Path) -> None:
    async with open_driver(tmp_path, HEAD + "    import time; time.sleep(60)\n") as channel:
        await wait_ready(channel)
        with trio.move_on_after(0.05) as scope:
            await solve_all(INSTANCES, channel, decision_cap=1000)

    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"A",
        b"R",
        b"A" + array("i", [1, 1] * 81).tobytes(),
        b"A" + array("i", [1, 3] * 80).tobytes(),
        b"A" + array("i", [1, -1] * 80).tobytes(),
        b"E",
        b"Escore:0.1",
        b"E\xff\xfe",
    ],
)
async def test_bytes_that_are_no_reply_are_refused(reply: bytes) -> None:
    with pytest.raises(HeuristicFault) as caught:
        await solve_all(INSTANCES, ScriptedChannel(reply), decision_cap=1000)

    assert caught.value.kind == "bad-frame"


async def test_a_negative_variable_from_the_wire_is_a_fault_of_its_formula() -> None:
    """The driver never sends one, but whoever took the driver over may."""
    reply = b"A" + array("i", [-1, 1] * 80).tobytes()

    report = await solve_all(INSTANCES, ScriptedChannel(reply), decision_cap=1000)

    assert {r.fault.kind for r in report.results if r.fault} == {"unknown-variable"}
