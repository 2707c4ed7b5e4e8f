"""The scripted server as a process of its own, the way a command under test meets it."""

import subprocess
import sys
from pathlib import Path

import model_server
import numpy as np
import pytest
import trio

from engine.models import RetryPolicy, Tool, UserMessage, open_model

SCRIPT_FILE = """
from engine.models import UserMessage
from model_server import ChatRequest, Reply, completion


def answer(request: ChatRequest) -> Reply:
    return completion(f"{len(request.body['messages'])} messages")
"""


async def ask_process(script: str) -> str:
    """What a server process with this script answers; the process is gone afterwards."""
    command = [sys.executable, model_server.__file__, "--port", "0", "--script", script]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        base_url = (await process.stdout.receive_some()).decode().split()[-1]
        return await ask(base_url)
    finally:
        process.terminate()
        with trio.move_on_after(5, shield=True):
            await process.wait()
            await process.stdout.aclose()


async def ask(base_url: str) -> str:
    async with open_model(
        "local/m",
        base_url=base_url,
        generator=np.random.default_rng(0),
        environ={},
        retries=RetryPolicy(base_seconds=0.001),
    ) as model:
        tool = Tool(name="run", description="run code")
        completion, _ = await model.generate((UserMessage(text="hello"),), tools=[tool])
    return completion.message.text or completion.message.tool_calls[0].name


@pytest.mark.parametrize(
    ("script", "answer"), [("echo", "you said: hello"), ("tools", "run"), ("flaky", "you said: hello")]
)
async def test_scripts_have_names(script: str, answer: str) -> None:
    assert await ask_process(script) == answer


async def test_a_script_may_be_a_function_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT_FILE)

    assert await ask_process(f"{file}:answer") == "1 messages"
