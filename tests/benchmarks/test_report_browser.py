"""The page in a real browser, without a network: nothing is asked for, nothing overflows, everything is there."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from reported_studies import HOSTILE, without, write_study

from benchmarks.report.report import make_report, write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("vl_convert", reason="reports need the extra `study`")
pytest.importorskip("polars", reason="reports need the extra `study`")
pytest.importorskip("scipy", reason="reports need the extra `study`")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path"),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(7)
    arms = [
        (team, [None if n == 3 else float(draw.normal(mean, 0.04)) for n in range(12)])
        for team, mean in (("full", 1.4), (without("reviewer"), 1.25), ("random-search", 1.1))
    ]
    folder = write_study(tmp_path_factory.mktemp("browser") / "study", arms, reason=HOSTILE)
    return write_report(make_report(folder), folder / "report")[0]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desk", "telephone"])
def page(browser: "Browser", page_file: Path, request: pytest.FixtureRequest) -> "Iterator[Page]":
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith("file:") else complaints.append(asked.url))
    page.goto(page_file.as_uri())
    yield page
    assert complaints == []
    context.close()


def test_the_page_does_not_overflow(page: "Page") -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_every_figure_is_drawn(page: "Page") -> None:
    boxes = [
        each.bounding_box() for each in page.query_selector_all("figure svg[role=img]") if each.is_visible()
    ]

    assert len(boxes) >= 5
    assert all(box is not None and box["width"] > 150 and box["height"] > 80 for box in boxes)


def test_every_table_has_a_caption_and_every_picture_a_name(page: "Page") -> None:
    assert page.evaluate("[...document.querySelectorAll('table')].every(t => t.caption?.textContent)")
    assert page.evaluate("[...document.querySelectorAll('svg')].every(s => s.ariaLabel)")


def test_letters_stand_out_from_their_ground(page: "Page") -> None:
    """Contrast of 4.5 or more (WCAG 2.1, AA) for text of the page, links and captions."""
    lowest = page.evaluate(
        """() => {
          const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b };
          const ground = light(getComputedStyle(document.body).backgroundColor);
          const ratio = e => { const ink = light(getComputedStyle(e).color);
            return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05) };
          return Math.min(...[...document.querySelectorAll('p:not(.notice), a, figcaption, td, th, caption')].map(ratio));
        }"""
    )

    assert lowest >= 4.5


def test_hostile_text_is_text(page: "Page") -> None:
    assert page.evaluate("document.scripts.length") == 0
    assert "<script>alert(1)</script>" in page.inner_text("#audit")
