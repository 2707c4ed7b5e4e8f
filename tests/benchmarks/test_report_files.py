"""The files of a report: the same bytes for the same record, and nothing hostile in them acts."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reported_studies import HOSTILE, write_study

from benchmarks.report.report import Report, make_report, write_report
from engine.errors import OutputUnusable
from engine.task import Finding

pytest.importorskip("vl_convert", reason="reports need the extra `study`")
polars = pytest.importorskip("polars", reason="reports need the extra `study`")
pytest.importorskip("scipy", reason="reports need the extra `study`")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report on a study whose agents put hostile text wherever text goes."""
    folder = write_study(
        tmp_path_factory.mktemp("hostile") / "study",
        [("full", [1.2, 1.3, None]), ("solo", [1.1, None, None])],
        reason=HOSTILE,
        findings=[Finding(kind="output", detail=HOSTILE)],
        failed={HOSTILE: HOSTILE},
    )
    return make_report(folder)


@pytest.fixture(scope="module")
def written(hostile: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    write_report(hostile, out)
    return out


class _Elements(HTMLParser):
    """Elements of a page, and what is open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_holds_no_script(written: Path) -> None:
    elements = _Elements()

    elements.feed((written / "report.html").read_text(encoding="utf-8"))

    assert elements.open == []
    assert not elements.names & {"script", "iframe", "object", "embed", "form", "link", "img"}
    assert not [name for name in elements.attributes if name.startswith("on")]


def test_the_page_names_nothing_elsewhere_and_forbids_it(written: Path) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")

    assert "default-src 'none'" in page
    assert set(re.findall(r"https?://[^\s\"'<)]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


@pytest.mark.parametrize("name", ["report.html", "report.md", "tables/episodes.csv"])
def test_hostile_text_is_shown_and_written_out(written: Path, name: str) -> None:
    text = (written / name).read_text(encoding="utf-8")

    assert "⟨U+202E⟩evil⟨U+2066⟩" in text.replace("\\", "")
    assert not set(text) & set("\u202e\u2066\x1b\x00")


def test_markdown_lets_no_html_and_no_link_through(written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")

    assert "<script" not in text
    assert "[x](javascript" not in text


def test_every_picture_of_the_markdown_lies_beside_it(written: Path) -> None:
    named = re.findall(r"\]\((figures/[^)]+)\)", (written / "report.md").read_text(encoding="utf-8"))

    assert named
    assert all((written / path).is_file() for path in named)


def test_page_and_markdown_hold_the_same_cells(written: Path, hostile: Report) -> None:
    page, text = ((written / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))

    for each in hostile.findings.headlines:
        figure = f"{each.mean.estimate:.3f}"
        assert figure in page
        assert figure in text.replace("\\", "")


def test_csv_and_parquet_hold_the_same_rows(written: Path) -> None:
    csv = polars.read_csv(written / "tables" / "episodes.csv")
    parquet = polars.read_parquet(written / "tables" / "episodes.parquet")

    assert csv.columns == parquet.columns
    assert csv["final"].to_list() == parquet["final"].to_list()
    assert parquet["failed"].sum() == 3


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", [("full", [1.2, 1.3, 1.25]), ("solo", [1.1, 1.2, None])])

    for out in ("one", "two"):
        write_report(make_report(folder), tmp_path / out)

    files = sorted(
        path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()
    )
    assert len(files) > 10
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_a_place_that_cannot_be_written_is_refused(hostile: Report, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputUnusable, match="name another folder"):
        write_report(hostile, tmp_path / "file")
