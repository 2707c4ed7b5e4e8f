"""The head of an episode: task, team, patches, protocol, seeds, who drove, what came of it."""

from rich.table import Table
from rich.text import Text

from engine.team import MemberSpec
from mlyceum.reading import EpisodeView
from mlyceum.viewer.numbers import difference, number, score_text, spending_text
from roles.policy_file import short_name


def header(view: EpisodeView) -> Table:
    """A table of facts: name and value."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("episode", Text(view.episode, style="bold"))
    for name, value in _facts(view):
        table.add_row(name, value)
    return table


def _facts(view: EpisodeView) -> list[tuple[str, Text]]:
    facts = [("task", Text(_task(view)))]
    if view.spec is not None:
        team = view.spec.team
        width = f", {team.in_flight} in flight" if team.in_flight > 1 else ""
        facts.append(("team", Text(f"{team.name}, strategy {team.strategy.kind}{width}")))
        facts.append(("patches", Text("; ".join(team.patches) or "none")))
        if view.spec.fork is not None:
            facts.append(("fork", Text(f"of {view.spec.fork.origin} after message {view.spec.fork.at}")))
    facts.append(("driven by", Text(drivers(view))))
    if view.head is not None:
        seeds = view.head.seeds
        facts.append(("seeds", Text(f"task {seeds.task}, team {seeds.team}, evaluation {seeds.evaluation}")))
    facts += [
        ("outcome", _outcome(view)),
        ("score", _score(view)),
        ("spent", Text(spending_text(view.spending))),
    ]
    facts += [
        (
            f"  {member}",
            Text(
                f"{spent.calls} answers, {spent.input_tokens}+{spent.output_tokens} tokens, {spent.cost_usd:.6g} USD"
            ),
        )
        for member, spent in view.by_member.items()
    ]
    if not is_deterministic(view):
        facts.append(
            ("record", Text("not deterministic: a clock or an arrival order decided", style="yellow"))
        )
    return facts


def _task(view: EpisodeView) -> str:
    brief, spec = view.brief, view.spec
    name = brief.task if brief is not None else spec.task if spec is not None else "not known"
    parts = [name]
    if brief is not None:
        parts += [f"{brief.metric} ({brief.direction})", f"baseline {number(brief.baseline)}"]
        parts.append(f"{brief.evaluations} evaluations")
    parts.append(
        f"protocol {spec.protocol if spec is not None else 'not known (no study around the journal)'}"
    )
    return ", ".join(parts)


def drivers(view: EpisodeView) -> str:
    """Who decided: which members an offline rule, a vacuous form or a model drove."""
    if view.spec is None:
        parts = [f"model {model} ({', '.join(members)})" for model, members in view.models.items()]
        return ", ".join(parts) or "not known: no model was asked"
    by_driver: dict[str, list[str]] = {}
    for member in view.spec.team.members:
        name = member.role if member.replicas == 1 else f"{member.replicas} {member.role}s"
        by_driver.setdefault(_driver(member, view.spec.model), []).append(name)
    return "; ".join(f"{driver} ({', '.join(names)})" for driver, names in by_driver.items())


def _driver(member: MemberSpec, model: str | None) -> str:
    own = member.model or model
    words = {
        "offline": "offline policy",
        "vacuous": "vacuous form",
        "model": f"model {own}" if own else "model",
    }
    kinds = dict.fromkeys(member.policies.get(each, member.policy) for each in member.functions)
    return " + ".join(words.get(kind) or short_name(kind) for kind in kinds or (member.policy,))


def is_deterministic(view: EpisodeView) -> bool:
    """Whether a rerun repeats the record message for message."""
    if view.result is not None:
        return view.result.deterministic
    return (view.head is None or view.head.deterministic) and not view.deadlines_struck


def _outcome(view: EpisodeView) -> Text:
    if view.state == "unfinished":
        what = "not begun" if view.head is None else f"not ended, {view.seconds:.1f} s on record"
        return Text(f"{what} (running, or interrupted: the same command goes on from here)", style="yellow")
    good = view.outcome == "submitted"
    text = Text(view.outcome, style="green" if good else "red")
    text.append(f" after {view.seconds:.1f} s", style="default")
    if view.reason:
        text.append(f": {view.reason}", style="default")
    return text


def _score(view: EpisodeView) -> Text:
    final = next((each.score for each in view.finals if each.split == "final"), None)
    held_out = next((each.score for each in view.finals if each.split == "held-out"), None)
    if final is None:
        return Text("no final score yet", style="yellow")
    text = Text(f"final {score_text(final)}", style="bold" if final.value is not None else "red")
    if final.value is not None and view.brief is not None:
        text.append(f" ({difference(final.value, view.brief.baseline)} on the baseline)", style="not bold")
    if held_out is not None:
        text.append(f", held out {score_text(held_out)}", style="not bold")
    handed_in = next((node.id for node in view.nodes if node.handed_in), None)
    if handed_in is not None:
        text.append(f", handed in #{handed_in}" if handed_in else ", handed in the starter", style="not bold")
    return text
