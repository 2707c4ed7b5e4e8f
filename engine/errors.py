"""The engine's family of errors, named for what a caller can do about them.

::

    EngineError
    ├── UserError                what a user can mend: one sentence, exit status 2
    │   ├── UnknownName          no such task, team, role …; carries what was probably meant
    │   ├── BadSpecification     a file or option that does not say what it must (where, field, allowed)
    │   └── OutputUnusable       the output folder cannot be written, or another run holds it
    ├── IsolationUnavailable     required isolation is missing on this machine (what, and how to fix it)
    ├── WorkspaceError           a workspace could not do what was asked (see engine.workspace)
    ├── ModelError               a model call failed (see engine.models)
    ├── BudgetExceeded           a scope asked for more than it may spend
    ├── Deadlock                 every member waits and nothing is in flight (carries the wait graph)
    ├── Divergence               a rerun did not do what its record says
    ├── RecordDamaged            a record cannot be read beyond what repair allows
    ├── MemberFailed             a member's code raised, and the policy was to fail the episode
    └── EngineDefect             cannot happen; a defect in the engine
"""

import difflib
from collections.abc import Iterable


class EngineError(Exception):
    """Base of every error that the engine raises on purpose."""


class UserError(EngineError):
    """Raised when what a user asked for cannot be done as asked; the message is one sentence."""


class UnknownName(UserError):
    """Raised when a name is not among the known ones.

    Args:
        kind: what sort of thing was named (``"task"``, ``"team"``).
        name: the name given.
        known: every name that would have been accepted.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        near = difflib.get_close_matches(name, self.known, n=1, cutoff=0.5)
        self.suggestion = near[0] if near else None
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(self.known)}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class BadSpecification(UserError):
    """Raised when a specification (file, option, struct) is not valid.

    Args:
        where: file and line, or the option's name.
        what: the fault, with the field and what is allowed there.
    """

    def __init__(self, where: str, what: str) -> None:
        self.where, self.what = where, what
        super().__init__(f"{where}: {what}")


class OutputUnusable(UserError):
    """Raised when the output folder cannot be used: not writable, full, or held by another run."""


class IsolationUnavailable(EngineError):
    """Raised when required isolation is missing here.

    Args:
        missing: what is not enforced, in a few words each.
        how_to_fix: one sentence with the command or setting that mends it.
    """

    def __init__(self, missing: Iterable[str], how_to_fix: str) -> None:
        self.missing, self.how_to_fix = tuple(missing), how_to_fix
        super().__init__(f"isolation is missing ({', '.join(self.missing)}); {how_to_fix}")


class WorkspaceError(EngineError):
    """Raised when a workspace could not do what was asked; children say what a caller can do."""


class ModelError(EngineError):
    """Raised when a model call failed for good; children say what a caller can do."""


class BudgetExceeded(EngineError):
    """Raised when a scope asks for more of a resource than its budget holds."""

    def __init__(self, resource: str, *, scope: str, asked: float, spent: float, limit: float) -> None:
        super().__init__(
            f"{scope}: {asked:g} {resource} asked for, {spent:g} of {limit:g} spent; "
            f"raise the budget's {resource} or ask for less"
        )
        self.resource, self.scope = resource, scope
        self.asked, self.spent, self.limit = asked, spent, limit


class Deadlock(EngineError):
    """Raised when every member waits, nothing is in flight and nobody has ended the episode.

    Attributes:
        waits: for each waiting member, what it waits for.
    """

    def __init__(self, waits: dict[str, str]) -> None:
        self.waits = dict(waits)
        graph = "; ".join(f"{member} waits for {what}" for member, what in sorted(waits.items()))
        super().__init__(f"deadlock: {graph or 'no member is left'}")


class Divergence(EngineError):
    """Raised when a rerun does not do what its record says it did."""

    def __init__(self, where: str, *, recorded: str, now: str) -> None:
        self.where, self.recorded, self.now = where, recorded, now
        super().__init__(
            f"{where}: the record has {recorded[:200]!r}, this run came to {now[:200]!r}; "
            "rerun with the version and specification that made the record, or start a new folder"
        )


class RecordDamaged(EngineError):
    """Raised when a record is damaged beyond a torn tail."""


class MemberFailed(EngineError):
    """Raised when a member's code raised and its failure policy is to fail the episode."""

    def __init__(self, member: str, reason: str) -> None:
        self.member, self.reason = member, reason
        super().__init__(f"member {member} failed: {reason}")


class EngineDefect(EngineError):
    """Raised when something that cannot happen has happened: a defect in the engine."""
