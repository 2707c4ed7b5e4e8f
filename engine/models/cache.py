"""A model behind a cache: what was asked before is answered from it, and equal calls at once are one call.

What a hit costs: nothing now. Its completion is the recorded one whole, with the cost that it had, so that budgets are
charged, caps strike and journals read as if it had been asked again; what was measured says that it was not
(``cached``), and `CacheTally` what was saved. What was really paid is what was charged less what was saved.

With a scope that names block, arm and call (`engine.models.call_site`), no completion serves two of them, and a rerun
of the same study still finds its own. Without one, equal requests anywhere get one answer: right while developing,
wrong in a comparison, where draws must be independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import trio

from engine.models.cache_store import CacheStore
from engine.models.call_site import CallSite, at_site
from engine.models.errors import (
    ContextOverflow,
    ModelCallError,
    Rejected,
    error_from_record,
    failure_record,
)
from engine.models.fingerprint import fingerprint
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    CallMeasured,
    Completion,
    Conversation,
    Model,
    Settings,
    Tool,
)

KEY_VERSION: Final = 1
"""Raised when equal keys stop meaning equal requests."""
MAX_FAILED_FLIGHTS: Final = 2
"""Calls of others that a waiting one sees fail before it fails with the last of them."""
_REFUSED_AGAIN: Final = (Rejected, ContextOverflow)
"""The same request would fail in the same way: who waits for it fails along, without asking."""


@dataclass(kw_only=True)
class CacheTally:
    """What a cache did so far.

    Attributes:
        hits: calls answered without asking.
        misses: calls that were asked.
        saved_usd: what the hits had cost when they were asked, where that is known.
        saved_tokens: input and output, of the hits.
    """

    hits: int = 0
    misses: int = 0
    saved_usd: float = 0.0
    saved_tokens: int = 0

    def add_hit(self, completion: Completion) -> None:
        """Count a call that was answered without asking."""
        self.hits += 1
        self.saved_usd += completion.cost_usd or 0.0
        self.saved_tokens += completion.usage.input_tokens + completion.usage.output_tokens


@dataclass(eq=False)
class _Flight:
    """A call under way, for those who wait for the same answer.

    Attributes:
        answer: once it is there.
        failure: once it failed; neither, once it is landed: it was cancelled.
        landed: set when one of them is, or none will be.
    """

    answer: Completion | None = None
    failure: ModelCallError | None = None
    landed: trio.Event = field(default_factory=trio.Event)


class CompletionCache:
    """A cache that several models share: where completions are kept, which calls are under way, what was saved.

    Args:
        store: where completions are kept.
        is_scoped: whether the place of a call (block, arm, member, ordinal) is part of its key.

    Attributes:
        tally: what it did so far.
    """

    def __init__(self, store: CacheStore, *, is_scoped: bool) -> None:
        self.is_scoped = is_scoped
        self.tally = CacheTally()
        self._store = store
        self._flights: dict[str, _Flight] = {}

    async def ask(
        self,
        key: str,
        model: Model,
        conversation: Conversation,
        *,
        tools: Sequence[Tool],
        settings: Settings,
    ) -> Answer:
        """The completion kept under a key, else the model's.

        A checkpoint. Of equal calls at once the first one asks. Where it fails or is cancelled, one of the waiting
        asks; where the request was refused for good, they fail along. Nothing is done in other tasks.

        Raises:
            ModelCallError: the call failed; failures are not kept.
            OutputUnusable: the cache is damaged.
        """
        asked = trio.current_time()
        failed = 0
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.answer is not None:
                return self._hit(flight.answer, waited=trio.current_time() - asked)
            if flight.failure is not None:
                failed += 1
                if failed >= MAX_FAILED_FLIGHTS or isinstance(flight.failure, _REFUSED_AGAIN):
                    raise error_from_record(failure_record(flight.failure), measured=_not_sent(asked))
        known = self._store.find(key)
        if known is not None:
            await trio.lowlevel.checkpoint()
            return self._hit(known, waited=trio.current_time() - asked)
        return await self._fly(key, model, conversation, tools, settings)

    async def _fly(
        self, key: str, model: Model, conversation: Conversation, tools: Sequence[Tool], settings: Settings
    ) -> Answer:
        flight = self._flights[key] = _Flight()
        self.tally.misses += 1
        try:
            answer = await model.generate(conversation, tools=tools, settings=settings)
            # Nothing is awaited between an answer and its keeping: what is paid for is not lost.
            flight.answer = answer.completion
            self._store.keep(key, answer.completion)
        except ModelCallError as error:
            flight.failure = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        return answer

    def _hit(self, completion: Completion, *, waited: float) -> Answer:
        self.tally.add_hit(completion)
        return Answer(completion, CallMeasured(attempts=0, waited_seconds=waited, cached=True))


class Cached:
    """A model that asks only what its cache does not hold.

    Args:
        model: who is asked.
        cache: shared with the other models of a study.
        endpoint: names where the model is served: equal names may be served in two places.
        at: where it is asked from; part of the key where the cache is scoped.
    """

    def __init__(
        self, model: Model, cache: CompletionCache, *, endpoint: str, at: CallSite | None = None
    ) -> None:
        self._model, self._cache, self._endpoint, self._site = model, cache, endpoint, at

    @property
    def name(self) -> str:
        """The inner model's name."""
        return self._model.name

    def at(self, site: CallSite) -> "Cached":
        """The same model and cache, asked from a place."""
        return Cached(at_site(self._model, site), self._cache, endpoint=self._endpoint, at=site)

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """The completion in the cache, else the inner model's. See `CompletionCache.ask`."""
        key = completion_key(
            self.name,
            conversation,
            endpoint=self._endpoint,
            tools=tools,
            settings=settings,
            scope=self._site if self._cache.is_scoped else None,
        )
        return await self._cache.ask(key, self._model, conversation, tools=tools, settings=settings)


def completion_key(
    model: str,
    conversation: Conversation,
    *,
    endpoint: str,
    tools: Sequence[Tool],
    settings: Settings,
    scope: CallSite | None,
) -> str:
    """SHA-256 (hex) of everything that a completion follows from, and of the scope that may share it."""
    place = [] if scope is None else [scope]
    return fingerprint(KEY_VERSION, model, endpoint, conversation, list(tools), settings, place)


def _not_sent(asked: float) -> CallMeasured:
    return CallMeasured(attempts=0, waited_seconds=trio.current_time() - asked)


class CacheUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a run used a cache, as its record tells of it."""

    folder: str
    is_scoped: bool
    """Whether block, arm and call were part of the keys. Where not, completions were shared between seeds and arms."""
    hits: int = 0
    """Calls that were not asked, and cost nothing in this run."""
    misses: int = 0
    saved_usd: float = 0.0
    """What the hits had cost; the run's spending counts it, since budgets are charged as if they had been asked."""
    saved_tokens: int = 0
