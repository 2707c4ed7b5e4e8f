"""autogen-core: CPU of one request and its answer between two agents. Usage: autogen_bus.py TRIPS."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import autogen_core
from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

TEXT = "forty characters of a question, or so ..."[:40]


@dataclass
class Payload:
    """What is sent both ways."""

    text: str


class Echo(RoutedAgent):  # type: ignore[misc]  # untyped where the peer is not installed
    """Answers."""

    @message_handler  # type: ignore[misc,untyped-decorator,unused-ignore]  # same
    async def answer(self, message: Payload, ctx: MessageContext) -> Payload:  # noqa: ARG002 - the peer's shape
        """Answer one message."""
        return Payload(TEXT)


async def measure(trips: int) -> dict[str, Any]:
    """Time it after a warm-up."""
    runtime = SingleThreadedAgentRuntime()
    await Echo.register(runtime, "echo", lambda: Echo("echo"))
    runtime.start()
    echo = AgentId("echo", "default")
    for _ in range(20):
        await runtime.send_message(Payload(TEXT), echo)
    cpu = time.process_time()
    for _ in range(trips):
        await runtime.send_message(Payload(TEXT), echo)
    cpu = time.process_time() - cpu
    await runtime.stop()
    return {"cpu_us": cpu / trips * 1e6, "version": autogen_core.__version__}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
