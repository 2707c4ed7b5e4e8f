"""How a study stands, as a terminal shows it: a screen that fits, or plain lines."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlyceum.cli.output import make_table
from mlyceum.time_left import TimeLeft
from mlyceum.watching import CellCount, Event, Queue, Snapshot, TaskBest, Underway

_EVENT_STYLES = {"begun": "dim", "ended": "", "failed": "red", "finding": "yellow", "trouble": "yellow"}
_STATE_STYLES = {"running": "green", "complete": "green", "idle": "yellow", "no study yet": "dim"}
_BAR = 30
_UNITS = {
    "evaluations": "evaluations",
    "tokens": "tokens",
    "cost_usd": "USD",
    "steps": "steps",
    "device_seconds": "device seconds",
    "wall_seconds": "seconds of wall time",
}


def screen(snapshot: Snapshot, *, height: int | None = None) -> RenderableType:
    """A snapshot as a screen.

    Args:
        snapshot: what to show.
        height: lines that it may have (the head, of about five, is always shown); None: everything.
    """
    head = list(_head(snapshot))
    room = None if height is None else max(0, height - len(head) - 1)
    tasks = _share(len(snapshot.tasks), room, 0.2)
    underway = _share(len(snapshot.underway), room, 0.3)
    events = _share(len(snapshot.events), room, 0.25, heading=0)
    taken = sum(count + 2 for count in (tasks, underway) if count) + events
    cells = _share(len(snapshot.cells), None if room is None else max(0, room - taken), 1.0)
    parts: list[RenderableType] = list(head)
    if cells:
        parts.append(_cells(snapshot.cells, cells))
    if tasks:
        parts.append(_tasks(snapshot.tasks, tasks))
    if underway:
        parts.append(_underway(snapshot.underway, underway))
    if events:
        parts.extend(_event(event) for event in snapshot.events[-events:])
    return Group(*parts)


def _share(rows: int, room: int | None, share: float, *, heading: int = 2) -> int:
    """How many rows of a table are shown, when its heading and the line that says how many are not take two."""
    return rows if room is None else max(0, min(rows, int(room * share) - heading))


def _head(snapshot: Snapshot) -> Iterable[Text]:
    counts = [
        (f"{snapshot.ended} of {snapshot.asked} episodes ended", ""),
        (f"{snapshot.running} running", ""),
        *([(f"{snapshot.failed} failed", "red")] if snapshot.failed else []),
        (f"{snapshot.waiting} waiting", ""),
    ]
    line = Text(f"{snapshot.folder}  ", style="bold")
    line.append(snapshot.state, style=_STATE_STYLES[snapshot.state])
    line.append("  " if snapshot.asked else "", style="not bold")
    for number, (count, style) in enumerate(counts if snapshot.asked else []):
        line.append(", " if number else "", style="not bold")
        line.append(count, style=f"{style} not bold")
    yield line
    if not snapshot.asked:
        return
    yield _bar(snapshot)
    if snapshot.state == "idle":
        yield Text("no run works in this folder; the command that began it goes on with it", style="yellow")
    if snapshot.spent or snapshot.caps:
        yield Text(f"spent: {', '.join(_spent(snapshot))}")
    if snapshot.queues:
        yield Text(f"limits: {', '.join(map(_queue, snapshot.queues))}")


def _bar(snapshot: Snapshot) -> Text:
    share = snapshot.ended / snapshot.asked
    full = int(share * _BAR)
    line = Text("█" * full, style="green")
    line.append("░" * (_BAR - full), style="dim")
    line.append(f"  {100 * share:.0f} %")
    if snapshot.episodes_per_hour is not None:
        line.append(f"  {_rate(snapshot.episodes_per_hour)} episodes an hour")
    if snapshot.state == "running":
        line.append(f"  {left_line(snapshot.left)}")
    return line


def _rate(per_hour: float) -> str:
    return f"{per_hour:,.0f}" if per_hour >= 10 else f"{per_hour:.2g}"


def left_line(left: TimeLeft | None) -> str:
    """The estimate in words, with its range."""
    if left is None:
        return "time left: not known before 3 episodes have ended"
    return (
        f"time left: about {duration(left.seconds)} ({duration(left.low)} to {duration(left.high)}), "
        f"{left.concurrency:.1f} episodes at once"
    )


def duration(seconds: float) -> str:
    """Seconds as people say them, to two figures."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def _spent(snapshot: Snapshot) -> Iterable[str]:
    for axis, unit in _UNITS.items():
        spent, cap = snapshot.spent.get(axis), snapshot.caps.get(axis)
        if spent is None and cap is None:
            continue
        shown = f"{spent or 0:.4g}" if axis == "cost_usd" else f"{spent or 0:.0f}"
        yield f"{shown}{f' of {cap:.10g}' if cap is not None else ''} {unit}"


def _queue(queue: Queue) -> str:
    waiting = f" (+{queue.waiting} waiting)" if queue.waiting else ""
    return f"{queue.name} {queue.busy}/{queue.limit}{waiting}"


def _more(table: Table, shown: int, rows: Sequence[object]) -> Table:
    if shown < len(rows):
        table.add_row(Text(f"… {len(rows) - shown} more", style="dim"))
    return table


def _cells(cells: tuple[CellCount, ...], shown: int) -> Table:
    table = make_table(
        "task",
        "arm",
        "ended",
        "running",
        "failed",
        "waiting",
        "no score",
        "mean time",
        numbers=frozenset({"ended", "running", "failed", "waiting", "no score", "mean time"}),
    )
    # What is under way or has failed is looked for first; the rest keeps its order.
    order = sorted(cells, key=lambda cell: (not cell.failed, not cell.running, cell.ended == cell.asked))
    for cell in order if shown < len(cells) else cells:
        if len(table.rows) == shown:
            break
        table.add_row(
            Text(cell.task),
            Text(cell.arm),
            f"{cell.ended}/{cell.asked}",
            _count(cell.running),
            Text(_count(cell.failed), style="red" if cell.failed else ""),
            _count(cell.waiting),
            _count(cell.without_score),
            duration(cell.seconds) if cell.seconds is not None else "-",
        )
    return _more(table, shown, cells)


def _count(number: int) -> str:
    return str(number) if number else "-"


def _tasks(tasks: tuple[TaskBest, ...], shown: int) -> Table:
    table = make_table(
        "best so far",
        "metric",
        "baseline",
        "final",
        "of",
        "feedback",
        numbers=frozenset({"baseline", "final", "feedback"}),
    )
    for task in tasks[:shown]:
        sign = {"max": "↑", "min": "↓"}[task.direction]
        table.add_row(
            Text(f"{task.task} {sign}"),
            Text(task.metric),
            f"{task.baseline:.4f}",
            f"{task.final.value:.4f}" if task.final is not None else "-",
            Text(task.final.episode if task.final is not None else "-"),
            f"{task.feedback.value:.4f}" if task.feedback is not None else "-",
        )
    return _more(table, shown, tasks)


def _underway(underway: tuple[Underway, ...], shown: int) -> Table:
    table = make_table(
        "under way",
        "evaluations",
        "time",
        "quiet",
        "waits for",
        numbers=frozenset({"evaluations", "time", "quiet"}),
    )
    for each in underway[:shown]:
        most = f"/{each.evaluations_at_most}" if each.evaluations_at_most is not None else ""
        more = f" (+{len(each.waits_for) - 1})" if len(each.waits_for) > 1 else ""
        table.add_row(
            Text(each.episode),
            f"{each.evaluations}{most}",
            duration(each.seconds),
            duration(each.quiet_seconds),
            Text(f"{each.waits_for[0]}{more}" if each.waits_for else "-"),
        )
    return _more(table, shown, underway)


def _event(event: Event) -> Text:
    return Text(event_line(event), style=_EVENT_STYLES[event.kind], no_wrap=True, overflow="ellipsis")


def event_line(event: Event) -> str:
    """One line on something that happened."""
    kind = "" if event.kind in {"begun", "ended"} else f"{event.kind.upper()}  "
    return f"{event.episode}  {kind}{event.text}"


def state_line(snapshot: Snapshot) -> str:
    """One line on how everything stands."""
    failed = f", {snapshot.failed} failed" if snapshot.failed else ""
    left = f"; {left_line(snapshot.left)}" if snapshot.state == "running" else ""
    return (
        f"{snapshot.folder}: {snapshot.state}, {snapshot.ended} of {snapshot.asked} episodes ended, "
        f"{snapshot.running} running{failed}, {snapshot.waiting} waiting{left}"
    )
