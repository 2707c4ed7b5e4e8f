"""Keys, kept out of everything that is printed, logged, recorded or copied."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

_HTTP_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
_SHORTEST_REDACTED = 8  # local servers take "x" or "none" as keys; replacing those would garble every answer


class Secret:
    """A key that shows where it came from and never what it is.

    Args:
        value: the key; visible ASCII without blanks.
        source: the environment variable it came from.
    """

    __slots__ = ("_source", "_value")

    def __init__(self, value: str, *, source: str) -> None:
        self._value, self._source = value, source

    def reveal(self) -> str:
        """The key itself, for the one line that sends it."""
        return self._value

    def redact(self, body: bytes) -> bytes:
        """The same bytes without the key: endpoints echo what they refuse."""
        if len(self._value) < _SHORTEST_REDACTED:
            return body
        return body.replace(self._value.encode(), b"[key]")

    def __repr__(self) -> str:
        return f"<key from {self._source}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never copied or pickled; read it from the environment again")


class _Redaction(logging.Filter):
    def __init__(self, key: Secret) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage().encode(errors="backslashreplace")
        redacted = self._key.redact(said)
        if redacted != said:
            record.msg, record.args = redacted.decode(errors="replace"), ()
        return True


@contextmanager
def redacted_logs(key: Secret | None) -> Generator[None, None, None]:
    """While the block lasts, what the HTTP libraries log does not show the key.

    They hide the header that we send; at level DEBUG they show what an endpoint's headers send back.
    """
    if key is None:
        yield
        return
    redaction = _Redaction(key)
    for name in _HTTP_LOGGERS:
        logging.getLogger(name).addFilter(redaction)
    try:
        yield
    finally:
        for name in _HTTP_LOGGERS:
            logging.getLogger(name).removeFilter(redaction)


def is_sendable(value: str) -> bool:
    """Whether a value can travel in a header: visible ASCII, not empty."""
    return bool(value) and all("!" <= character <= "~" for character in value)
