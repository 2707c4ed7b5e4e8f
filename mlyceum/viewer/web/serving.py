"""The port: opened, served by one nursery, and closed at once when that is cancelled."""

import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config, Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.typing import ASGIFramework

from engine.errors import UserError
from mlyceum.viewer.web.app import Viewer
from mlyceum.viewer.web.guard import LOOPBACK_NAMES, Guard, make_token
from mlyceum.viewer.web.studies import Studies


class PortUnusable(UserError):
    """Raised when the port cannot be opened; says what to try."""


async def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Iterable[str] = (),
    token: bool = False,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a folder of studies until cancelled.

    Args:
        folder: a study's folder, or one with studies below it.
        host: the address to listen at.
        port: 0: a free one.
        names: further host names by which it may be asked for.
        token: whether loopback asks for the token too; any other address always does.
        task_status: gets the address to open, with the token where there is one.

    Raises:
        PortUnusable: it cannot be listened there.
    """
    is_local = is_loopback(host)
    secret = make_token() if token or not is_local else None
    guard = Guard(
        Viewer(Studies(folder)).application(),
        names=(*LOOPBACK_NAMES, host, *names)
        if is_local
        else (*LOOPBACK_NAMES, host, socket.gethostname(), *names),
        any_address=not is_local,
        token=secret,
    )
    config = Config()
    config.accesslog = None
    config.errorlog = _quiet_log()
    config.include_server_header = False
    # What a request may hold back of us: no header or connection waits for ever.
    config.read_timeout = 60
    config.keep_alive_timeout = 60
    config.graceful_timeout = 0
    config.h11_max_incomplete_size = 64 << 10
    with _listening(host, port) as listener:
        # What `hypercorn.trio.serve` does, with a socket that is ours and closed in any case.
        sockets = Sockets(secure_sockets=[], insecure_sockets=[listener], quic_sockets=[])
        application = ASGIWrapper(cast("ASGIFramework", guard))
        name, bound = listener.getsockname()[:2]
        address = f"http://[{name}]:{bound}" if ":" in name else f"http://{name}:{bound}"
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(worker_serve, application, config, sockets=sockets))
            task_status.started(f"{address}/?token={secret}" if secret is not None else f"{address}/")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=100)
    except OSError as error:
        raise PortUnusable(
            f"{host}:{port} cannot be listened at: {error.strerror or error}; try --port 0 for a free one"
        ) from error
    listener.setblocking(False)
    return listener


def _quiet_log() -> logging.Logger:
    log = logging.getLogger("mlyceum.viewer")
    log.setLevel(logging.WARNING)
    return log


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve_until_signal(
    folder: Path, *, host: str, port: int, names: Iterable[str], token: bool, announce: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or SIGTERM, which end it at once.

    Raises:
        PortUnusable: it cannot be listened there.
    """

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:

                async def start(task_status: trio.TaskStatus[str]) -> None:
                    await serve(
                        folder, host=host, port=port, names=names, token=token, task_status=task_status
                    )

                announce(await nursery.start(start))
                async for _ in signals:
                    break
            nursery.cancel_scope.cancel()

    trio.run(main)
