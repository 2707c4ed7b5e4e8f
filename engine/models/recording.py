"""A model whose calls are written down: every request, answer and failure, as lines of JSON, to be replayed.

Journals hold the calls of episodes already; this is for calls that are made outside of them (a prompt that is being
tried out, a foreign agent), and for what a journal leaves out (the schemas of tools, what failed and was tried again).
A conversation is written once: a call names the one whose messages it goes on from, and what is new. A request is
written before it is sent, so that one without an outcome is one that nobody saw the end of.
"""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from engine.errors import BadSpecification, OutputUnusable, RecordDamaged
from engine.models.call_site import CallSite, at_site
from engine.models.errors import FailureRecord, ModelCallError, failure_record
from engine.models.fingerprint import fingerprint, prefix_fingerprints, request_fingerprint
from engine.models.interface import (
    DEFAULT_SETTINGS,
    Answer,
    CallMeasured,
    Completion,
    Conversation,
    Message,
    Model,
    Settings,
    Tool,
)
from engine.models.replaying import RecordedCall, Replaying
from engine.models.secret import Secret

RECORDING_VERSION: Final = 1
DEFAULT_BYTES: Final = 1 << 30
"""What a recording may grow to."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every line; the tag is the class's name."""


class Begun(_Line, frozen=True, tag=True):
    """First line."""

    version: int


class Offered(_Line, frozen=True, tag=True):
    """A tool, where it is offered for the first time."""

    tool: Tool
    digest: str


class Asked(_Line, frozen=True, tag=True):
    """A request, before it is sent."""

    number: int
    """From 1."""
    model: str
    new: tuple[Message, ...]
    """What comes after the messages that are kept."""
    settings: Settings
    request: str
    """Fingerprint of the whole request, as it was before keys were redacted."""
    site: CallSite | None = None
    after: int = 0
    """The call whose conversation, answer included, it begins as; 0: none."""
    keep: int = 0
    """How many messages of that it keeps."""
    tools: tuple[str, ...] = ()
    """Digests of the tools offered."""


class Answered(_Line, frozen=True, tag=True):
    """The model answered."""

    number: int
    completion: Completion
    measured: CallMeasured


class CallFailed(_Line, frozen=True, tag=True):
    """The call failed."""

    number: int
    failure: FailureRecord
    measured: CallMeasured


class Full(_Line, frozen=True, tag=True):
    """Last line of a recording that has grown to its bound: what came after is not in it."""


AnyLine: TypeAlias = Begun | Offered | Asked | Answered | CallFailed | Full

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyLine] = msgspec.json.Decoder(AnyLine)


class CallRecorder:
    """An open recording. Made by `open_recorder`; shared by several models.

    Args:
        file: descriptor, opened for appending.
        path: of the file.
        secrets: keys that must not be written, wherever they stand.
        max_bytes: beyond which nothing more is recorded; calls go on.

    Attributes:
        is_full: whether the bound was met.
    """

    def __init__(self, file: int, path: Path, *, secrets: Iterable[Secret], max_bytes: int) -> None:
        self._file, self._path = file, path
        self._secrets, self._left = tuple(secrets), max_bytes
        self.is_full = False
        self._calls = 0
        self._offered: set[str] = set()
        self._talks: dict[str, int] = {}
        """By the fingerprint of a conversation's beginning: a call whose conversation begins so."""
        self._failure: OutputUnusable | None = None
        self._write(Begun(version=RECORDING_VERSION))

    def asked(
        self,
        model: str,
        conversation: Conversation,
        *,
        tools: Sequence[Tool],
        settings: Settings,
        site: CallSite | None,
    ) -> int:
        """Write a request down.

        Returns:
            The number of the call.

        Raises:
            OutputUnusable: the file cannot be written, now or at the last outcome.
        """
        if self._failure is not None:
            raise self._failure
        self._calls += 1
        chain = prefix_fingerprints(conversation)
        keep = next((n for n in range(len(conversation), 0, -1) if chain[n] in self._talks), 0)
        request = Asked(
            number=self._calls,
            model=model,
            site=site,
            after=self._talks[chain[keep]] if keep else 0,
            keep=keep,
            new=conversation[keep:],
            tools=tuple(self._offer(tool) for tool in tools),
            settings=settings,
            request=request_fingerprint(conversation, tools=[tool.name for tool in tools], settings=settings),
        )
        self._write(request)
        self._talks[chain[-1]] = self._calls
        return self._calls

    def answered(self, number: int, conversation: Conversation, answer: Answer) -> None:
        """Write an answer down. A fault of the file is told of by the next call: this one has been paid for."""
        line = Answered(number=number, completion=answer.completion, measured=answer.measured)
        chain = prefix_fingerprints((*conversation, answer.completion.message))
        self._talks[chain[-1]] = number
        self._write_later(line)

    def failed(self, number: int, error: ModelCallError) -> None:
        """Write a failure down."""
        self._write_later(CallFailed(number=number, failure=failure_record(error), measured=error.measured))

    def _offer(self, tool: Tool) -> str:
        digest = fingerprint(tool)[:16]
        if digest not in self._offered:
            self._write(Offered(tool=tool, digest=digest))
            self._offered.add(digest)
        return digest

    def _write_later(self, line: AnyLine) -> None:
        try:
            self._write(line)
        except OutputUnusable as error:
            self._failure = error

    def _write(self, line: AnyLine) -> None:
        if self.is_full:
            return
        encoded = _encoder.encode(line)
        for secret in self._secrets:
            encoded = secret.redact(encoded)
        if len(encoded) + 1 > self._left:
            self.is_full = True
            encoded = _encoder.encode(Full())
        content = encoded + b"\n"
        self._left -= len(content)
        try:
            while content:
                content = content[os.write(self._file, content) :]
        except OSError as error:
            self._failure = OutputUnusable(
                f"cannot write the recording {self._path}: {error.strerror or error}; free some space"
            )
            raise self._failure from error


@contextmanager
def open_recorder(
    path: Path, *, secrets: Iterable[Secret] = (), max_bytes: int = DEFAULT_BYTES
) -> Generator[CallRecorder]:
    """A new recording.

    Args:
        path: of the file; there must be none.
        secrets: keys that must not be written, wherever they stand.
        max_bytes: what it may grow to.

    Raises:
        BadSpecification: `max_bytes` is no size.
        OutputUnusable: there is such a file, or it cannot be written.
    """
    if max_bytes < 1:
        raise BadSpecification("max_bytes", f"{max_bytes} is no size; give 1 or more")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise OutputUnusable(f"{path} is there already; name a new file for the recording") from error
    except OSError as error:
        raise OutputUnusable(f"cannot write {path}: {error.strerror or error}; name another file") from error
    try:
        yield CallRecorder(file, path, secrets=secrets, max_bytes=max_bytes)
    finally:
        os.close(file)


class Recorded:
    """A model whose calls are written down.

    Args:
        model: who is asked.
        recorder: where to; may be shared.
        at: where it is asked from.
    """

    def __init__(self, model: Model, recorder: CallRecorder, *, at: CallSite | None = None) -> None:
        self._model, self._recorder, self._site = model, recorder, at

    @property
    def name(self) -> str:
        """The inner model's name."""
        return self._model.name

    def at(self, site: CallSite) -> "Recorded":
        """The same model and recording, asked from a place."""
        return Recorded(at_site(self._model, site), self._recorder, at=site)

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings = DEFAULT_SETTINGS
    ) -> Answer:
        """The inner model's answer (or failure), which is then on record.

        A cancelled call stays without an outcome there.

        Raises:
            ModelCallError: as the inner model.
            OutputUnusable: the recording cannot be written; nothing is asked then.
        """
        number = self._recorder.asked(
            self.name, conversation, tools=tools, settings=settings, site=self._site
        )
        try:
            answer = await self._model.generate(conversation, tools=tools, settings=settings)
        except ModelCallError as error:
            self._recorder.failed(number, error)
            raise
        self._recorder.answered(number, conversation, answer)
        return answer


def read_calls(path: Path) -> dict[str, tuple[RecordedCall, ...]]:
    """The calls of a recording, by the model's name, in the order in which they were begun.

    Raises:
        RecordDamaged: it cannot be read, or a line before the last is no line of one.
    """
    calls: dict[int, RecordedCall] = {}
    models: dict[int, str] = {}
    talks: dict[int, Conversation] = {}
    tools: dict[str, str] = {}
    for line in _lines(path):
        if isinstance(line, Answered | CallFailed) and line.number not in calls:
            raise RecordDamaged(f"{path}: call {line.number} has an outcome and was never made; restore it")
        match line:
            case Offered(tool=tool, digest=digest):
                tools[digest] = tool.name
            case Asked():
                conversation = (*talks.get(line.after, ())[: line.keep], *line.new)
                talks[line.number], models[line.number] = conversation, line.model
                calls[line.number] = RecordedCall(
                    where=f"{path}, call {line.number}" + (f" ({line.site})" if line.site else ""),
                    conversation=conversation,
                    tools=tuple(tools.get(digest, digest) for digest in line.tools),
                    settings=line.settings,
                    outcome=None,
                    request=line.request,
                    site=line.site,
                )
            case Answered():
                talks[line.number] = (*talks[line.number], line.completion.message)
                calls[line.number] = _ended(calls[line.number], line.completion)
            case CallFailed():
                calls[line.number] = _ended(calls[line.number], line.failure)
            case Begun() | Full():
                pass
    by_model: dict[str, list[RecordedCall]] = {}
    for number, call in calls.items():
        by_model.setdefault(models[number], []).append(call)
    return {name: tuple(known) for name, known in by_model.items()}


def replaying_models(path: Path) -> dict[str, Replaying]:
    """The models of a recording, by name, each answering from it.

    Raises:
        RecordDamaged: it cannot be read.
    """
    return {
        name: Replaying(name, source=str(path), calls=_answerable(calls))
        for name, calls in read_calls(path).items()
    }


def _answerable(calls: Iterable[RecordedCall]) -> list[RecordedCall]:
    """Without calls that nobody saw the end of: what was asked again then has its answer further on."""
    return [call for call in calls if call.outcome is not None or call.site is not None]


def _ended(call: RecordedCall, outcome: Completion | FailureRecord) -> RecordedCall:
    return RecordedCall(
        where=call.where,
        conversation=call.conversation,
        tools=call.tools,
        settings=call.settings,
        outcome=outcome,
        request=call.request,
        site=call.site,
    )


def _lines(path: Path) -> Generator[AnyLine]:
    """Every whole line; a last one that is torn counts as never written."""
    try:
        with path.open("rb") as file:
            for number, encoded in enumerate(file, start=1):
                if not encoded.endswith(b"\n"):
                    return
                line = _decoder.decode(encoded)
                if isinstance(line, Begun) and line.version > RECORDING_VERSION:
                    raise RecordDamaged(
                        f"{path}: version {line.version}, and this program reads up to {RECORDING_VERSION}; "
                        "use the later program that wrote it"
                    )
                if number == 1 and not isinstance(line, Begun):
                    raise RecordDamaged(f"{path} is no recording of model calls; name one that is")
                yield line
    except OSError as error:
        raise RecordDamaged(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # a `DecodeError` is one, and so is a bad encoding
        raise RecordDamaged(f"{path} is no recording of model calls, or damaged: {error}") from error
