"""Shapley shares of roles, where a study holds every subset of them: a methods check, beside drop-one."""

from typing import Literal

import numpy as np

from benchmarks.report.charts import BLUE, ORANGE, Dot, dot_plot
from benchmarks.report.document import Block, Figure, Notice, Panel, Paragraph, Row, Section, Table, columns
from benchmarks.report.evidence import Evidence
from benchmarks.report.findings import RESAMPLING_SEED, Findings
from benchmarks.report.wording import is_offline, listed, number, removals, with_interval
from benchmarks.statistics.shapley import ShapleyShare, shapley_shares

Sense = Literal["vacuous", "absorbed"]
_GROUPS = (("role gone (vacuous)", ORANGE, "circle"), ("role absorbed", BLUE, "square"))


def section(findings: Findings) -> Section | None:
    """The shares, or why there are none; nothing for a study that takes no role away."""
    evidence = findings.evidence
    taken = {r.role for arm in evidence.arms for r in removals(evidence.team(arm))}
    if not taken:
        return None
    roles = tuple(member.role for member in evidence.team(evidence.leading).members)
    blocks: list[Block] = []
    shares: list[ShapleyShare] = []
    senses: tuple[Sense, ...] = ("vacuous", "absorbed")
    wanted = 2 ** len(roles)
    held = {sense: subsets_of(evidence, roles, sense) for sense in senses}
    short = [sense for sense in senses if len(held[sense]) < wanted or evidence.outcomes is None]
    for sense in senses:
        if sense not in short and evidence.outcomes is not None and is_offline(evidence):
            generator = np.random.default_rng(RESAMPLING_SEED)
            shares += shapley_shares(
                evidence.outcomes, held[sense], roles, removal=sense, generator=generator
            )
    if short and is_offline(evidence):
        counts = listed([f"{len(held[sense])} with roles {sense}" for sense in short])
        blocks.append(
            Notice(
                text=(
                    f"No Shapley shares: they need all {wanted} subsets of the {len(roles)} roles. The study holds "
                    f"{counts}."
                )
            )
        )
    if not is_offline(evidence):
        blocks.append(
            Notice(text="Shapley shares are shown for offline studies alone: here a model drives an arm.")
        )
    if shares:
        blocks = [
            Paragraph(
                text=(
                    "How the full team's gain over the team without any role divides over its roles, over all "
                    "orders of adding "
                    "them. A methods check: it mixes contexts that nobody would run. What a team loses without a "
                    "role is above."
                )
            ),
            _figure(shares),
            *blocks,
        ]
    return Section(name="roles", title="Shapley shares of roles", blocks=tuple(blocks))


def subsets_of(evidence: Evidence, roles: tuple[str, ...], sense: Sense) -> dict[frozenset[str], str]:
    """The arm of each subset of roles that are present, the others removed in one sense."""
    found: dict[frozenset[str], str] = {}
    for arm in evidence.arms:
        team = evidence.team(arm)
        removed = removals(team)
        is_pure = len(removed) == len(team.patches) and all(r.sense == sense for r in removed)
        if is_pure and (removed or arm == evidence.leading):
            found.setdefault(frozenset(roles) - {r.role for r in removed}, arm)
    return found


def _figure(shares: list[ShapleyShare]) -> Figure:
    dots = [
        Dot(
            label=f"{each.role} ({each.removal})",
            estimate=each.share.estimate,
            low=each.share.low,
            high=each.share.high,
            points=(),
            group=_GROUPS[0][0] if each.removal == "vacuous" else _GROUPS[1][0],
        )
        for each in shares
    ]
    said = listed([f"{d.label} {number(d.estimate)}" for d in dots])
    title = "share of the gain in normalised score"
    return Figure(
        title="Shapley shares",
        caption="Bars reach from no share to each role's share; whiskers are 95 % bootstrap intervals over blocks.",
        panels=(
            Panel(
                name="shapley",
                alt=f"Shapley share of each role: {said}.",
                wide=dot_plot(dots, _GROUPS, x_title=title, zero=True, bars=True),
                narrow=dot_plot(dots, _GROUPS, x_title=title, zero=True, bars=True, narrow=True),
            ),
        ),
        table=Table(
            caption="Shapley shares, with 95 % intervals.",
            columns=columns("role", "removal", "share", numbers="ttn"),
            rows=tuple(Row(cells=(s.role, s.removal, with_interval(s.share, plus=True))) for s in shares),
        ),
    )
