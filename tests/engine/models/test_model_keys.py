"""Keys: read once, sent where they belong, and seen nowhere else."""

import copy
import logging
import pickle
import traceback
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from model_server import ChatRequest, Reply, completion, echo, failure, open_model_server, raw_json

from engine.errors import BadSpecification, UnknownName, UserError
from engine.models import (
    KeyMissing,
    ModelCallError,
    Rejected,
    RetryPolicy,
    UserMessage,
    failure_record,
    open_model,
)
from engine.models.endpoint import connect, default_endpoints, find_endpoint
from engine.models.errors import error_from_record
from engine.models.secret import Secret

KEY = "sk-very-secret-0123456789"
ENVIRON = {"OPENAI_API_KEY": KEY}
ASKED = (UserMessage(text="hello"),)
RNG = np.random.default_rng(0)


def leaking(request: ChatRequest) -> Reply:
    """Repeats the key wherever an endpoint could."""
    key = request.headers["authorization"].removeprefix("Bearer ")
    bad = [
        failure(401, f"Incorrect API key provided: {key}", code=key),
        Reply(status=500, body=f"<p>{key}</p>".encode(), content_type="text/html"),
        Reply(body=key.encode(), content_type=f"text/{key}"),
        Reply(body=f'{{"choices": "{key}"}}'.encode()),
        failure(302, location=f"http://elsewhere/{key}"),
        raw_json({"error": {"message": key, "code": 400}}),
        replace(completion(key), cut_after=10),
    ]
    return bad[request.ordinal % len(bad)]


async def test_the_key_travels_as_a_bearer() -> None:
    async with (
        open_model_server(echo) as server,
        open_model("openai/m", base_url=server.base_url, environ=ENVIRON, generator=RNG) as model,
    ):
        await model.generate(ASKED)

    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_no_error_log_repr_or_record_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with (
        open_model_server(leaking) as server,
        open_model(
            "openai/m",
            base_url=server.base_url,
            environ=ENVIRON,
            generator=RNG,
            retries=RetryPolicy(max_attempts=1),
        ) as model,
    ):
        for _ in range(7):
            with pytest.raises(ModelCallError) as caught:
                await model.generate(ASKED)
            inner = caught.tb.tb_next  # this test's own frame holds the server, which was told the key
            frames = traceback.TracebackException(
                type(caught.value), caught.value, inner, capture_locals=True
            )
            record = msgspec.json.encode(failure_record(caught.value)).decode()
            seen += [str(caught.value), repr(caught.value), "".join(frames.format()), record]
        seen.append(repr(model))

    assert len(server.requests) == 7
    assert [text for text in [*seen, caplog.text] if KEY in text] == []


async def test_a_completion_that_repeats_the_key_does_not_show_it() -> None:
    script = [completion(f"your key is {KEY}", tool_calls=[("run", {"key": KEY})], model=KEY)]
    script[0] = Reply(body=script[0].body, headers={"x-request-id": KEY})
    async with (
        open_model_server(script) as server,
        open_model("openai/m", base_url=server.base_url, environ=ENVIRON, generator=RNG) as model,
    ):
        answer, _ = await model.generate(ASKED)

    assert answer.message.text == "your key is [key]"
    assert KEY.encode() not in msgspec.json.encode(answer)


def test_a_secret_can_be_neither_printed_nor_copied() -> None:
    secret = Secret(KEY, source="OPENAI_API_KEY")

    assert f"{secret} {secret!r}" == "<key from OPENAI_API_KEY> <key from OPENAI_API_KEY>"
    for move in (pickle.dumps, copy.copy, msgspec.json.encode):
        with pytest.raises(TypeError):
            move(secret)


def test_a_connection_does_not_show_its_key() -> None:
    connection = connect(find_endpoint("openai"), base_url=None, environ=ENVIRON)

    assert KEY not in repr(connection)


async def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(KeyMissing, match="OPENAI_API_KEY") as caught:
        async with open_model("openai/gpt-4o", generator=RNG, environ={}):
            pass

    assert isinstance(caught.value, UserError)


@pytest.mark.parametrize("key", ["sk-a b", "sk-ключ", "sk\r\nx-evil: 1"])
def test_an_unsendable_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(KeyMissing) as caught:
        connect(find_endpoint("openai"), base_url=None, environ={"OPENAI_API_KEY": key})

    assert key not in str(caught.value)


def test_a_key_may_end_in_a_line_break() -> None:
    connection = connect(find_endpoint("openai"), base_url=None, environ={"OPENAI_API_KEY": KEY + "\n"})

    assert connection.key is not None
    assert connection.key.reveal() == KEY


@pytest.mark.parametrize(
    ("argument", "environ", "url"),
    [
        (None, {}, "https://api.openai.com/v1"),
        (None, {"OPENAI_BASE_URL": "http://a/v1/"}, "http://a/v1"),
        (None, {"OPENAI_BASE_URL": "http://a", "MLYCEUM_BASE_URL": "http://b"}, "http://b"),
        ("http://c", {"OPENAI_BASE_URL": "http://a", "MLYCEUM_BASE_URL": "http://b"}, "http://c"),
    ],
)
def test_who_says_the_base_url(argument: str | None, environ: dict[str, str], url: str) -> None:
    connection = connect(find_endpoint("openai"), base_url=argument, environ={**ENVIRON, **environ})

    assert connection.base_url == url


@pytest.mark.parametrize(
    "url", ["ftp://a", "a/v1", "http://", "http://user:hunter2@a", "http://a?key=hunter2", "http://a:b"]
)
def test_an_unusable_base_url_is_one_sentence_without_secrets(url: str) -> None:
    with pytest.raises(BadSpecification) as caught:
        connect(find_endpoint("local"), base_url=url, environ={})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"), [("SSL_CERT_FILE", "/no/such/file"), ("ALL_PROXY", "socks9://nowhere")]
)
async def test_what_the_environment_says_wrongly_about_networks_is_one_sentence(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BadSpecification, match=variable):
        async with open_model("openai/m", generator=RNG, environ=ENVIRON):
            pass


async def test_an_unknown_provider_is_met_with_what_was_meant() -> None:
    with pytest.raises(UnknownName, match="did you mean 'openai'"):
        async with open_model("opnai/gpt-4o", generator=RNG, environ={}):
            pass


async def test_a_name_without_a_model_is_refused() -> None:
    with pytest.raises(BadSpecification, match="openai/name"):
        async with open_model("openai", generator=RNG, environ=ENVIRON):
            pass


async def test_a_users_prices_go_before_the_shipped(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "openai/gpt-4o"\ninput = 1e6\noutput = 0.0\n')
    environ = {**ENVIRON, "MLYCEUM_PRICES": str(prices)}

    async with (
        open_model_server(echo) as server,
        open_model("openai/gpt-4o", base_url=server.base_url, environ=environ, generator=RNG) as model,
    ):
        answer, _ = await model.generate(ASKED)

    assert answer.cost_usd == 10.0


@pytest.mark.parametrize("text", ["[[price]]\nmodel = 3", "not toml ["])
async def test_a_broken_price_file_is_named(tmp_path: Path, text: str) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(text)

    with pytest.raises(BadSpecification, match=r"prices\.toml"):
        async with open_model("local/m", generator=RNG, environ={}, prices=prices):
            pass


def test_shipped_endpoints_have_names_of_their_own() -> None:
    names = [endpoint.name for endpoint in default_endpoints()]

    assert len(set(names)) == len(names)
    assert {"openai", "openrouter", "vllm", "local", "ollama", "llama.cpp"} <= set(names)


def test_a_failure_is_raised_again_from_its_record() -> None:
    error = Rejected("no", model="openai/m", status=400, cost_usd=0.5)

    again = error_from_record(failure_record(error))

    assert type(again) is Rejected
    assert failure_record(again) == failure_record(error)
