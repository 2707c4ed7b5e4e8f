"""The addresses of the viewer. Every page is the same shell; what it shows comes as JSON from below ``/api``.

::

    /                                studies           /api/studies
    /s/STUDY                         overview          /api/s/STUDY
    /s/STUDY/episodes?…              list              /api/s/STUDY/episodes
    /s/STUDY/compare?…               side by side      /api/s/STUDY/arms, /api/s/STUDY/together
    /s/STUDY/e/EPISODE#node-3        one episode       /api/s/STUDY/e/EPISODE, …/timeline, …/node/N, …/entry?key=
                                     whole texts       /raw/s/STUDY/e/EPISODE/text, /raw/s/STUDY/content|diff
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import TypeVar

import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from engine.errors import EngineError
from engine.messages import ArtefactHash
from mlyceum.viewer.web import episode_pages, study_pages
from mlyceum.viewer.web.bounded import text_at
from mlyceum.viewer.web.catalogue import SORTS, Filter
from mlyceum.viewer.web.inside import NotServed, read_content
from mlyceum.viewer.web.recordings import Recordings
from mlyceum.viewer.web.studies import Studies
from mlyceum.viewer.web.timeline import Choice, timeline_page
from mlyceum.viewer.web.visible import visible_all

T = TypeVar("T")
THREADS = 4
"""Documents made at once; each holds what one page needs."""
WHOLE_TEXTS = 1
"""Read at once: a text may be as large as a line of a journal."""
CHUNK_CHARACTERS = 1 << 18
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}
_SHELL = "index.html"


class _Static:
    """A file that ships with the viewer, and the tag by which a browser knows that it has it already."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'


class Viewer:
    """Answers for one folder.

    Args:
        studies: what is served.
    """

    def __init__(self, studies: Studies) -> None:
        self._studies, self._recordings = studies, Recordings()
        self._documents = trio.CapacityLimiter(THREADS)
        self._texts = trio.CapacityLimiter(WHOLE_TEXTS)
        self._static = {
            path.name: _Static(path.read_bytes())
            for path in files("mlyceum.viewer.web").joinpath("static").iterdir()
            if path.name[path.name.rfind(".") :] in _TYPES
        }

    def application(self) -> Starlette:
        """The addresses, without a guard around them."""
        episode = "/s/{study}/e/{episode}"
        shells = ("/", "/s/{study}", "/s/{study}/episodes", "/s/{study}/compare", episode)
        application = Starlette(
            routes=[
                *(Route(path, self.shell, methods=["GET"]) for path in shells),
                Route("/static/{name}", self.static, methods=["GET"]),
                Route("/favicon.ico", self.icon, methods=["GET"]),
                Route("/api/studies", self.studies, methods=["GET"]),
                Route("/api/s/{study}", self.overview, methods=["GET"]),
                Route("/api/s/{study}/episodes", self.episodes, methods=["GET"]),
                Route("/api/s/{study}/arms", self.arms, methods=["GET"]),
                Route("/api/s/{study}/together", self.together, methods=["GET"]),
                Route(f"/api{episode}", self.episode, methods=["GET"]),
                Route(f"/api{episode}/timeline", self.timeline, methods=["GET"]),
                Route(f"/api{episode}/node/{{node:int}}", self.node, methods=["GET"]),
                Route(f"/api{episode}/entry", self.entry, methods=["GET"]),
                Route(f"/raw{episode}/text", self.text, methods=["GET"]),
                Route("/raw/s/{study}/content/{digest}", self.content, methods=["GET"]),
                Route("/raw/s/{study}/diff/{base}/{artefact}", self.diff, methods=["GET"]),
            ],
            exception_handlers={NotServed: _not_served, EngineError: _failed},
        )
        application.router.redirect_slashes = False
        return application

    async def shell(self, request: Request) -> Response:
        """The page that every address of a person opens; it holds nothing of a study."""
        return self._file(request, _SHELL)

    async def static(self, request: Request) -> Response:
        """A file that ships with the viewer."""
        return self._file(request, request.path_params["name"])

    async def icon(self, request: Request) -> Response:
        """The picture in a browser's tab."""
        return self._file(request, "icon.svg")

    def _file(self, request: Request, name: str) -> Response:
        file = self._static.get(name)
        if file is None:
            raise NotServed("no such file")
        headers = {"cache-control": "no-cache", "etag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=_TYPES[name[name.rfind(".") :]], headers=headers)

    async def studies(self, request: Request) -> Response:
        """A page of studies."""
        offset = _whole(request, "offset")
        return await self._json(request, lambda: study_pages.study_list(self._studies, offset))

    async def overview(self, request: Request) -> Response:
        """A study at a glance."""
        study = request.path_params["study"]
        return await self._json(request, lambda: study_pages.overview(self._studies, self._recordings, study))

    async def episodes(self, request: Request) -> Response:
        """A page of episodes."""
        asked = request.query_params
        chosen = Filter(
            task=asked.get("task", ""),
            arm=asked.get("arm", ""),
            outcome=asked.get("outcome", ""),
            text=asked.get("q", "")[:200],
        )
        sort = asked.get("sort", "episode")
        study, offset, descending = request.path_params["study"], _whole(request, "offset"), "desc" in asked
        return await self._json(
            request,
            lambda: study_pages.episode_list(
                self._studies,
                study,
                chosen,
                sort=sort if sort in SORTS else "episode",
                descending=descending,
                offset=offset,
            ),
        )

    async def arms(self, request: Request) -> Response:
        """Arms side by side."""
        study, task = request.path_params["study"], request.query_params.get("task", "")
        arms = tuple(request.query_params.getlist("arm"))
        return await self._json(request, lambda: study_pages.arm_comparison(self._studies, study, task, arms))

    async def together(self, request: Request) -> Response:
        """Episodes side by side."""
        study, names = request.path_params["study"], request.query_params.getlist("e")
        return await self._json(
            request, lambda: episode_pages.together(self._studies, self._recordings, study, names)
        )

    async def episode(self, request: Request) -> Response:
        """An episode at a glance."""
        study, name = _names(request)
        return await self._json(
            request, lambda: episode_pages.episode_head(self._studies, self._recordings, study, name)
        )

    async def timeline(self, request: Request) -> Response:
        """A page of an episode's timeline."""
        study, name = _names(request)
        asked = request.query_params
        choice = Choice(
            kinds=tuple(asked.getlist("kind")),
            member=asked.get("member", ""),
            node=_whole(request, "node") if "node" in asked else None,
            text=asked.get("q", "")[:200],
        )
        first = _whole(request, "first") if "first" in asked else None
        after = _whole(request, "after") if "after" in asked else None
        around = asked.get("around", "")
        return await self._json(
            request,
            lambda: timeline_page(
                self._recordings.open(self._studies.folder(study), name).snapshot(),
                choice,
                first=first,
                after=after,
                around=around,
            ),
        )

    async def node(self, request: Request) -> Response:
        """One node in full."""
        study, name = _names(request)
        number = request.path_params["node"]
        return await self._json(
            request, lambda: episode_pages.node_page(self._studies, self._recordings, study, name, number)
        )

    async def entry(self, request: Request) -> Response:
        """One message, effect or decision in full."""
        study, name = _names(request)
        key = request.query_params.get("key", "")
        return await self._json(
            request,
            lambda: episode_pages.line_page(self._recordings.open(self._studies.folder(study), name), key),
        )

    async def text(self, request: Request) -> Response:
        """A whole text of a journal, as text."""
        study, name = _names(request)
        order, at = _whole(request, "order"), request.query_params.get("at", "")

        def find() -> str:
            recording = self._recordings.open(self._studies.folder(study), name)
            text = text_at(recording.line(order), at)
            if text is None:
                raise NotServed(f"line {order} has no text at {at[:200]!r}")
            return text

        return _text(await trio.to_thread.run_sync(find, limiter=self._texts, abandon_on_cancel=True))

    async def content(self, request: Request) -> Response:
        """A file of an archived artefact, as text whatever it is."""
        study, digest = request.path_params["study"], request.path_params["digest"]

        def find() -> str:
            return read_content(self._studies.folder(study), digest).decode("utf-8", "replace")

        return _text(await trio.to_thread.run_sync(find, limiter=self._texts, abandon_on_cancel=True))

    async def diff(self, request: Request) -> Response:
        """A whole diff between two archived artefacts, as text."""
        study, asked = request.path_params["study"], request.path_params
        base, artefact = ArtefactHash(asked["base"]), ArtefactHash(asked["artefact"])

        def find() -> str:
            return episode_pages.archived_diff(self._studies.folder(study), base, artefact)[0]

        return _text(await trio.to_thread.run_sync(find, limiter=self._texts, abandon_on_cancel=True))

    async def _json(self, request: Request, make: Callable[[], msgspec.Struct]) -> Response:
        """A document, made in a thread; 204 where the asker knows it already."""
        known = request.query_params.get("known")

        def answer() -> bytes | None:
            document = make()
            if known is not None and getattr(document, "version", None) == known:
                return None
            return msgspec.json.encode(visible_all(msgspec.to_builtins(document)))

        # Of the machine: tells whoever measures how long a page took.
        began = time.perf_counter()
        content = await trio.to_thread.run_sync(answer, limiter=self._documents, abandon_on_cancel=True)
        took = f"app;dur={(time.perf_counter() - began) * 1000:.1f}"
        headers = {"cache-control": "no-store", "server-timing": took}
        if content is None:
            return Response(status_code=204, headers=headers)
        return Response(content, media_type="application/json", headers=headers)


def _names(request: Request) -> tuple[str, str]:
    return request.path_params["study"], request.path_params["episode"]


def _whole(request: Request, name: str) -> int:
    """A number that is not negative from the query; 0 where it is none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else 0


def _text(text: str) -> Response:
    headers = {"cache-control": "no-store", "content-disposition": "inline"}
    return StreamingResponse(_pieces(text), media_type="text/plain; charset=utf-8", headers=headers)


async def _pieces(text: str) -> AsyncIterator[bytes]:
    for begin in range(0, max(1, len(text)), CHUNK_CHARACTERS):
        yield text[begin : begin + CHUNK_CHARACTERS].encode("utf-8", "replace")
        await trio.lowlevel.checkpoint()


async def _not_served(request: Request, error: Exception) -> Response:  # noqa: ARG001 - starlette's shape
    return _error(404, str(error))


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001 - starlette's shape
    return _error(500, str(error))


def _error(status: int, sentence: str) -> Response:
    content = msgspec.json.encode(visible_all({"error": sentence}))
    return Response(
        content, status_code=status, media_type="application/json", headers={"cache-control": "no-store"}
    )
