"""The viewer in a browser: headless Chromium on a study that runs, on one of very many episodes, on a hostile one."""

import shutil
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from run_cases import COMMAND, FAST, environment
from viewed import serving, write_hostile, write_many

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
PHONE = {"width": 390, "height": 844}
WAIT = 20_000
"""Milliseconds that a slow machine may take before a test fails."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Generator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        # As root Chromium has no sandbox of its own; it opens nothing but our loopback.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: "Browser") -> Generator[Open]:
    """Opens pages, and fails where one complained: an error, a refusal by policy, a request elsewhere."""
    complaints: list[str] = []
    contexts = []

    def go(url: str, **options: object) -> "Page":
        context = browser.new_context(**options)  # type: ignore[arg-type]  # playwright's own names
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: complaints.append(r.url) if "//127.0.0.1" not in r.url else None)
        page.goto(url)
        page.wait_for_selector("main > *")
        return page

    yield go
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with serving(write_many(tmp_path_factory.mktemp("many") / "many", 10_000)) as address:
        yield address


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    output = "<script>document.title='owned'</script>\u202e" * 20_000
    with serving(write_hostile(tmp_path_factory.mktemp("hostile") / "s", output=output)) as address:
        yield address


@contextmanager
def running(study: Path) -> Generator[None]:
    command = [*COMMAND, "run", "planted", "--seeds", "2", "--budget", "80", *FAST, "--out", str(study)]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
        assert process.wait(240) == 0
    finally:
        process.kill()
        process.wait()


def count(page: "Page") -> int:
    """Messages so far, from the tile of an episode's page."""
    return int(page.locator(".tile", has_text="messages").locator("b").inner_text().replace(",", ""))


def test_a_running_study_is_seen_to_move_and_to_end(tmp_path: Path, watched: Open) -> None:
    study = tmp_path / "live"
    study.mkdir()
    (study / "episodes").mkdir()
    with serving(study) as address, running(study):
        while not list(study.glob("episodes/*/journal.jsonl")):
            time.sleep(0.1)
        name = next(study.glob("episodes/*/journal.jsonl")).parent.name
        page = watched(f"{address}s/live/e/{name}")
        page.wait_for_selector("#state.live")
        page.wait_for_selector(".tree-row[href='#node-2']")
        before = count(page)
        page.wait_for_function(
            "before => [...document.querySelectorAll('.tile')].some(tile => tile.textContent.includes('messages')"
            " && Number(tile.querySelector('b').textContent.replace(',', '')) > before + 5)",
            arg=before,
        )
        page.wait_for_selector(".tag.submitted", timeout=4 * WAIT)
        page.wait_for_selector("#state.ended", state="attached")

        assert page.locator("a.line").count() > 20
        assert "final" in page.locator("h2:has-text('Scores over budget') ~ div").inner_text()


def test_the_overview_of_a_running_study_says_what_runs(tmp_path: Path, watched: Open) -> None:
    study = tmp_path / "live"
    (study / "episodes").mkdir(parents=True)
    with serving(study) as address, running(study):
        while not list(study.glob("episodes/*/journal.jsonl")):
            time.sleep(0.1)
        page = watched(f"{address}s/live")
        page.wait_for_selector("h2:has-text('Running now')")
        page.wait_for_selector("h2:has-text('Ended last')", timeout=4 * WAIT)


def test_ten_thousand_episodes_by_keyboard(many: str, watched: Open) -> None:
    page = watched(many)
    page.wait_for_selector(".tiles >> text=10,000 / 10,000")
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.wait_for_selector("text=1 to 50 of 10,000")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator("tr.here a").first.inner_text()
    page.keyboard.press("n")
    page.wait_for_selector("text=51 to 100 of 10,000")
    page.keyboard.press("p")
    page.wait_for_selector("text=1 to 50 of 10,000")
    assert page.locator("table.rows tbody tr").count() == 50
    page.keyboard.press("/")
    page.keyboard.type("random-search seed-77")
    page.keyboard.press("Enter")
    page.wait_for_url("**/episodes?q=*")
    page.wait_for_selector(".pager >> text=of 4")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.wait_for_selector("text=2 marked")

    assert first == "battle-of-sexes--best-of-n--seed-1"


def test_enter_opens_the_row_that_is_marked(many: str, watched: Open) -> None:
    page = watched(f"{many}s/many/episodes?arm=full&task=battle-of-sexes")
    page.wait_for_selector("table.rows")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('battle-of-sexes--full--seed-1')")


def test_the_help_lists_the_keys_and_escape_closes_it(many: str, watched: Open) -> None:
    page = watched(f"{many}s/many")
    page.keyboard.press("?")
    page.wait_for_selector("#help >> text=next, previous row")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help", state="detached")
    page.keyboard.press("t")
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-theme") == "dark"


@pytest.mark.parametrize(
    ("link", "shows"),
    [("node-1", "Node #1"), ("m-4", "Message 4"), ("c-hypothesizer-1", "Model call"), ("d-3", "Decision")],
)
def test_a_deep_link_opens_just_that(hostile: str, watched: Open, link: str, shows: str) -> None:
    page = watched(f"{hostile}s/s/e/hostile#{link}")

    page.wait_for_selector(f".detail h2:has-text('{shows}')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".detail", state="hidden")


@pytest.mark.parametrize("link", ["", "#node-1", "#m-3", "#d-3", "#c-hypothesizer-1", "#c-coder-1"])
def test_hostile_text_is_text(hostile: str, watched: Open, link: str) -> None:
    page = watched(f"{hostile}s/s/e/hostile{link}")
    page.wait_for_selector("a.line")
    if link:
        page.wait_for_selector(".detail-body :text('script')")

    assert "owned" not in page.title()
    assert page.locator("script").count() == 1
    assert page.locator("img:not(.logo img)").count() == 0
    assert "\u202e" not in page.content()
    if link:  # lists have one plain line each, the panel everything
        assert "⟨U+202E⟩" in page.inner_text(".detail-body")


def test_what_is_cut_has_a_link_to_the_whole_as_plain_text(hostile: str, watched: Open) -> None:
    page = watched(f"{hostile}s/s/e/hostile#c-coder-1")
    link = page.wait_for_selector(".detail a:has-text('characters as text')")
    assert link is not None
    answer = page.request.get(f"{hostile.rstrip('/')}{link.get_attribute('href')}")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.text()) == 20_000 * 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["?offset=0", "s/many", "s/many/episodes", "s/many/compare"])
def test_a_phone_scrolls_only_downwards(many: str, watched: Open, path: str, scheme: str) -> None:
    page = watched(f"{many}{path}", viewport=PHONE, color_scheme=scheme)
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("link", ["", "#node-1", "#c-coder-1"])
def test_an_episode_fits_a_phone(hostile: str, watched: Open, link: str) -> None:
    page = watched(f"{hostile}s/s/e/hostile{link}", viewport=PHONE)
    page.wait_for_selector("a.line")

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert page.evaluate("document.querySelector('.detail').scrollWidth") <= PHONE["width"]
