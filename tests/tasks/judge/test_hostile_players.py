"""Players that attack their judge: none gains anything, and each leaves the finding that tells of it."""

from pathlib import Path

import pytest
from judge_cases import ALWAYS_0, player, scored

pytestmark = pytest.mark.sandbox

TASK = "battle-of-sexes"

HARMLESS = {
    "reseeds the generator": (player("random.seed(0)\nreturn 0", before="import random"), "source"),
    "prints a fake score": (player("return 0", before="print('{\"Score\": 9.9}')"), "output"),
    "writes a fake frame to the real stdout": (
        player("return 0", before="import os\nos.write(1, b'\\0\\0\\0\\1K')"),
        "output",
    ),
    "patches the clocks": (
        player(
            "return 0", before="import time, signal\ntime.perf_counter = lambda: 0.0\nsignal.alarm = print"
        ),
        "source",
    ),
    "forks a daemon": (
        player(
            "return 0",
            before="import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)",
        ),
        "source",
    ),
    "swallows a refused write": (
        player(
            "return 0",
            before="import os\ntry:\n    open(__file__, 'w')\nexcept OSError as error:\n    print(error)",
        ),
        "denied-call",
    ),
}

WORTHLESS = {
    "imports the opponent": (player("return 0", before="import arenas.players.battle_of_sexes"), "exception"),
    "rewrites its driver": (player("return 0", before="open('driver.py', 'w')"), "denied-call"),
    "exits early": (player("raise SystemExit(0)"), "exception"),
    "exits at once": (player("os._exit(0)", before="import os"), "early-exit"),
    "writes garbage on every descriptor": (
        player(
            "for number in range(3, 20):\n    try:\n        os.write(number, b'garbage' * 99)\n"
            "    except OSError:\n        pass\nreturn 0",
            before="import os",
        ),
        "bad-frame",
    ),
    "plays a move that is none": (player("return 2"), "bad-move"),
    "plays a bool": (player("return True"), "bad-move"),
    "raises": (player("raise ValueError('no idea')"), "exception"),
    "has no such function": ({"strategy.py": "x = 1\n"}, "bad-move"),
    "does not parse": ({"strategy.py": "def row_strategy(:\n"}, "exception"),
    "computes for ever": (player("while True:\n    pass"), "overrun"),
    "allocates what it can get": (
        player(
            "return len(memory) % 2", before="memory = bytearray(8 << 30)\nmemory[::4096] = b'x' * (2 << 20)"
        ),
        ("overrun", "exception", "early-exit"),
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
async def test_an_attack_that_ends_in_a_score_has_the_score_of_its_moves(name: str, tmp_path: Path) -> None:
    files, kind = HARMLESS[name]

    score = await scored(TASK, files, tmp_path)

    assert score.value == (await scored(TASK, ALWAYS_0, tmp_path)).value
    assert kind in {finding.kind for finding in score.findings}


@pytest.mark.parametrize("name", WORTHLESS)
async def test_an_attack_on_the_judge_earns_no_score(name: str, tmp_path: Path) -> None:
    files, kind = WORTHLESS[name]

    score = await scored(TASK, files, tmp_path)

    assert score.value is None
    assert score.failure
    assert "\n" not in score.failure
    kinds = {finding.kind for finding in score.findings}
    assert kinds & ({kind} if isinstance(kind, str) else set(kind))


async def test_a_player_that_sleeps_for_ever_is_ended_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.game_settings.WALL_PER_CPU", 0.7)  # two seconds instead of a minute
    asleep = player("time.sleep(600)\nreturn 0", before="import time")

    score = await scored(TASK, asleep, tmp_path)

    assert score.value is None
    assert {finding.kind for finding in score.findings if not finding.advisory} == {"overrun"}


async def test_a_player_that_knows_its_seed_cannot_tell_the_opponents_draws(tmp_path: Path) -> None:
    """Its generators are seeded by what it is: they say the same under every evaluation seed."""
    before = "import random\nDRAW = random.random()"
    files = player("return int(DRAW < 0.5)", before=before)

    finals = {(await scored(TASK, files, tmp_path, split="final", seed=seed)).value for seed in range(3)}

    assert len(finals) == 1


async def test_printed_addresses_do_not_reach_the_record(tmp_path: Path) -> None:
    """They differ from run to run, and records are compared byte for byte."""
    score = await scored(TASK, player("raise ValueError(object())"), tmp_path)

    assert "0x…" in score.failure
