"""Other frameworks doing the same work: scripts that run alone in an interpreter where the peer is installed.

They import nothing of this project and print one JSON object. `run_peer` runs one of them.
"""

import json
import subprocess
from pathlib import Path

from engine.errors import EngineError


class PeerUnusable(EngineError):
    """Raised when a peer cannot be run: its row is left out, and the report says why."""


def run_peer(python: str, script: str, *arguments: object, timeout: float = 600.0) -> dict[str, float]:
    """Run a peer's script once.

    Args:
        python: an interpreter in which the peer is installed.
        script: name of a file beside this one.
        arguments: handed to it as text.
        timeout: seconds.

    Raises:
        PeerUnusable: when it does not run there.
    """
    command = [python, str(Path(__file__).parent / script), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    except subprocess.CalledProcessError as error:
        last = (str(error.stderr).strip().splitlines() or ["no message"])[-1]
        raise PeerUnusable(f"{script} failed in {python}: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerUnusable(f"{script} cannot be run in {python}: {error}") from error
    try:
        # The peer may print on its own: its answer is the last line.
        said: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise PeerUnusable(f"{script} said nothing that can be read") from error
    return said
