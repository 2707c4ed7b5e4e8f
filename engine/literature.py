"""Where published papers are looked up: the seam, and Semantic Scholar's catalogue behind it.

Off by default: an episode reaches the network only where its team is allowed to, and each search is on its record.
What a catalogue says is untrusted text: bounded, typed, and shown to a model as material.
"""

import os
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Protocol

import msgspec
import trio

from engine.effects import Paper
from engine.errors import EngineError
from engine.models.secret import Secret, is_sendable, redacted_logs

BASE_URL = "https://api.semanticscholar.org/graph/v1"
BASE_URL_VARIABLE = "MLYCEUM_SEMANTIC_SCHOLAR_URL"
KEY_VARIABLE = "SEMANTIC_SCHOLAR_API_KEY"
FIELDS = "title,year,authors,venue,abstract,citationCount,paperId"
MOST_PAPERS = 20
MOST_BYTES = 2 << 20
ABSTRACT_CHARACTERS = 2_000
TITLE_CHARACTERS = 300
SECONDS = 30.0
"""Of one search, waiting for another try included."""
ATTEMPTS = 3
TOO_MANY = 429
PAUSE_SECONDS = 2.0
"""Between tries, where the catalogue does not say."""


class LibraryError(EngineError):
    """Raised when a catalogue did not answer, or not with papers."""


class Library(Protocol):
    """A catalogue of papers."""

    async def search(self, query: str, *, most: int) -> tuple[Paper, ...]:
        """Papers on something, best match first.

        Raises:
            LibraryError: when there is no answer.
        """
        ...


class _Author(msgspec.Struct, frozen=True):
    name: str | None = None


class _Entry(msgspec.Struct, frozen=True):
    paperId: str | None = None  # noqa: N815 - the catalogue's name
    title: str | None = None
    year: int | None = None
    authors: tuple[_Author, ...] | None = None
    venue: str | None = None
    abstract: str | None = None
    citationCount: Annotated[int, msgspec.Meta(ge=0)] | None = None  # noqa: N815 - the catalogue's name


class _Page(msgspec.Struct, frozen=True):
    data: tuple[_Entry, ...] = ()


class SemanticScholar:
    """Semantic Scholar's Academic Graph, relevance search.

    Args:
        base_url: of the catalogue.
        key: sent where there is one; without it the catalogue's shared limits hold.
    """

    def __init__(self, *, base_url: str = BASE_URL, key: Secret | None = None) -> None:
        self._url, self._key = f"{base_url.rstrip('/')}/paper/search", key

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "SemanticScholar":
        """With the key and the address that the environment names, where it does."""
        known = os.environ if environ is None else environ
        key = known.get(KEY_VARIABLE, "")
        return cls(
            base_url=known.get(BASE_URL_VARIABLE, BASE_URL),
            key=Secret(key, source=KEY_VARIABLE) if is_sendable(key) else None,
        )

    async def search(self, query: str, *, most: int) -> tuple[Paper, ...]:
        """Papers on something, best match first.

        Raises:
            LibraryError: no answer within `SECONDS`, or none that can be read.
        """
        body: bytes | None = None
        with trio.move_on_after(SECONDS):
            body = await self._ask(query, most=max(1, min(most, MOST_PAPERS)))
        if body is None:
            raise LibraryError(
                f"the catalogue of papers gave no answer within {SECONDS:g} s; try again later"
            )
        try:
            page = msgspec.json.decode(body, type=_Page)
        except ValueError as error:
            raise LibraryError("the catalogue of papers answered with something else than papers") from error
        return tuple(_paper(entry) for entry in page.data[:most])

    async def _ask(self, query: str, *, most: int) -> bytes:
        import httpx  # late: most runs look nothing up, and its import is a third of a command's start

        headers = {"accept-encoding": "identity"}  # unpacked, an answer could be of any size
        if self._key is not None:
            headers["x-api-key"] = self._key.reveal()
        parameters: dict[str, str | int] = {"query": query, "limit": most, "fields": FIELDS}
        why = "no try was made"
        with redacted_logs(self._key):
            async with httpx.AsyncClient(timeout=SECONDS, headers=headers) as client:
                for attempt in range(1, ATTEMPTS + 1):
                    pause = PAUSE_SECONDS
                    try:
                        async with client.stream("GET", self._url, params=parameters) as response:
                            if response.status_code == 200:
                                return self._redacted(await _bounded(response.aiter_raw()))
                            why = f"status {response.status_code}"
                            if not (response.status_code == TOO_MANY or response.is_server_error):
                                break
                            pause = _seconds(response.headers.get("retry-after"))
                    except httpx.HTTPError as error:
                        why = type(error).__name__
                    if attempt < ATTEMPTS:
                        await trio.sleep(pause)
        raise LibraryError(f"the catalogue of papers did not answer ({why}); try again later")

    def _redacted(self, body: bytes) -> bytes:
        return body if self._key is None else self._key.redact(body)


async def _bounded(pieces: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for piece in pieces:
        body += piece
        if len(body) > MOST_BYTES:
            raise LibraryError(
                f"the catalogue of papers answered with more than {MOST_BYTES} bytes; ask for less"
            )
    return body


def _seconds(said: str | None) -> float:
    try:
        return min(SECONDS, max(0.0, float(said))) if said is not None else PAUSE_SECONDS
    except ValueError:
        return PAUSE_SECONDS


def _paper(entry: _Entry) -> Paper:
    names = [author.name for author in entry.authors or () if author.name]
    return Paper(
        title=(entry.title or "untitled")[:TITLE_CHARACTERS],
        year=entry.year,
        authors=tuple(name[:80] for name in names[:6]),
        venue=(entry.venue or "")[:120],
        abstract=(entry.abstract or "")[:ABSTRACT_CHARACTERS],
        citations=entry.citationCount or 0,
        identifier=(entry.paperId or "")[:80],
    )
