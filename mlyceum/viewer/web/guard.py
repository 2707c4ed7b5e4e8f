"""Who may ask, and what a browser may do with the answer: every request and every response passes here.

A page of another site cannot read a study: not by a name of its own that leads to this port (the ``Host`` is checked),
not by a script or frame of its own (``Origin``, ``Sec-Fetch-Site``), and off loopback not without the token. A text of
an agent cannot run: no script but ours is allowed, none inline, and nothing is asked of another server.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

Scope: TypeAlias = MutableMapping[str, Any]  # ASGI's own shape
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE = "mlyceum-view"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """An ASGI application around another.

    Args:
        app: what answers those who may ask.
        names: hosts by which it may be asked for, without port.
        any_address: whether any IP address is such a host (a numeric address cannot be a foreign site's name).
        token: what must be known; None: nothing.
    """

    def __init__(
        self,
        app: App,
        *,
        names: Iterable[str] = LOOPBACK_NAMES,
        any_address: bool = False,
        token: str | None = None,
    ) -> None:
        self._app, self._any_address, self._token = app, any_address, token
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say in a sentence why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _say(send_with_headers, *refusal)
        elif (away := self._without_token(scope)) is not None:
            await _say(send_with_headers, 303, "", *away)
        elif self._token is None or self._knows_token(headers):
            await self._app(scope, receive, send_with_headers)
        else:
            sentence = "needs the token that `mlyceum view` printed: open the address as it was printed"
            await _say(send_with_headers, 401, sentence)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "this viewer only reads: GET and HEAD"
        host = headers.get("host", "")
        if not self._is_ours(host_name(host)):
            return 403, "asked for by a host name that is not this viewer's; add it with --allow-host"
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return 403, "asked for by a page of another site"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and (
            headers.get("sec-fetch-mode") != "navigate"
            or headers.get("sec-fetch-dest") not in ("document", None)
        ):
            return 403, "asked for by a page of another site"
        return None

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        if self._any_address:
            try:
                ipaddress.ip_address(name)
            except ValueError:
                return False
            return True
        return False

    def _knows_token(self, headers: dict[str, str]) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        bearer = headers.get("authorization", "")
        said = [cookie.value if cookie is not None else "", bearer.removeprefix("Bearer ")]
        return any(self._is_token(each) for each in said)

    def _is_token(self, said: str) -> bool:
        return self._token is not None and hmac.compare_digest(said.encode(), self._token.encode())

    def _without_token(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...] | None:
        """The way on for an address that holds the token: into a cookie, so that no address holds it any longer."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(self._is_token(value) for name, value in query if name == "token"):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # One leading slash: a path that begins with two would name another host.
        path = "/" + scope.get("raw_path", b"/").decode("latin-1").partition("?")[0].lstrip("/")
        location = f"{path}?{rest}" if rest else path
        cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        return (b"location", location.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))


def host_name(host: str) -> str:
    """The name in a ``Host`` header: lower case, without port and brackets."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if name.count(":") == 1 else name


def make_token() -> str:
    """A fresh secret."""
    return secrets.token_urlsafe(24)


async def _say(send: Send, status: int, sentence: str, *more: tuple[bytes, bytes]) -> None:
    body = f"{sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
