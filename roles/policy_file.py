"""A role whose policy is a file: ``policy = "my_roles.py:Critic"``, the user's own class, with no packaging.

The class follows the protocol of `roles.functions.Function` and is made with its member as only argument. It runs in
this process with all of the user's rights, like any program that the user starts: it is no place for code that a model
wrote. What goes on the record is the file's path and the hash of its source, so that a record is never gone on with
under another version.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import msgspec

from engine.errors import BadSpecification
from engine.member import Member
from engine.messages import (
    CODE,
    EXPERIMENT,
    HYPOTHESIZE,
    REVIEW,
    TOPICS,
    AnyBody,
    Envelope,
    Hypothesis,
    Patch,
    Queue,
    Review,
    RunResult,
    Topic,
)
from engine.team import MemberSpec, TeamSpec
from roles.functions import Function

MOST_BYTES = 1 << 20
ANSWERS: dict[Queue, type[AnyBody]] = {
    HYPOTHESIZE: Hypothesis,
    CODE: Patch,
    EXPERIMENT: RunResult,
    REVIEW: Review,
}
"""What each function answers with."""
_NAMED = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)", re.DOTALL)


class BadAnswer(Exception):
    """Raised when a policy's answer is not what its function must give."""


class _Unusable(Exception):
    """Raised when a file cannot be run; says why."""


class FilePolicy(NamedTuple):
    """A class from a file, and what is known of it without making one."""

    make: Callable[[Member], Function]
    queue: Queue
    topics: tuple[Topic, ...]


class _PolicyClass(Protocol):
    queue: Queue
    topics: tuple[Topic, ...]

    def __call__(self, member: Member) -> Function: ...


def is_file_policy(policy: str) -> bool:
    """Whether a policy is named by file and class."""
    return _NAMED.fullmatch(policy) is not None


def short_name(policy: str) -> str:
    """A policy's name without the folders of its file."""
    found = _NAMED.fullmatch(policy)
    return policy if found is None else f"{Path(found['path']).name}:{found['name']}"


def absolute(policy: str, folder: Path) -> str:
    """A policy with its file's path made absolute, seen from a folder; other policies as they are."""
    found = _NAMED.fullmatch(policy)
    return policy if found is None else f"{(folder / found['path']).resolve()}:{found['name']}"


def settle_policies(team: TeamSpec, folder: Path) -> TeamSpec:
    """The team with its file policies looked up: paths absolute, classes loaded and checked, hashes put down.

    Args:
        team: as written.
        folder: where relative paths begin.

    Raises:
        BadSpecification: naming the member's field, and what is wrong with file or class.
    """
    sources = dict(team.sources)
    for number, member in enumerate(team.members):
        for field, policy in _named_by(member):
            where = f"members[{number}].{field}"
            full = absolute(policy, folder)
            path = _parts(full)[0]
            if path in team.sources:  # known, and held against its hash when the team is put together
                continue
            sources[path] = _digest(_read(path, where))
            _check_function(_load(full, sources[path], where), full, member, policy, where)
    if sources == team.sources:
        return team
    members = tuple(_settled(member, folder) for member in team.members)
    return msgspec.structs.replace(team, members=members, sources=sources)


def _settled(member: MemberSpec, folder: Path) -> MemberSpec:
    if not any(True for _ in _named_by(member)):
        return member
    return msgspec.structs.replace(
        member,
        policy=absolute(member.policy, folder),
        policies={queue: absolute(each, folder) for queue, each in member.policies.items()},
        # Code that raises raises again when it is started anew, and an episode that goes on without one of its
        # members would count as that member's work.
        failure="fail" if member.failure == "restart" else member.failure,
    )


def check_policies(team: TeamSpec) -> None:
    """Refuse a file policy that nobody looked up, or that a solo member is to be driven by.

    Raises:
        BadSpecification: naming the member's field.
    """
    for number, member in enumerate(team.members):
        for field, policy in _named_by(member):
            if _parts(policy)[0] not in team.sources:
                raise BadSpecification(
                    f"members[{number}].{field}",
                    f"{short_name(policy)} is a file, which is named in a team file; put the team into a file of its own",
                )


def load_policies(team: TeamSpec) -> None:
    """Load every class that a team names, its source as it is on record; does nothing a second time.

    Raises:
        BadSpecification: a file is gone, or is not what it was when the team was made.
    """
    for number, member in enumerate(team.members):
        for field, policy in _named_by(member):
            where = f"members[{number}].{field}"
            path = _parts(policy)[0]
            digest = _digest(_read(path, where))
            if digest != team.sources.get(path):
                raise BadSpecification(
                    where,
                    f"{path} is not what it was when the team was made; "
                    "restore it, or begin a new run with the team as it is now",
                )
            _latest[policy] = _load(policy, digest, where)


def loaded_policy(policy: str) -> FilePolicy:
    """A policy that `load_policies` loaded."""
    return _latest[policy]


_latest: dict[str, FilePolicy] = {}


class Checked:
    """The user's function, whose answers are what the function must give, or an error that says what they are."""

    def __init__(self, inner: Function, policy: str, queue: Queue, topics: tuple[Topic, ...]) -> None:
        self._inner, self._policy, self._queue, self._topics = inner, short_name(policy), queue, topics

    @property
    def queue(self) -> Queue:
        """The function."""
        return self._queue

    @property
    def topics(self) -> tuple[Topic, ...]:
        """What it watches."""
        return self._topics

    def observe(self, body: AnyBody) -> None:
        """Let it take note."""
        self._inner.observe(body)

    async def answer(self, request: Envelope) -> AnyBody:
        """Its answer.

        Raises:
            BadAnswer: it is of another kind, or about another node.
        """
        try:
            said = await self._inner.answer(request)
        except SystemExit as error:  # it would end the whole run, and other episodes with it
            raise BadAnswer(f"{self._policy} asked the process to exit ({error.code})") from error
        wanted = ANSWERS[self._queue]
        if not isinstance(said, wanted):
            raise BadAnswer(
                f"{self._policy} answered {self._queue} with {type(said).__name__}; it must be {wanted.__name__}"
            )
        node: object = getattr(request.body, "node", None)
        if node is not None and getattr(said, "node", None) != node:
            raise BadAnswer(
                f"{self._policy} answered about node {getattr(said, 'node', None)}, asked was node {node}"
            )
        return said


def _named_by(member: MemberSpec) -> Iterable[tuple[str, str]]:
    """The fields of a member that name a file, with what they say."""
    if is_file_policy(member.policy):
        yield "policy", member.policy
    for policy in member.policies.values():
        if is_file_policy(policy):
            yield "policies", policy


def _parts(policy: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(policy)
    assert found is not None  # asked before
    return found["path"], found["name"]


def _read(path: str, where: str) -> bytes:
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise BadSpecification(where, f"{path} cannot be read: {error.strerror}") from error
    if len(source) > MOST_BYTES:
        raise BadSpecification(where, f"{path} is larger than {MOST_BYTES} bytes; is it Python source?")
    return source


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _check_function(loaded: FilePolicy, policy: str, member: MemberSpec, written: str, where: str) -> None:
    served = [queue for queue in member.functions if member.policies.get(queue, member.policy) == written]
    for queue in served:
        if loaded.queue != queue:
            raise BadSpecification(
                where,
                f"{short_name(policy)} serves {loaded.queue!r}, and the {member.role}'s function is {queue!r}",
            )


def _load(policy: str, digest: str, where: str) -> FilePolicy:
    """The class, of the source with this hash."""
    path, name = _parts(policy)
    try:
        names = _module(path, digest)
    except _Unusable as error:
        raise BadSpecification(where, str(error)) from error
    if name not in names:
        classes = sorted(
            each
            for each, value in names.items()
            if inspect.isclass(value) and value.__module__ == _module_name(digest)
        )
        raise BadSpecification(
            where, f"{path} has no class {name!r}; it has {', '.join(classes) or 'no class at all'}"
        )
    kind = names[name]
    problem = _problem(kind)
    if problem:
        raise BadSpecification(where, f"{short_name(policy)} {problem}")
    shaped = cast("_PolicyClass", kind)
    queue, topics = Queue(shaped.queue), tuple(shaped.topics)

    def make(member: Member) -> Function:
        return Checked(shaped(member), policy, queue, topics)

    return FilePolicy(make, queue, topics)


def _problem(kind: object) -> str:
    """What keeps an object from being a function's class; nothing where it is one."""
    if not inspect.isclass(kind):
        return f"is a {type(kind).__name__}; a policy is a class"
    topics: object = getattr(kind, "topics", None)
    watched = cast("tuple[object, ...]", topics) if isinstance(topics, tuple) else (topics,)
    strange = [each for each in watched if each not in TOPICS]
    queue: object = getattr(kind, "queue", None)
    observe: object = getattr(kind, "observe", None)
    checks = {
        f"has queue = {queue!r}; it must be one of {', '.join(ANSWERS)}": queue in ANSWERS,
        f"has topics = {topics!r}; it must be a tuple of {', '.join(TOPICS)}": not strange
        and isinstance(topics, tuple),
        "has no `async def answer(self, request)`": inspect.iscoroutinefunction(
            getattr(kind, "answer", None)
        ),
        "has no `def observe(self, body)`": callable(observe) and not inspect.iscoroutinefunction(observe),
        "cannot be made with one argument; write `def __init__(self, member)`": _takes_one(kind),
    }
    return next((fault for fault, holds in checks.items() if not holds), "")


def _takes_one(kind: type[object]) -> bool:
    try:
        inspect.signature(kind).bind(object())
    except (TypeError, ValueError):
        return False
    return True


def _module_name(digest: str) -> str:
    return f"mlyceum_policy_{digest[:16]}"


@lru_cache(maxsize=256)
def _module(path: str, digest: str) -> dict[str, object]:
    """The names that the file defines; run once for each version of it."""
    source = _read(path, path)
    if _digest(source) != digest:
        raise _Unusable(f"{path} was changed while it was read; try again")
    spec = importlib.util.spec_from_file_location(_module_name(digest), path)
    assert spec is not None  # the path ends in .py
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - the user's own code; see the module
    except SyntaxError as error:
        raise _Unusable(f"{path}, line {error.lineno}: is not Python: {error.msg}") from error
    except (Exception, SystemExit) as error:  # whatever the user's module does
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise _Unusable(f"{path} raises when it is imported: {said}") from error
    return module.__dict__
