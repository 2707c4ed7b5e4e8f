"""From an episode that was run to forks of it: checked, patched, and ready to be gone on with."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.studies.donors import settled
from benchmarks.studies.plan import Plan, make_spec, open_sized
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification
from engine.fork import Origin, begin_fork, fork_spec, read_origin
from engine.seeds import Seeds
from engine.team import MemberSpec, TeamSpec
from roles import apply, describe, parse_patch
from roles.handover import check_fork
from tasks.package import TaskPackage


@dataclass(frozen=True, kw_only=True)
class ForkRequest:
    """What a user asks for.

    Attributes:
        episode: folder of the episode that is forked.
        at: the last message that both have.
        patches: what is done to the team, in words; none: the same team goes on.
        seed: of the first continuation's draws and feedback; None: those of the origin go on.
        seeds: how many continuations, with seeds one after another.
        control: whether each also goes on with the origin's own team.
    """

    episode: Path
    at: int
    patches: tuple[str, ...] = ()
    seed: int | None = None
    seeds: int = 1
    control: bool = False


@dataclass(frozen=True, kw_only=True)
class ForkPlan:
    """What will be done.

    Attributes:
        plan: every fork, as a study runs it.
        origin: what they leave.
    """

    plan: Plan
    origin: Origin

    def begin(self, folder: Path) -> None:
        """Let the records in a study's folder begin with the origin's; those that have begun stay as they are.

        Raises:
            OutputUnusable: the folder cannot be written.
        """
        for spec in self.plan.specs:
            begin_fork(self.origin, spec, folder / "episodes" / spec.id)
        # A judge's draws in a study with models hang on its secret: what was the same must stay the same.
        secret = self.origin.folder.absolute().parent.parent / "secret"
        if secret.is_file() and not (folder / "secret").exists():
            shutil.copyfile(secret, folder / "secret")
            (folder / "secret").chmod(0o600)


def make_fork_plan(request: ForkRequest) -> ForkPlan:
    """Resolve a request.

    Raises:
        BadSpecification: no such message, a patch that does not fit, a task that has changed since.
        UnknownName: a role, topic or strategy that does not exist.
        RecordDamaged: the episode's record cannot be read.
    """
    if request.seeds < 1:
        raise BadSpecification("--seeds", f"{request.seeds} is too small; give 1 or more")
    if request.seeds > 1 and request.seed is None:
        raise BadSpecification("--seeds", "several continuations need draws of their own; give --seed too")
    origin = read_origin(request.episode)
    old = origin.spec
    team, texts = old.team, tuple(describe(parse_patch(settled(text))) for text in request.patches)
    for text in texts:
        team = apply(team, parse_patch(text))
    check_fork(old.team, team)
    task = _open(origin)
    hashes = _checked_hashes(origin, task, team)
    arms = [(team, texts)]
    if request.control and texts:
        arms.append((old.team, ()))
    specs = tuple(
        msgspec.structs.replace(
            fork_spec(origin, at=request.at, team=each, patches=said, seeds=seeds), hashes=hashes
        )
        for seeds in _seeds(request, old.seeds)
        for each, said in arms
    )
    _check_models(specs[0])
    return ForkPlan(
        plan=Plan(
            specs=specs,
            tasks={old.task: task},
            team=team,
            model=old.model,
            protocol=old.protocol,
            budget=old.budget,
            notes=_notes(request, origin),
        ),
        origin=origin,
    )


def _seeds(request: ForkRequest, old: Seeds) -> Sequence[Seeds]:
    if request.seed is None:
        return [old]
    if request.seed < 0:
        raise BadSpecification("--seed", f"{request.seed} is too small; give 0 or more")
    numbers = range(request.seed, request.seed + request.seeds)
    return [Seeds(task=old.task, team=number, evaluation=number) for number in numbers]


def _open(origin: Origin) -> TaskPackage:
    sizes = {int(size) for size in origin.spec.feedback.values()}
    return open_sized(origin.spec.task, sizes.pop() if sizes else None)


def _checked_hashes(origin: Origin, task: TaskPackage, team: TeamSpec) -> dict[str, str]:
    """The digests of a fork, those of its origin among them.

    Raises:
        BadSpecification: what the origin was run with has another version here.
    """
    old = origin.spec
    now: dict[str, str] = {}
    for each in (old.team, team):
        now |= make_spec(
            task,
            each,
            old.seeds,
            protocol=old.protocol,
            budget=old.budget,
            model=old.model,
            feedback_size=None,
        ).hashes
    for name, known in old.hashes.items():
        if now.get(name) != known:
            raise BadSpecification(
                str(origin.folder),
                f"was run with another version of {old.task} ({name} {known}, here {now.get(name, 'none')}); "
                "fork it with the program that ran it, or run it again",
            )
    return {**now, **old.hashes}


def _check_models(spec: EpisodeSpec) -> None:
    lacking = [member.role for member in spec.team.members if _needs_model(member) and member.model is None]
    if lacking and spec.model is None:
        raise BadSpecification(
            "--patch",
            f"a model is to drive the {lacking[0]} and none is named; write 'replace {lacking[0]} model PROVIDER/NAME'",
        )


def _needs_model(member: MemberSpec) -> bool:
    return "model" in {member.policies.get(function, member.policy) for function in member.functions}


def _notes(request: ForkRequest, origin: Origin) -> tuple[str, ...]:
    draws = "the origin's draws go on" if request.seed is None else "other draws from there on"
    where = f"forked from {origin.spec.id} after message {request.at} of {origin.messages}"
    return (f"{where}; {draws}; what was spent before counts",)


__all__ = ["ForkPlan", "ForkRequest", "make_fork_plan"]
