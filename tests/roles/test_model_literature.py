"""Looking up papers against a real server on loopback."""

import json

import pytest
import trio

from engine.literature import LibraryError, SemanticScholar


async def serve_once(listener: trio.SocketListener, status: int, body: bytes) -> bytes:
    async with await listener.accept() as stream:
        head = await stream.receive_some(65_536)
        await stream.send_all(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
    return bytes(head)


async def look(status: int, body: bytes) -> tuple[object, bytes]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    heads: list[bytes] = []
    async with listener, trio.open_nursery() as nursery:

        async def serve() -> None:
            heads.append(await serve_once(listener, status, body))

        nursery.start_soon(serve)
        environ = {
            "MLYCEUM_SEMANTIC_SCHOLAR_URL": f"http://127.0.0.1:{port}/graph/v1",
            "SEMANTIC_SCHOLAR_API_KEY": "a-secret-key",
        }
        found: object
        try:
            found = await SemanticScholar.from_environment(environ).search("bandits", most=2)
        except LibraryError as error:
            found = error
    return found, heads[0]


async def test_papers_come_back_typed_and_bounded() -> None:
    entry = {
        "title": "T" * 900,
        "year": 2020,
        "authors": [{"name": "A"}],
        "abstract": None,
        "citationCount": 3,
    }
    found, head = await look(200, json.dumps({"data": [entry]}).encode())

    assert isinstance(found, tuple)
    assert len(found[0].title) == 300
    assert found[0].citations == 3
    assert b"query=bandits" in head
    assert b"x-api-key: a-secret-key" in head.lower()


@pytest.mark.parametrize(("status", "body"), [(403, b"no a-secret-key"), (200, b"<html>")])
async def test_what_is_no_answer_is_one_sentence_without_the_key(status: int, body: bytes) -> None:
    found, _ = await look(status, body)

    assert isinstance(found, LibraryError)
    assert "secret" not in str(found)
