"""Tools that run programs in the sandbox: a shell command, and Python beside the artefact's files."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from engine.effects import CommandOutcome
from engine.errors import BudgetExceeded
from engine.member import EffectFailed, Member
from engine.messages import ArtefactHash
from roles.model.tools.files import MAX_FILES
from roles.model.tools.tool import AnyUse, Reaction, Use, shorten

RUN_SECONDS = 30.0
MOST_SECONDS = 300.0
OUTPUT_CHARACTERS = 8_000

Seconds = Annotated[float, msgspec.Meta(gt=0, le=MOST_SECONDS, description="After which it is stopped.")]


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """Run a shell command in a folder that holds the files."""

    command: str
    seconds: Seconds = RUN_SECONDS


class RunPython(msgspec.Struct, frozen=True, kw_only=True):
    """Run Python source in a folder that holds the files."""

    source: str
    seconds: Seconds = RUN_SECONDS


def shell_use(
    member: Member, artefact: Callable[[], ArtefactHash], keep: Callable[[dict[str, bytes]], None] | None
) -> AnyUse:
    """The tool ``shell``.

    Args:
        member: whose folder of the workspace it runs in.
        artefact: what the folder holds first.
        keep: takes the files as the command left them; None: they are thrown away.
    """

    async def shell(asked: Shell) -> Reaction:
        before = artefact()
        try:
            outcome = await member.run(
                asked.command,
                language="shell",
                artefact=before,
                wall_seconds=asked.seconds,
                keep=keep is not None,
            )
        except (BudgetExceeded, EffectFailed) as error:
            return Reaction(f"Not run: {error}", is_wrong=True)
        said = told(outcome)
        if keep is None or outcome.artefact in (None, before):
            return Reaction(said)
        files = member.store.get(outcome.artefact)
        if len(files) > MAX_FILES:
            return Reaction(f"{said}\n(it left {len(files)} files, more than {MAX_FILES}: none was kept)")
        changes = _changes(member.store.get(before), files)
        keep(files)
        return Reaction(f"{said}\n(kept: {changes})")

    kept = (
        "what it leaves there is part of the files"
        if keep is not None
        else "what it leaves there is not kept"
    )
    description = (
        f"Run a shell command in a sandbox, in a folder that holds the files; {kept}. There is no network."
    )
    return Use("shell", description, Shell, shell)


def run_python_use(member: Member, artefact: Callable[[], ArtefactHash]) -> AnyUse:
    """The tool ``run_python``: an experiment of one's own beside the artefact; nothing of it is kept."""

    async def run(asked: RunPython) -> Reaction:
        try:
            outcome = await member.run(asked.source, artefact=artefact(), wall_seconds=asked.seconds)
        except (BudgetExceeded, EffectFailed) as error:
            return Reaction(f"Not run: {error}", is_wrong=True)
        return Reaction(told(outcome))

    description = (
        "Run Python source in a sandbox beside the files, as an experiment of your own: it costs no evaluation, "
        "and what it writes is not kept."
    )
    return Use("run_python", description, RunPython, run)


def told(outcome: CommandOutcome) -> str:
    """How a program ended and what it said, bounded."""
    ended = f"stopped by the {outcome.limit} limit" if outcome.limit else f"exit status {outcome.exit_code}"
    output = "\n".join(part for part in (outcome.stdout, outcome.stderr) if part)
    return f"{ended}\n{shorten(output, OUTPUT_CHARACTERS)}"


def _changes(before: dict[str, bytes], after: dict[str, bytes]) -> str:
    new = [f"new {path}" for path in sorted(after.keys() - before.keys())]
    changed = [f"changed {path}" for path in sorted(after) if path in before and before[path] != after[path]]
    gone = [f"removed {path}" for path in sorted(before.keys() - after.keys())]
    return ", ".join([*new, *changed, *gone][:12])
