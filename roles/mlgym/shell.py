"""The shell of MLGym's agent: one action in, what the agent sees and the state of its editor out.

Where the actions come from (a model, a recorded trajectory) and where they run (`Place`) are others' business.
"""

import re
from typing import Literal, Protocol, TypeAlias, cast, get_args

import msgspec

from roles.mlgym.script import STATE_MARK, is_malformed_edit, script_for, tool_files

SHORT_SECONDS = 25.0
TRAINING_SECONDS = 1_800.0
WINDOW = 1_000
"""Lines; as in all published runs."""
_TRAINING_WORDS = ("torchrun", "python", "accelerate", "deepspeed")
_PROGRESS = re.compile(r"\d+%\|.*\[.*\]")

Exit: TypeAlias = Literal[
    "skip", "exit_forfeit", "exit_context", "exit_cost", "exit_error", "exit_format", "exit_api"
]
EXITS: tuple[Exit, ...] = get_args(Exit)
Asked: TypeAlias = Literal["", "validate", "submit"] | Exit
"""What an action asks the host for beside running."""
Problem: TypeAlias = Literal[
    "",
    "usage",
    "not-a-number",
    "no-open-file",
    "not-found",
    "is-directory",
    "is-image",
    "too-large",
    "too-many",
    "beyond-end",
    "exists",
    "read-only",
    "cannot-read",
    "cannot-write",
    "lint",
    "malformed-edit",
    "syntax",
    "timeout",
]
"""Why a command was refused; a program that ends with an error is no problem of the shell's."""
_PROBLEMS = frozenset(get_args(Problem))

MALFORMED = "The edit was not made: its text has no end. Write `end_of_edit` on a line of its own behind the new lines."
TIMED_OUT = "The command was stopped: it ran for more than {seconds:g} seconds."


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How a script ended."""

    output: str
    """Of standard output; bounded, untrusted."""
    errors: str
    """Of standard error."""
    exit_code: int | None
    timed_out: bool = False


class Place(Protocol):
    """The agent's folder somewhere: holds `tool_files` and the task's files before the first action."""

    async def run(self, script: str, *, wall_seconds: float) -> Ran:
        """Run a script by bash, in the folder."""
        ...


class ShellState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the agent is."""

    open_file: str = "n/a"
    """Absolute path."""
    working_dir: str = "n/a"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an action."""

    text: str
    """What the agent sees; empty where nothing was printed."""
    state: ShellState
    asked: Asked = ""
    problem: Problem = ""
    exit_code: int | None = 0
    timed_out: bool = False


class ShellSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of commands and the size of the window."""

    short_seconds: float = SHORT_SECONDS
    training_seconds: float = TRAINING_SECONDS
    """For actions in which a word of training occurs."""
    window: int = WINDOW


class _Said(msgspec.Struct):
    problem: str = ""
    asked: str = ""


class _Editor(msgspec.Struct):
    open_file: str = ""


class MlgymShell:
    """Does one action after the other in a place.

    Args:
        place: holds the task's files and `files`.
        settings: limits and window.
        stands_for: a path that recorded actions know the folder by; it is put in the place of the real one in what the
            agent sees, and the other way round in actions. None: paths stay as they are.
    """

    def __init__(
        self, place: Place, *, settings: ShellSettings | None = None, stands_for: str | None = None
    ) -> None:
        self.settings = settings or ShellSettings()
        self.state = ShellState()
        self._place = place
        self._stands_for = stands_for
        self._home = ""

    @property
    def files(self) -> dict[str, bytes]:
        """What must lie in the folder before `start`, beside the task's files."""
        return self.files_for(self.settings)

    @staticmethod
    def files_for(settings: ShellSettings) -> dict[str, bytes]:
        """The same, before there is a place."""
        return dict(tool_files(settings.window))

    async def start(self) -> ShellState:
        """Look where the folder is; the state that the agent begins in."""
        ran = await self._place.run(script_for("true"), wall_seconds=self.settings.short_seconds)
        directory, _, _ = _after(ran.errors)
        self._home = directory
        self.state = ShellState(working_dir=self._shown(directory) or "n/a")
        return self.state

    async def act(self, action: str) -> Seen:
        """Do an action.

        An exit (`EXITS`) is not run; the caller ends the episode. A ``validate`` or ``submit`` within a longer action
        is reported once the action has run.
        """
        word = action.strip()
        if word in EXITS:
            return Seen(text="", state=self.state, asked=word)
        if is_malformed_edit(action):
            return Seen(text=MALFORMED, state=self.state, problem="malformed-edit", exit_code=1)
        seconds = self.seconds_for(action)
        ran = await self._place.run(script_for(self._real(action)), wall_seconds=seconds)
        text = self._shown(_without_noise(ran.output))
        directory, editor, said = _after(ran.errors)
        if directory:
            self.state = ShellState(
                open_file=self._shown(editor.open_file) or "n/a", working_dir=self._shown(directory)
            )
        if ran.timed_out:
            text = "\n".join(filter(None, (text, TIMED_OUT.format(seconds=seconds))))
            return Seen(text=text, state=self.state, problem="timeout", exit_code=None, timed_out=True)
        return Seen(
            text=text,
            state=self.state,
            asked=cast("Asked", said.asked) if said.asked in ("validate", "submit") else "",
            problem=_problem(said.problem, text, ran.exit_code),
            exit_code=ran.exit_code,
        )

    def seconds_for(self, action: str) -> float:
        """How long an action may run: longer where a word of training occurs anywhere in it, as MLGym has it."""
        is_training = any(word in action for word in _TRAINING_WORDS)
        return self.settings.training_seconds if is_training else self.settings.short_seconds

    def _real(self, action: str) -> str:
        return action if not self._stands_for else action.replace(self._stands_for, self._home)

    def _shown(self, text: str) -> str:
        return text.replace(self._home, self._stands_for) if self._stands_for and self._home else text


def _without_noise(output: str) -> str:
    """Without blank lines and progress bars, which MLGym's reader drops too."""
    lines = output.replace("\r\n", "\n").split("\n")
    return "\n".join(line for line in lines if line.strip() and not _PROGRESS.search(line))


def _after(errors: str) -> tuple[str, _Editor, _Said]:
    """Directory, editor and words as the script left them; an empty directory where it did not come to its end."""
    _, mark, rest = f"\n{errors}".rpartition(f"\n{STATE_MARK}\n")
    lines = rest.split("\n") if mark else []
    if len(lines) < 3:
        return "", _Editor(), _Said()
    try:
        editor = msgspec.json.decode(lines[1].encode(errors="replace"), type=_Editor)
        said = msgspec.json.decode(lines[2].encode(errors="replace"), type=_Said)
    except msgspec.DecodeError:  # the agent has written in its tools' folder: its own doing
        editor, said = _Editor(), _Said()
    return lines[0], editor, said


def _problem(word: str, text: str, exit_code: int | None) -> Problem:
    if word and word in _PROBLEMS:
        return cast("Problem", word)
    return "syntax" if exit_code and re.match(r"\S*bash: line \d+: syntax error", text) else ""
