"""Submitted code in another process: honest players are played as written, hostile ones gain nothing."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import trio
from plain_process import remote_player

from arenas.errors import ArenaError, PlayerFault
from arenas.exact import enumerate_opponent, expected_value
from arenas.games import BATTLE_OF_SEXES, COLONEL_BLOTTO, PRISONERS_DILEMMA, BlottoGame
from arenas.match import MatchResult, play
from arenas.players.battle_of_sexes import BATTLE_OF_SEXES_OPPONENT
from arenas.players.blotto import BLOTTO_OPPONENT
from arenas.players.in_process import InProcessPlayer
from arenas.players.prisoners_dilemma import PRISONERS_DILEMMA_OPPONENT, RulePlayer, always_defect, pavlov
from arenas.players.remote import DRIVER, RemotePlayer

PAVLOV = "def row_strategy(history):\n    return int(bool(history) and history[-1][0] != history[-1][1])\n"
STRATEGY = "def row_strategy(history):\n"
COIN = "import random\ndef row_strategy(history):\n    return int(random.random() < 0.5)\n"


async def dilemma(player: RemotePlayer, *, games: int = 50) -> MatchResult:
    generator = np.random.default_rng(3)
    return await play(
        PRISONERS_DILEMMA, player, PRISONERS_DILEMMA_OPPONENT, games=games, rounds=10, generator=generator
    )


async def fault_of(folder: Path, source: str, **options: float) -> PlayerFault:
    async with remote_player(folder, source, **options) as player:
        with pytest.raises(PlayerFault) as caught:
            await dilemma(player)
    return caught.value


async def test_a_submitted_player_plays_as_the_same_rule_in_process(tmp_path: Path) -> None:
    async with remote_player(tmp_path, PAVLOV) as player:
        remote = await dilemma(player, games=300)

    scripted = InProcessPlayer(RulePlayer(rule=pavlov), np.random.default_rng())
    local = await dilemma(scripted, games=300)

    assert np.array_equal(remote.rows, local.rows)
    assert np.array_equal(remote.columns, local.columns)


async def test_enumeration_of_a_submitted_deterministic_player_is_exact(tmp_path: Path) -> None:
    async with remote_player(tmp_path, PAVLOV) as player:
        estimate = await enumerate_opponent(PRISONERS_DILEMMA, player, PRISONERS_DILEMMA_OPPONENT, rounds=10)

    exact = expected_value(PRISONERS_DILEMMA, RulePlayer(rule=pavlov), PRISONERS_DILEMMA_OPPONENT, rounds=10)
    assert estimate.mean == pytest.approx(exact, abs=1e-12)
    assert estimate.standard_error == 0


async def test_a_random_player_repeats_with_its_seed_and_differs_with_another(tmp_path: Path) -> None:
    results = []
    for seed in (1, 1, 2):
        async with remote_player(tmp_path, COIN, seed=seed) as player:
            results.append((await dilemma(player)).rows)

    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


async def test_numpys_global_generator_is_seeded_before_the_module_runs(tmp_path: Path) -> None:
    source = (
        "import numpy\nbias = numpy.random.rand()\n"
        "def row_strategy(history):\n    return int(numpy.random.rand() < bias)\n"
    )
    results = []
    for _ in range(2):
        async with remote_player(tmp_path, source) as player:
            results.append((await dilemma(player)).rows)

    assert np.array_equal(*results)


async def test_one_process_plays_one_match_after_another(tmp_path: Path) -> None:
    async with remote_player(tmp_path, COIN) as player:
        first = await dilemma(player)
        second = await dilemma(player)

    assert np.array_equal(first.rows, second.rows)


async def test_the_history_holds_row_then_column_and_grows_by_a_round(tmp_path: Path) -> None:
    source = (
        "def row_strategy(history):\n"
        "    assert all(pair == (n % 2, 1) for n, pair in enumerate(history)), history\n"
        "    return len(history) % 2\n"
    )
    always = BATTLE_OF_SEXES_OPPONENT.__class__(faithfulness=0.0)
    async with remote_player(tmp_path, source) as player:
        result = await play(
            BATTLE_OF_SEXES, player, always, games=4, rounds=6, generator=np.random.default_rng(0)
        )

    assert result.rows[:, 0].tolist() == [0, 1, 0, 1, 0, 1]


async def test_what_a_call_does_to_its_history_reaches_no_other_call(tmp_path: Path) -> None:
    source = (
        STRATEGY + "    n = len(history)\n    history.clear()\n    history.append('x')\n    return n % 2\n"
    )
    async with remote_player(tmp_path, source) as player:
        result = await dilemma(player)

    assert (result.rows == (np.arange(10) % 2)[:, None]).all()


async def test_blotto_histories_hold_both_allocations(tmp_path: Path) -> None:
    source = (
        "def row_strategy(history):\n"
        "    assert all(len(side) == 6 and sum(side) == 120 for pair in history for side in pair), history\n"
        "    return list(history[-1][1]) if history else [20] * 6\n"
    )
    async with remote_player(tmp_path, source) as player:
        result = await play(
            COLONEL_BLOTTO, player, BLOTTO_OPPONENT, games=50, rounds=4, generator=np.random.default_rng(0)
        )

    assert np.array_equal(result.rows[1:], result.columns[:-1])


async def test_published_scoring_takes_allocations_of_any_length(tmp_path: Path) -> None:
    game = BlottoGame(exact_length=False)
    source = (
        "def row_strategy(history):\n    return [10, 20, 30] if len(history) else [1, 2, 3, 4, 5, 6, 7, 8]\n"
    )
    async with remote_player(tmp_path, source) as player:
        result = await play(
            game, player, BLOTTO_OPPONENT, games=2, rounds=2, generator=np.random.default_rng(0)
        )

    assert result.rows[:, 0].tolist() == [[1, 2, 3, 4, 5, 6], [10, 20, 30, -1, -1, -1]]


@pytest.mark.parametrize(
    "answer",
    [
        "True",
        "1.0",
        "2",
        "-1",
        "10**30",
        "None",
        "'1'",
        "[0]",
        "float('nan')",
        "__import__('numpy').int64(1)",
    ],
)
async def test_a_move_that_is_no_move_is_a_fault(tmp_path: Path, answer: str) -> None:
    fault = await fault_of(tmp_path, f"def row_strategy(history):\n    return {answer}\n")

    assert fault.kind == "bad_move"
    assert "game 0" in fault.detail


@pytest.mark.parametrize(
    "answer",
    [
        "[20] * 5",
        "[20] * 7",
        "[20.0] * 6",
        "[True] * 6",
        "[21] * 6",
        "[-1, 1, 1, 1, 1, 1]",
        "[10**40, 0, 0, 0, 0, 0]",
        "[-10**40, 10**40, 0, 0, 0, 0]",
        "[256, -200, 0, 0, 0, 0]",
        "'202020'",
        "120",
        "[]",
        "{0: 1}",
        "list(__import__('numpy').full(6, 20))",
    ],
)
async def test_an_allocation_that_is_none_is_a_fault(tmp_path: Path, answer: str) -> None:
    async with remote_player(tmp_path, f"def row_strategy(history):\n    return {answer}\n") as player:
        with pytest.raises(PlayerFault) as caught:
            await play(
                COLONEL_BLOTTO, player, BLOTTO_OPPONENT, games=9, rounds=3, generator=np.random.default_rng(0)
            )

    assert caught.value.kind == "bad_move"


HOSTILE = {
    "raises": (STRATEGY + "    raise KeyError('x' * 100000)\n", "exception"),
    "raises with terminal escapes": (
        STRATEGY + "    raise KeyError('\\x1b[2J' * 9_999 + '\\0' * 2_000)\n",
        "exception",
    ),
    "raises with broken text": (STRATEGY + "    raise ValueError('\\ud800' * 5_000)\n", "exception"),
    "raises in a later round": (STRATEGY + "    return 1 if len(history) < 5 else 1 // 0\n", "exception"),
    "raises what cannot be printed": (
        "class E(BaseException):\n    def __str__(self): raise SystemExit\n" + STRATEGY + "    raise E\n",
        "exception",
    ),
    "exits politely": (STRATEGY + "    raise SystemExit(0)\n", "exception"),
    "exits at once": ("import os\n" + STRATEGY + "    os._exit(0)\n", "early_exit"),
    "kills itself": ("import os\n" + STRATEGY + "    os.kill(os.getpid(), 9)\n", "early_exit"),
    "exits on import": ("import os\nos._exit(0)\n", "early_exit"),
    "does not compile": ("def row_strategy(history:\n", "exception"),
    "has no such function": ("def other(history):\n    return 0\n", "bad_move"),
    "closes every descriptor": (
        "import os\n" + STRATEGY + "    os.closerange(0, 256)\n    return 0\n",
        "early_exit",
    ),
    "never answers": ("import time\n" + STRATEGY + "    time.sleep(60)\n", "too_late"),
    "recurses for ever": (STRATEGY + "    return row_strategy(history)\n", "exception"),
    "writes garbage to every descriptor": (
        "import os\n" + STRATEGY + "    for fd in range(64):\n        try: os.write(fd, b'\\xff' * 64)\n"
        "        except OSError: pass\n    return 0\n",
        "bad_frame",
    ),
    "announces a frame of four gigabytes": (
        "import os, struct\n" + STRATEGY + "    for fd in range(3, 64):\n"
        "        try: os.write(fd, struct.pack('>I', 2**32 - 1))\n        except OSError: pass\n    return 0\n",
        "bad_frame",
    ),
    "forges a report": (
        "import os, struct\n" + STRATEGY + "    for fd in range(3, 64):\n"
        "        try: os.write(fd, struct.pack('>I', 3) + b'E{}')\n        except OSError: pass\n    return 0\n",
        "bad_frame",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_player_is_a_bounded_fault(tmp_path: Path, name: str) -> None:
    source, kind = HOSTILE[name]
    seconds = 0.3 if kind == "too_late" else 20.0

    fault = await fault_of(tmp_path, source, round_seconds=seconds)

    assert fault.kind == kind
    assert len(str(fault)) < 3_000


async def test_answering_ahead_of_the_question_gains_nothing(tmp_path: Path) -> None:
    """Moves sent early are moves committed early; the opponent draws as it would have."""
    source = (
        "import os, struct\nframe = struct.pack('>I', 21) + b'M' + bytes([1]) * 20\nsent = []\n"
        "def row_strategy(history):\n    if not sent:\n        for fd in range(3, 64):\n"
        "            try: sent.append(os.write(fd, frame * 9))\n            except OSError: pass\n    return 0\n"
    )
    async with remote_player(tmp_path, source) as player:
        result = await dilemma(player, games=20)

    ones = InProcessPlayer(RulePlayer(rule=always_defect), np.random.default_rng())
    honest = await dilemma(ones, games=20)
    assert np.array_equal(result.rows[:9], honest.rows[:9])
    assert np.array_equal(result.columns[:9], honest.columns[:9])


def test_the_driver_needs_the_standard_library_only() -> None:
    tree = ast.parse(DRIVER.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


async def test_prints_and_input_touch_no_frame(tmp_path: Path) -> None:
    source = (
        "import sys\nprint('{\"Score\": 5.0}')\n" + STRATEGY + "    print('score 5', flush=True)\n"
        "    sys.stdout.buffer.write(b'\\0' * 100)\n    assert sys.stdin.read() == ''\n    return 1\n"
    )
    async with remote_player(tmp_path, source) as player:
        result = await dilemma(player, games=20)

    assert (result.rows == 1).all()


async def test_reseeding_generators_changes_no_opponents_move(tmp_path: Path) -> None:
    honest = STRATEGY + "    return 1\n"
    reseeding = (
        "import random\n"
        + STRATEGY
        + "    random.seed(3)\n    random.setstate(random.getstate())\n    return 1\n"
    )
    columns = []
    for source in (honest, reseeding):
        async with remote_player(tmp_path, source) as player:
            columns.append((await dilemma(player)).columns)

    assert np.array_equal(*columns)


async def test_a_hostile_player_beside_an_honest_one_changes_nothing(tmp_path: Path) -> None:
    results: list[MatchResult] = []

    async def honest() -> None:
        async with remote_player(tmp_path, PAVLOV) as player:
            results.append(await dilemma(player))

    async def hostile(name: str) -> None:
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        await fault_of(folder, HOSTILE[name][0])

    await honest()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(honest)
        nursery.start_soon(hostile, "writes garbage to every descriptor")
        nursery.start_soon(hostile, "exits at once")

    assert np.array_equal(results[0].per_game, results[1].per_game)


async def test_a_lost_player_stays_lost(tmp_path: Path) -> None:
    async with remote_player(tmp_path, STRATEGY + "    return 7\n") as player:
        faults = []
        for _ in range(2):
            with pytest.raises(PlayerFault) as caught:
                await dilemma(player)
            faults.append(caught.value)

    assert faults[0] is faults[1]


async def test_moves_before_begin_are_refused(tmp_path: Path) -> None:
    async with remote_player(tmp_path, PAVLOV) as player:
        with pytest.raises(ArenaError, match="call begin"):
            await player.moves(0, None)
