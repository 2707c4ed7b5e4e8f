"""`mlyceum view` as a command: what it prints, what ends it, what it says to a mistake."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio
from called import assert_sentence, call
from run_cases import environment
from viewed import serving, written

from mlyceum.viewer.web.serving import PortUnusable, is_loopback, serve


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_sentence(call(capsys, "view", tmp_path / "none"), says="name a study's folder")


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hypercorn.app_wrappers", None)
    monkeypatch.delitem(sys.modules, "mlyceum.viewer.web.serving", raising=False)

    assert_sentence(call(capsys, "view", tmp_path), says="pip install 'mlyceum[view]'")


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        called = call(capsys, "view", tmp_path, "--port", taken.getsockname()[1])

    assert_sentence(called, says="--port 0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_with_a_page_open(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mlyceum", "view", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        address = httpx.URL(process.stdout.readline().split(" at ")[1].split()[0])
        with socket.create_connection((address.host, address.port)) as idle:
            idle.sendall(b"GET /api/studies HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            process.send_signal(number)
            rest = process.stdout.read()

    assert (process.returncode, rest) == (0, "")


def test_with_a_token_the_address_that_is_printed_opens_and_another_does_not(tmp_path: Path) -> None:
    with serving(tmp_path, "--token") as address, httpx.Client(follow_redirects=True) as client:
        assert client.get(address.partition("?")[0]).status_code == 401
        assert client.get(address).status_code == 200
        assert "token" not in str(client.get(address).url)
        assert client.get(httpx.URL(address).join("/api/studies")).status_code == 200


async def test_a_real_server_answers_over_loopback_and_is_gone_when_cancelled(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", evaluations=4)
    async with trio.open_nursery() as nursery:

        async def start(task_status: trio.TaskStatus[str]) -> None:
            await serve(study, task_status=task_status)

        address = await nursery.start(start)
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{address}api/s/s")
        nursery.cancel_scope.cancel()

    assert answer.json()["totals"]["ended"] == 1
    with pytest.raises(OSError, match=r"refused|failed"):
        await trio.open_tcp_stream("127.0.0.1", httpx.URL(address).port or 0)


async def test_a_second_server_at_the_same_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortUnusable, match="--port 0"):
        await serve(tmp_path, port=taken.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("node7", False)],
)
def test_which_addresses_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_loopback(host) is local
