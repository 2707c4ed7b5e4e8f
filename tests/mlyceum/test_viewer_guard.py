"""Who may ask the viewer, and what a browser may do with the answers."""

from pathlib import Path

import pytest
from viewed import asker

from mlyceum.viewer.web.guard import COOKIE, host_name


async def test_another_sites_name_that_leads_to_the_port_is_refused(tmp_path: Path) -> None:
    async with asker(tmp_path) as client:
        answer = await client.get("/api/studies", headers={"host": "evil.example:8421"})

    assert answer.status_code == 403
    assert "--allow-host" in answer.text


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8421", "LOCALHOST:8421"]
)
async def test_any_port_of_this_machine_is_its_own_so_that_tunnels_work(tmp_path: Path, host: str) -> None:
    async with asker(tmp_path) as client:
        answer = await client.get("/api/studies", headers={"host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8421"},  # this machine, but another server on it
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
async def test_a_page_of_another_site_reads_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with asker(tmp_path) as client:
        answer = await client.get("/api/studies", headers=headers)

    assert answer.status_code == 403


async def test_a_link_from_elsewhere_opens_a_page(tmp_path: Path) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    async with asker(tmp_path) as client:
        answer = await client.get("/", headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_but_reading(tmp_path: Path, method: str) -> None:
    async with asker(tmp_path) as client:
        answer = await client.request(method, "/api/studies")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_a_head_has_the_headers_of_a_get(tmp_path: Path) -> None:
    async with asker(tmp_path) as client:
        assert (await client.head("/api/studies")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/studies", "/static/app.js", "/nowhere", "/api/s/none"])
async def test_every_answer_forbids_scripts_and_frames_that_are_not_ours(tmp_path: Path, path: str) -> None:
    async with asker(tmp_path) as client:
        headers = (await client.get(path)).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_without_the_token_nothing_is_shown(tmp_path: Path) -> None:
    async with asker(tmp_path, token="secret") as client:
        for path in ("/", "/api/studies", "/static/app.js", "/?token=wrong", "/?token="):
            assert (await client.get(path)).status_code == 401


async def test_the_token_moves_from_the_address_into_a_cookie(tmp_path: Path) -> None:
    async with asker(tmp_path, token="secret") as client:
        first = await client.get("/?token=secret&offset=3")
        cookie = first.headers["set-cookie"]
        second = await client.get(first.headers["location"], headers={"cookie": f"{COOKIE}=secret"})

    assert (first.status_code, first.headers["location"]) == (303, "/?offset=3")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert second.status_code == 200


async def test_a_program_gives_the_token_in_a_header(tmp_path: Path) -> None:
    async with asker(tmp_path, token="secret") as client:
        answer = await client.get("/api/studies", headers={"authorization": "Bearer secret"})

    assert answer.status_code == 200


async def test_taking_the_token_leads_to_no_other_host(tmp_path: Path) -> None:
    async with asker(tmp_path, token="secret") as client:
        answer = await client.get("http://127.0.0.1:8421//evil.example/?token=secret")

    assert answer.headers["location"].startswith("/evil.example")


async def test_off_loopback_a_numeric_address_is_no_foreign_name(tmp_path: Path) -> None:
    async with asker(tmp_path, any_address=True, names=("node7",)) as client:
        by_address = await client.get("/", headers={"host": "192.0.2.7:8421"})
        by_name = await client.get("/", headers={"host": "node7:8421"})
        by_other = await client.get("/", headers={"host": "evil.example"})

    assert [by_address.status_code, by_name.status_code, by_other.status_code] == [200, 200, 403]


@pytest.mark.parametrize(
    ("header", "name"),
    [("[::1]:80", "::1"), ("::1", "::1"), ("a.b:80", "a.b"), (" A.B ", "a.b"), ("", ""), ("[::1", "::1")],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name
