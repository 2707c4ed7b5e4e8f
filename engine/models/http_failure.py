"""From an unsuccessful status, and what came with it, to the error that it means. Every dialect begins here.

What is quoted of an answer in a message is cut and cleaned.
"""

import re
from typing import cast

import msgspec

from engine.models.errors import ContextOverflow, ModelCallError, RateLimited, Rejected, Transient

_LONGEST_QUOTE = 400
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]+")
_OVERFLOW = re.compile(
    r"context.?length|context.?window|maximum context|context size|too many tokens|prompt is too long|"
    r"exceeds? the (available )?context|longer than the maximum|input token count|"
    r"exceeds? the maximum number of tokens",
    re.IGNORECASE,
)
_EMPTY_ACCOUNT = {
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
}
_MEANINGS: dict[int, tuple[type[ModelCallError], str]] = {
    401: (Rejected, "check the key"),
    402: (Rejected, "top up the account or use another key"),
    403: (Rejected, "check what the key may use"),
    404: (Rejected, "check the model's name and the base URL"),
    408: (Transient, "try again later"),
    409: (Transient, "try again later"),
    413: (ContextOverflow, "shorten the conversation"),
    425: (Transient, "try again later"),
    429: (RateLimited, "ask less at once, or later"),
    501: (Rejected, "use another endpoint"),
    505: (Rejected, "use another endpoint"),
}
"""What a status means unless the error's code says more. Of the others, 5xx may pass, the rest will not."""

STATUS_OF_CODE: dict[str, int] = {
    "authentication_error": 401,
    "billing_error": 402,
    "bad_gateway": 502,
    "context_length_exceeded": 413,
    "internal_error": 500,
    "invalid_api_key": 401,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "server_error": 500,
    "timeout_error": 408,
    "too_many_requests": 429,
}
"""The status that an error would have had, had it not come in the middle of a stream or under a success."""


def failure_of(
    status: int, body: bytes, *, model: str, retry_after_seconds: float | None = None
) -> ModelCallError:
    """The error that an unsuccessful status (and what came with it) means."""
    complaint, code = complaint_of(body)
    kind, advice = _classify(status, complaint, code)
    return kind(
        f"{model}: HTTP {status}{f': {complaint}' if complaint else ''}; {advice}",
        model=model,
        status=status,
        retry_after_seconds=retry_after_seconds,
    )


def failure_in_success(body: bytes, *, model: str) -> ModelCallError:
    """The error in a body or an event under a status of success: by the code that it names, else `Transient`."""
    complaint, code = complaint_of(body)
    status = int(code) if code.isdecimal() and 400 <= int(code) < 600 else STATUS_OF_CODE.get(code, 502)
    kind, advice = _classify(status, complaint, code)
    return kind(
        f"{model}: an error instead of an answer: {complaint or code or 'no reason given'}; {advice}",
        model=model,
        status=status,
    )


def quote(text: str) -> str:
    """Outside text, fit to stand in one of our sentences: one line, printable, cut."""
    return _UNPRINTABLE.sub(" ", text[: 2 * _LONGEST_QUOTE]).strip()[:_LONGEST_QUOTE]


def _classify(status: int, complaint: str, code: str) -> tuple[type[ModelCallError], str]:
    if code == "context_length_exceeded" or (status in {400, 422} and _OVERFLOW.search(complaint)):
        return _MEANINGS[413]
    if code in _EMPTY_ACCOUNT:
        return _MEANINGS[402]
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return Transient, "try again later"
    if status < 400:
        return Rejected, "redirects are not followed; set the base URL to where it leads"
    return Rejected, "change the request"


def complaint_of(body: bytes) -> tuple[str, str]:
    """Message and code of an error body, whatever form it has; either may be empty."""
    try:
        content: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return quote(body[: 4 * _LONGEST_QUOTE].decode(errors="replace")), ""
    if isinstance(content, list):  # Gemini puts its error into a list now and then
        content = next(iter(cast("list[object]", content)), None)
    error = _field(content, "error") or content
    if isinstance(error, str):
        return quote(error), ""
    message = _field(error, "message") or _field(error, "detail") or ""
    code = _field(error, "code") or _field(error, "type") or ""
    return quote(str(message)), quote(str(code))


def _field(content: object, name: str) -> object:
    return cast("dict[str, object]", content).get(name) if isinstance(content, dict) else None
