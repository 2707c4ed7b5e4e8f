"""Server-sent events (WHATWG HTML, section 9.2), read from bytes in pieces of any size, with a bound on each event."""


class EventTooLong(Exception):
    """Raised when an event holds more bytes than allowed."""


class EventSplitter:
    """Cuts a stream into events. Line ends may be CR LF, LF or CR; comments and unknown fields are skipped.

    Args:
        max_event_bytes: of one line, and of the data of one event.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._unfinished = bytearray()
        self._ends_in_cr = False
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        """The events that this piece completes: field ``event`` (empty where it has none) and joined data.

        Raises:
            EventTooLong: a line or an event is beyond the bound; the splitter is of no more use.
        """
        events: list[tuple[str, bytes]] = []
        for line in self._lines(piece):
            if line:
                self._take(line)
            elif self._data:
                events.append((self._event, b"\n".join(self._data)))
                self._event, self._data, self._size = "", [], 0
            else:
                self._event = ""
        return events

    def _lines(self, piece: bytes) -> list[bytes]:
        if self._ends_in_cr and piece.startswith(b"\n"):
            piece = piece[1:]  # the second half of a line end that was cut in two
        if piece:
            self._ends_in_cr = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = piece.split(b"\n")
        if lines and self._unfinished:
            lines[0] = bytes(self._unfinished) + lines[0]
            self._unfinished.clear()
        self._unfinished += rest
        if len(self._unfinished) > self._limit:
            raise EventTooLong
        return lines

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value)
            if self._size > self._limit:
                raise EventTooLong
            self._data.append(value)
        elif name == b"event":
            self._event = value[:100].decode(errors="replace")
