"""The shell of MLGym's agent in a real sandbox: commands, window, state, limits."""

from collections.abc import AsyncIterator

import pytest

from engine.workspace.backends import make_backend
from engine.workspace.interface import WorkspaceSpec
from roles.mlgym.places import WorkspacePlace
from roles.mlgym.script import with_here_documents
from roles.mlgym.shell import MlgymShell, Seen, ShellSettings

pytestmark = pytest.mark.sandbox

HOME = "/home/agent/workspace"
FILES = {
    "strategy.py": b"import random\n\n\ndef play(history):\n    return random.random() < 0.5\n",
    "long.txt": b"".join(b"line %d\n" % n for n in range(1, 101)),
    "data/numbers.csv": b"a,b\n1,2\n",
    "picture.png": b"\x89PNG",
}


@pytest.fixture
async def shell() -> AsyncIterator[MlgymShell]:
    backend = (await make_backend("sandbox")).backend
    async with backend.open(WorkspaceSpec()) as workspace:
        place = WorkspacePlace(workspace)
        made = MlgymShell(
            place, settings=ShellSettings(window=20, short_seconds=1.0, training_seconds=6.0), stands_for=HOME
        )
        await place.fill({**made.files, **FILES})
        await made.start()
        yield made


async def acts(shell: MlgymShell, *actions: str) -> Seen:
    for action in actions[:-1]:
        await shell.act(action)
    return await shell.act(actions[-1])


async def test_a_file_is_opened_in_a_window(shell: MlgymShell) -> None:
    seen = await acts(shell, 'open "strategy.py"')

    assert seen.text.splitlines()[:2] == [f"[File: {HOME}/strategy.py (5 lines total)]", "1:import random"]
    assert (seen.state.open_file, seen.state.working_dir) == (f"{HOME}/strategy.py", HOME)


@pytest.mark.parametrize(
    ("actions", "first", "last"),
    [
        (['open "long.txt"'], 1, 20),
        (['open "long.txt" 50'], 48, 67),
        (['open "long.txt"', "goto 30"], 28, 47),
        (['open "long.txt"', "goto 99"], 81, 100),
        (['open "long.txt"', "scroll_down"], 19, 38),
        (['open "long.txt" 90', "scroll_up"], 63, 82),
        (['open "long.txt" 999'], 81, 100),
    ],
)
async def test_the_window_moves(actions: list[str], first: int, last: int, shell: MlgymShell) -> None:
    lines = (await acts(shell, *actions)).text.splitlines()
    shown = [int(line.partition(":")[0]) for line in lines if line.partition(":")[0].isdigit()]

    assert (shown[0], shown[-1]) == (first, last)
    assert (f"({first - 1} more lines above)" in lines) == (first > 1)
    assert (f"({100 - last} more lines below)" in lines) == (last < 100)


async def test_an_edit_replaces_lines_as_they_are_written(shell: MlgymShell) -> None:
    text = "def play(history):\n    # `ls` $HOME \\n 'quoted' \"too\"\n    return 0"
    seen = await acts(shell, "open strategy.py", f"edit 4:5\n{text}\nend_of_edit")

    assert "5:    # `ls` $HOME \\n 'quoted' \"too\"" in seen.text
    assert seen.problem == ""
    assert (await shell.act("cat strategy.py")).text == f"import random\n{text}"  # blank lines are not shown


async def test_an_edit_that_brings_a_fault_is_refused_and_shown_both_ways(shell: MlgymShell) -> None:
    seen = await acts(shell, "open strategy.py", "edit 5:5\n    return nothing\nend_of_edit")

    assert seen.problem == "lint"
    assert "- F821 undefined name 'nothing'" in seen.text
    assert "5:    return nothing" in seen.text
    assert "5:    return random.random() < 0.5" in seen.text
    assert (await shell.act("grep -c nothing strategy.py")).text == "0"


async def test_faults_that_were_there_before_do_not_count(shell: MlgymShell) -> None:
    await shell.act("printf 'print(old)\\nx = 1\\nprint(older)\\n' > a.py")

    assert (await acts(shell, "open a.py", "edit 2:2\nx = 1\ny = 2\nend_of_edit")).problem == ""
    assert (await shell.act("edit 1:1\nprint(old, new)\nend_of_edit")).problem == "lint"


async def test_text_is_inserted_behind_a_line_and_an_empty_edit_deletes(shell: MlgymShell) -> None:
    await acts(shell, "open data/numbers.csv", "insert 1\n5,6\nend_of_insert", "edit 1:1\nend_of_edit")

    assert (await shell.act("cat data/numbers.csv")).text == "5,6\n1,2"


@pytest.mark.parametrize(
    ("actions", "problem"),
    [
        (["edit 1:1\nx\nend_of_edit"], "no-open-file"),
        (["open nothing.py"], "not-found"),
        (["open data"], "is-directory"),
        (["open picture.png"], "is-image"),
        (["open"], "usage"),
        (["open long.txt first"], "not-a-number"),
        (["yes | head -c 30000 > big.txt", "open big.txt 5"], "too-large"),
        (["open long.txt", "goto 101"], "beyond-end"),
        (["open long.txt", "goto"], "usage"),
        (["open long.txt", "edit one:two\nx\nend_of_edit"], "not-a-number"),
        (["open long.txt", "edit long.txt 1:1\nx\nend_of_edit"], "usage"),
        (["open long.txt", "chmod a-w long.txt", "edit 1:1\nx\nend_of_edit"], "read-only"),
        (["open long.txt", "edit 1:1\nx"], "malformed-edit"),
        (["open long.txt", "edit 1:1\nx (\n    end_of_edit"], "syntax"),
        (["create long.txt"], "exists"),
        (["create no/such/folder.txt"], "cannot-write"),
        (["for x in"], "syntax"),
        (["sleep 5"], "timeout"),
        (["python -c 'raise SystemExit(3)'"], ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "; ".join(value).replace("\n", " ")[:40],
)
async def test_what_cannot_be_done_has_a_kind(actions: list[str], problem: str, shell: MlgymShell) -> None:
    assert (await acts(shell, *actions)).problem == problem


async def test_search_finds_lines_files_and_names(shell: MlgymShell) -> None:
    in_folder = await shell.act('search_dir "random"')
    in_file = await acts(shell, "open strategy.py", 'search_file "random.random"')
    names = await shell.act('find_file "*.csv"')

    assert f"{HOME}/strategy.py (2 matches)" in in_folder.text
    assert "5:    return random.random() < 0.5" in in_file.text
    assert f"{HOME}/data/numbers.csv" in names.text
    assert "No match" in (await shell.act('search_dir "nowhere"')).text


async def test_directory_and_variables_last_and_functions_do_not(shell: MlgymShell) -> None:
    await shell.act("cd data && export NAME='a b' && f() { echo f; }")
    seen = await shell.act('pwd; echo "$NAME"; f')

    assert seen.text.splitlines()[:2] == [f"{HOME}/data", "a b"]
    assert seen.exit_code == 127
    assert seen.state.working_dir == f"{HOME}/data"


async def test_an_action_that_leaves_the_shell_leaves_the_state_in_order(shell: MlgymShell) -> None:
    seen = await acts(shell, "open long.txt", "cd data; exit 4")

    assert (seen.exit_code, seen.state.working_dir, seen.state.open_file) == (
        4,
        f"{HOME}/data",
        f"{HOME}/long.txt",
    )


async def test_a_command_that_runs_too_long_is_stopped_and_said_so(shell: MlgymShell) -> None:
    seen = await shell.act("echo begun; sleep 30")

    assert seen.timed_out
    assert seen.text == "begun\nThe command was stopped: it ran for more than 1 seconds."
    assert (await shell.act("pwd")).text == HOME


async def test_words_of_training_get_the_longer_limit_wherever_they_are(shell: MlgymShell) -> None:
    limits = [
        shell.seconds_for(action) for action in ("ls", "cat x.python", "edit 1:1\ntorchrun\nend_of_edit")
    ]

    assert limits == [1.0, 6.0, 6.0]


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        ("validate", "validate"),
        ("cd data && submit", "submit"),
        ("ls\nvalidate\n", "validate"),
        ("  exit_forfeit \n", "exit_forfeit"),
        ("echo validate", ""),
        ("false && submit", ""),
    ],
)
async def test_the_host_is_asked_by_commands_and_not_by_their_words(
    action: str, asked: str, shell: MlgymShell
) -> None:
    assert (await shell.act(action)).asked == asked


async def test_what_an_agent_puts_over_its_tools_hurts_only_itself(shell: MlgymShell) -> None:
    await shell.act("echo 'not json' > .mlgym/state.json; echo 'raise' > ast.py; echo 'x' > json.py")
    seen = await shell.act("open strategy.py")

    assert seen.text.startswith("[File: ")


async def test_blank_lines_and_progress_bars_are_not_seen(shell: MlgymShell) -> None:
    seen = await shell.act("printf 'a\\n\\n  \\n 30%%|###   | 3/10 [00:01<00:02]\\nb\\n'")

    assert seen.text == "a\nb"


def test_only_an_end_at_the_margin_ends_a_text() -> None:
    action = "edit 1:2\n    end_of_edit\nMLGYM_EDIT_0\nend_of_edit\nls"

    assert with_here_documents(action).split("\n") == [
        "edit 1:2 <<'MLGYM_EDIT_1'", "    end_of_edit", "MLGYM_EDIT_0", "MLGYM_EDIT_1", "ls",
    ]  # fmt: skip
