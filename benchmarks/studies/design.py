"""A study as a value: what is compared with what, on which tasks and seeds, at which budget; and its lock.

`benchmarks.studies.study_file` reads one from TOML; in Python it is built directly. `resolving` makes episodes of it.

Words: an *arm* is one way to do research (in results it is ``spec.team.name``); a *block* is one task at one triple of
seeds, in which every arm runs once; a *contrast* is a comparison of two arms that was named beforehand.
"""

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from engine.budget import Axis, Budget
from engine.errors import RecordDamaged
from engine.seeds import Seeds
from engine.task import ScoringProtocol
from engine.team import StrategySpec, TeamSpec

DESIGN_VERSION = 1
LOCK = "study.lock"
"""The name of the file in a study's folder that holds its design as it was resolved."""

ArmKind: TypeAlias = Literal["treatment", "control", "reference"]
"""``reference``: shown beside the others and no control of any: the offline team beside teams that a model drives."""


class ArmDesign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way to do research."""

    name: str
    """In results, the name of the team: ``result.spec.team.name``."""
    team: str | TeamSpec = "full"
    """A team that ships, by name, or a team itself. In a lock, the contents of a team file stand here."""
    patches: tuple[str, ...] = ()
    """Ablations, as text (see `roles.ablation.GRAMMAR`), in order."""
    strategy: StrategySpec | None = None
    """Instead of the team's own."""
    in_flight: int | None = None
    """Experiments at once; None: as the team says."""
    model: str | None = None
    """``provider/name``, which drives what no member's own model drives; None: offline policies, or as members say."""
    role_models: dict[str, str] = {}
    """Role to ``provider/name``."""
    kind: ArmKind = "treatment"
    label: str = ""
    """For people; empty: the name."""
    levels: dict[str, str] = {}
    """Factor to level, for arms of a factorial; ``removed`` and ``sense`` for arms that drop a role."""


class Contrast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A comparison named beforehand: the effect is that of ``treatment`` less that of ``control``."""

    name: str
    treatment: str
    """Name of an arm."""
    control: str
    """Name of an arm."""
    primary: bool = False
    """At most one contrast of a study is; the others are secondary."""


class Sequential(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Looks that were planned: at each the primary comparison is tested, and a study that has its answer stops.

    Each look spends a part of the significance level (`benchmarks.statistics.sequential`), so that all together find
    something where nothing is no more often than one test would.
    """

    looks: tuple[int, ...]
    """Seeds after which results are looked at, rising; the last one is all of them."""
    significance: float = 0.05
    """In all, two-sided."""


class Design(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole study."""

    version: int = DESIGN_VERSION
    name: str
    """Letters, digits, ``.``, ``-``, ``_``: it may be a folder's."""
    question: str = ""
    """What the study is to answer, in a sentence."""
    tasks: tuple[str, ...]
    arms: tuple[ArmDesign, ...]
    """The first is the one that tables lead with."""
    contrasts: tuple[Contrast, ...] = ()
    seeds: tuple[Seeds, ...]
    """One block per task each."""
    pilot_seeds: tuple[Seeds, ...] = ()
    """Run like the others, and left out of every analysis."""
    protocol: ScoringProtocol = "verified"
    budget: Budget = Budget(evaluations=20)
    """Of one episode, over all its members."""
    primary_axis: Axis = "evaluations"
    """The axis of the budget on which arms are held equal, and realised spend is compared."""
    feedback_size: int | None = None
    """Games or formulas of one feedback score; None: as the task says."""
    sequential: Sequential | None = None
    """None: the number of seeds is fixed."""
    order_seed: int = 0
    """Of the order of arms within each block."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures must know."""

    def arm(self, name: str) -> ArmDesign | None:
        """The arm of a name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    @property
    def primary(self) -> Contrast | None:
        """The primary comparison, where one was named."""
        return next((contrast for contrast in self.contrasts if contrast.primary), None)

    def is_pilot(self, seeds: Seeds) -> bool:
        """Whether episodes at these seeds are left out of every analysis."""
        return seeds in self.pilot_seeds


class Shard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a study's blocks a folder holds: every ``of``-th, from the ``number``-th."""

    number: int
    """From 1."""
    of: int


class BlockOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One block, and the order in which its arms were started."""

    task: str
    seeds: Seeds
    arms: tuple[str, ...]


class Amendment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was added to a study that had begun."""

    at: str
    """UTC, ISO 8601."""
    added: tuple[Seeds, ...]
    tasks: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    contrasts: tuple[str, ...] = ()
    """By name; those named after a look are exploratory."""
    looks_before: int
    """How often results had been summarised by then: more than 0 costs the intervals their level."""


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``study.lock``: the design as it was resolved, and how it came to be so."""

    version: int = DESIGN_VERSION
    design: Design
    overrides: tuple[str, ...] = ()
    """What ``--set`` said, as given."""
    sources: dict[str, str] = {}
    """File name to SHA-256 (hex) of the study and team files that it was resolved from."""
    blocks: tuple[BlockOrder, ...] = ()
    """All blocks of the study, in the order in which they run; a shard holds some of them."""
    shard: Shard | None = None
    amendments: tuple[Amendment, ...] = ()


def read_lock(folder: Path) -> Design | None:
    """The design that a study's folder holds; None for a folder without one (made by ``mlyceum run``).

    Raises:
        RecordDamaged: when there is a lock and it cannot be read.
    """
    lock = read_whole_lock(folder)
    return lock.design if lock is not None else None


def read_whole_lock(folder: Path) -> Lock | None:
    """The lock of a study's folder; None for a folder without one.

    Raises:
        RecordDamaged: when there is a lock and it cannot be read.
    """
    path = folder / LOCK
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Versioned).version
        if version != DESIGN_VERSION:
            raise RecordDamaged(
                f"{path} is of version {version}, this program reads {DESIGN_VERSION}; read it with the program that "
                "wrote it"
            )
        return msgspec.json.decode(content, type=Lock)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordDamaged(f"{path} cannot be read ({error}); restore it from a copy") from error


class _Versioned(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at first: other versions may have other fields."""

    version: int
