"""The figures that the released runs of MLGym-Bench allow, made again from a folder of them.

Scores, profiles, AUP, ranks, cost, exit statuses and actions; with the runs that did not earn their scores flagged, and
the ranking with and without them. Start with `report.make_report`; ``python -m benchmarks.published DIR --out OUTDIR``
writes tables and pictures. The data stay outside of the project: CC BY-NC 4.0 (Nathani et al. 2025, arXiv 2502.14499).
"""

from benchmarks.published.report import PublishedReport, make_report

__all__ = ["PublishedReport", "make_report"]
