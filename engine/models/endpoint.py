"""Endpoints as data, and the one place where keys and base URLs are read from the environment."""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from engine.errors import BadSpecification, UnknownName
from engine.models.dialect import DialectName
from engine.models.errors import KeyMissing
from engine.models.secret import Secret, is_sendable

if TYPE_CHECKING:
    import httpx  # late below: offline runs need no client, and it takes as long to import as the rest

BASE_URL_VARIABLE = "MLYCEUM_BASE_URL"
"""Environment variable that overrides the base URL of every endpoint."""

ENDPOINTS_VARIABLE = "MLYCEUM_ENDPOINTS"
"""Environment variable that names a user's file of endpoints."""

_TABLE = Path(__file__).with_name("endpoints.toml")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where models are asked, in which dialect, and with which quirks.

    Attributes:
        name: the part of a model's name before the slash.
        base_url: up to and without the path that the dialect adds (``/chat/completions`` …).
        dialect: the wire format.
        streams: ask for answers in pieces. Slow answers then show that they are alive, and a dead connection
            is noticed after `Timeouts.read`; each piece takes time of ours, which counts where hundreds of calls
            run at once.
        priced_as: the provider under which the price table knows its models, where that is another one.
        headers: sent with every request; no keys here.
        base_url_env: environment variable that overrides ``base_url``, where custom knows one.
        key_env: environment variable that holds the key; None where no key is ever sent.
        is_key_optional: the endpoint may run without a key (each may where its base URL is overridden).
        is_free_on_loopback: calls cost nothing where the server is on this machine.
        max_tokens_field: what the endpoint calls `Settings.max_tokens`.
        sends_seed: whether `Settings.seed` is sent.
        default_max_tokens: sent where `Settings.max_tokens` does not say, by dialects that require it.
        response_format: how a `Settings.response_schema` is asked for: as it is, as "some JSON object" with the
            schema in the instructions, or by the instructions alone.
        reasoning_effort_as: where `Settings.reasoning_effort` goes: a field of its own, an ``effort`` in a
            ``reasoning`` object, or nowhere.
        caches_prompts: mark prompts for the endpoint's cache, in dialects where nothing is cached without a mark.
        reasoning_back_as: the field of an assistant message in which its reasoning goes back; None where it
            does not (some endpoints refuse it).
        max_concurrency: calls in flight at once, where a caller does not say.
        extra_body: JSON object (text) merged into every request.
        input_usd_per_million: price of input tokens of every model here; the price table goes first.
        output_usd_per_million: price of output tokens.
        cached_input_usd_per_million: price of input read from the cache; None: as other input.
    """

    name: str
    base_url: str
    dialect: DialectName = "openai-chat"
    streams: bool = False
    priced_as: str | None = None
    headers: dict[str, str] = {}
    base_url_env: str | None = None
    key_env: str | None = None
    is_key_optional: bool = False
    is_free_on_loopback: bool = False
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    sends_seed: bool = True
    default_max_tokens: Annotated[int, msgspec.Meta(ge=1)] = 16384
    response_format: Literal["json_schema", "json_object", "instructions"] = "json_schema"
    reasoning_effort_as: Literal["reasoning_effort", "reasoning", "nothing"] = "reasoning_effort"
    reasoning_back_as: Literal["reasoning_content", "reasoning", "reasoning_details"] | None = None
    caches_prompts: bool = False
    max_concurrency: Annotated[int, msgspec.Meta(ge=1)] = 16
    extra_body: str = "{}"
    input_usd_per_million: Annotated[float, msgspec.Meta(ge=0)] | None = None
    output_usd_per_million: Annotated[float, msgspec.Meta(ge=0)] | None = None
    cached_input_usd_per_million: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with what this machine's environment says about it.

    Attributes:
        base_url: where requests go; never carries credentials.
        key: None where none is sent.
        is_loopback: whether the server is on this machine.
    """

    endpoint: Endpoint
    base_url: str
    key: Secret | None
    is_loopback: bool


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: tuple[Endpoint, ...]


@cache
def default_endpoints() -> tuple[Endpoint, ...]:
    """The endpoints that ship (``endpoints.toml``)."""
    return load_endpoints(_TABLE)


def load_endpoints(path: Path) -> tuple[Endpoint, ...]:
    """The endpoints of a TOML file: tables ``[[endpoint]]`` with the fields of `Endpoint`.

    Raises:
        BadSpecification: the file cannot be read, or a table is not an endpoint.
    """
    try:
        endpoints = msgspec.toml.decode(path.read_bytes(), type=_Table).endpoint
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        fault = f"not a file of endpoints ({error}); each [[endpoint]] needs name and base_url"
        raise BadSpecification(str(path), fault) from error
    for endpoint in endpoints:
        _check(endpoint, str(path))
    return endpoints


def known_endpoints(environ: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """The shipped endpoints with those of the file that ``MLYCEUM_ENDPOINTS`` names put over and beside them.

    Raises:
        BadSpecification: that file cannot be read, or is not one of endpoints.
    """
    path = environ.get(ENDPOINTS_VARIABLE)
    users = load_endpoints(Path(path).expanduser()) if path else ()
    return tuple({endpoint.name: endpoint for endpoint in (*default_endpoints(), *users)}.values())


def find_endpoint(
    name: str, endpoints: Iterable[Endpoint] | None = None, *, environ: Mapping[str, str] | None = None
) -> Endpoint:
    """The endpoint of that name.

    Args:
        name: the part of a model's name before the slash.
        endpoints: where to look; by default `known_endpoints`.
        environ: instead of the process's environment.

    Raises:
        UnknownName: there is none.
        BadSpecification: the user's file of endpoints is unusable.
    """
    known = endpoints or known_endpoints(os.environ if environ is None else environ)
    table = {endpoint.name: endpoint for endpoint in known}
    if name not in table:
        raise UnknownName("model provider", name, table)
    return table[name]


def _check(endpoint: Endpoint, where: str) -> None:
    """What the types cannot say."""
    where = f"{where}: endpoint {endpoint.name}"
    if not endpoint.name or "/" in endpoint.name:
        raise BadSpecification(where, "a name is the part before the slash; give it one without a slash")
    try:
        msgspec.json.decode(endpoint.extra_body, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise BadSpecification(where, f"extra_body is not a JSON object: {error}") from error
    _checked_url(endpoint.base_url, where)


def connect(endpoint: Endpoint, *, base_url: str | None, environ: Mapping[str, str]) -> Connection:
    """Where to send requests and with which key.

    The base URL is `base_url`, else ``MLYCEUM_BASE_URL``, else the endpoint's own variable, else its own.

    Raises:
        BadSpecification: the base URL is not an http(s) URL, or carries a password.
        KeyMissing: the key is required and not set, or holds what no header can carry.
    """
    where, override = _overriding_url(endpoint, base_url, environ)
    url = _checked_url(override if override is not None else endpoint.base_url, where)
    return Connection(
        endpoint=endpoint,
        base_url=str(url).rstrip("/"),
        key=_key(endpoint, environ, is_optional=endpoint.is_key_optional or override is not None),
        is_loopback=_is_loopback(url.host),
    )


def _overriding_url(
    endpoint: Endpoint, base_url: str | None, environ: Mapping[str, str]
) -> tuple[str, str | None]:
    """Who says the base URL, and what; None where nobody overrides it."""
    if base_url is not None:
        return "base_url", base_url
    for variable in (BASE_URL_VARIABLE, endpoint.base_url_env):
        if variable is not None and environ.get(variable):
            return variable, environ[variable]
    return f"endpoint {endpoint.name}", None


def _checked_url(text: str, where: str) -> "httpx.URL":
    import httpx

    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise BadSpecification(where, "not a URL; give one like http://127.0.0.1:8000/v1") from error
    if url.userinfo or url.query or url.fragment:
        # The text is not repeated: it may hold a password.
        raise BadSpecification(where, "must have no user, query or fragment; put keys into the environment")
    if url.scheme not in {"http", "https"} or not url.host:
        raise BadSpecification(
            where, f"{text!r} is not an http(s) URL; give one like http://127.0.0.1:8000/v1"
        )
    return url


def _key(endpoint: Endpoint, environ: Mapping[str, str], *, is_optional: bool) -> Secret | None:
    if endpoint.key_env is None:
        return None
    value = environ.get(endpoint.key_env, "").strip()
    if not value:
        if is_optional:
            return None
        raise KeyMissing(endpoint.key_env, endpoint=endpoint.name)
    if not is_sendable(value):
        raise KeyMissing(endpoint.key_env, endpoint=endpoint.name, fault="holds characters that no key has")
    return Secret(value, source=endpoint.key_env)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
