"""``mlyceum report``: one HTML page, the same in Markdown, and tables, of a study's folder."""

import webbrowser
from pathlib import Path

import click
import msgspec
import trio

from benchmarks.report.evidence import make_evidence
from benchmarks.report.report import PAGE, Report, make_report, write_report
from benchmarks.report.rescoring import rescore
from benchmarks.report.sources import read_sources
from benchmarks.report.wording import arm_name, verdict
from mlyceum.cli.output import json_option, print_json, stdout_console
from mlyceum.single_error import single_error


class WrittenReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints."""

    folder: str
    page: str
    files: tuple[str, ...]
    episodes: int
    missing: tuple[str, ...]
    """Planned episodes that have not ended."""
    effects: tuple["EffectLine", ...]


class EffectLine(msgspec.Struct, frozen=True, kw_only=True):
    """One contrast."""

    treatment: str
    control: str
    difference: float
    low: float | None
    high: float | None
    p_corrected: float
    verdict: str


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: DIR/report]")
@click.option(
    "--rescore", "is_rescored", is_flag=True, help="First take finals of all that stood, for curves."
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in a browser.")
@json_option
def command(folder: Path, *, out: Path | None, is_rescored: bool, is_opened: bool, as_json: bool) -> None:
    """Write a report on the study in DIR: report.html, report.md with figures/, and tables/ as CSV and Parquet.

    DIR is what `mlyceum run` or `mlyceum study` wrote, finished or not, or a folder of such folders.
    The same record gives the same files. Needs: pip install 'mlyceum[study]'

    \b
    Examples:
      mlyceum report runs/latest
      mlyceum report runs/ablation --rescore --out paper/supplement
    """  # noqa: D301 - click reads the escape as a sign to keep these lines
    if is_rescored:
        evidence = make_evidence(read_sources(folder))
        with single_error():
            trio.run(lambda: rescore(evidence))
    report = make_report(folder)
    files = write_report(report, out if out is not None else folder / "report")
    if as_json:
        print_json(_written(report, folder, files))
    else:
        _say(report, files)
    if is_opened:
        webbrowser.open(files[0].absolute().as_uri())


def _written(report: Report, folder: Path, files: tuple[Path, ...]) -> WrittenReport:
    findings = report.findings
    return WrittenReport(
        folder=str(folder),
        page=str(files[0]),
        files=tuple(str(path) for path in files),
        episodes=len(findings.evidence.runs),
        missing=tuple(spec.id for spec in findings.evidence.sources.missing),
        effects=tuple(
            EffectLine(
                treatment=effect.contrast.treatment,
                control=effect.contrast.control,
                difference=effect.found.difference.estimate,
                low=effect.found.difference.low,
                high=effect.found.difference.high,
                p_corrected=effect.p,
                verdict=verdict(effect.found, effect.p),
            )
            for effect in findings.effects
        ),
    )


def _say(report: Report, files: tuple[Path, ...]) -> None:
    console = stdout_console()
    evidence = report.findings.evidence
    missing = len(evidence.sources.missing)
    console.print(
        f"{len(evidence.runs)} episodes of {len(evidence.arms)} arms, led by {arm_name(evidence, evidence.leading)}"
    )
    if missing:
        console.print(
            f"unfinished: {missing} of {len(evidence.sources.planned)} episodes have not ended; the page names them"
        )
    page = next(path for path in files if path.name == PAGE)
    console.print(f"page: {page} ({page.stat().st_size // 1024} kB)", soft_wrap=True)
    console.print(f"beside it: report.md, {len(files) - 2} figures and tables", soft_wrap=True)
