"""The command line: one module a command, loaded when it is asked for.

What a user did wrong is said in one sentence on stderr with exit status 2; a run that was let down by the machine or
an endpoint ends with 1; Ctrl-C with 130, and the same command goes on from there.
"""

import importlib
import sys

import click

from engine.errors import EngineError, IsolationUnavailable, UnknownName, UserError

COMMANDS = {
    "run": "research tasks with a team, and print the scored table",
    "study": "run a study file, or what is missing of it",
    "ablate": "take roles from a team, in both senses, beside its controls",
    "fork": "go on from a message of an episode with another team",
    "replay": "run a finished study again from its journals, and compare",
    "merge": "bring the shards of a study together",
    "import": "read the runs of another program as a study",
    "export": "write a study as tables, trajectories, or runs of W&B",
    "replay-mlgym": "play published MLGym runs again, step by step",
    "watch": "how a running study gets on, from another terminal",
    "show": "read an episode: messages, hypotheses, diffs, scores",
    "report": "write a study's report: one HTML page, Markdown, tables",
    "score": "score a folder of episodes, or the published runs",
    "bench": "put a team beside the published models of MLGym-Bench",
    "tasks": "list tasks; score an artefact or a baseline",
    "view": "look at studies in a browser, live or finished",
    "doctor": "say what this machine can isolate and run",
}
"""Command name to what it does; each is ``mlyceum.cli.NAME:command``."""
_MODULES = {"import": "import_", "replay-mlgym": "replay_mlgym"}
"""Modules that are not called as their command is."""


class _Commands(click.Group):
    """Loads a command's module when it is asked for; says which one was probably meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's shape
        if cmd_name not in COMMANDS:
            raise UnknownName("command", cmd_name, COMMANDS)
        module = importlib.import_module(f"mlyceum.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - same
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="mlyceum")
def command() -> None:
    """Teams of research agents on MLGym-Bench: run them, read what they did, score what they found.

    \b
    Examples:
      mlyceum run battle-of-sexes --seeds 3
      mlyceum run colonel-blotto --without reviewer
      mlyceum show runs/latest/battle-of-sexes--full--seed-1
      mlyceum bench --team full
    """  # noqa: D301 - click's mark for a block that is not to be wrapped


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    try:
        status = command.main(arguments, standalone_mode=False)
    except click.Abort:
        _say("interrupted; the same command goes on from here")
        sys.exit(130)
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        sys.exit(130)
    except click.ClickException as error:
        _say(error.format_message())
        sys.exit(2)
    except (UserError, IsolationUnavailable) as error:
        _say(str(error))
        sys.exit(2)
    except EngineError as error:
        _say(str(error))
        sys.exit(1)
    except BrokenPipeError:
        # The reader (`head`, a closed pager) has what it wanted.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


def _say(sentence: str) -> None:
    click.echo(f"mlyceum: {sentence}", err=True)
