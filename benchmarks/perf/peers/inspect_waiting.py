"""Inspect AI: memory of a sample that waits for its model. Usage: inspect_waiting.py SAMPLES LOG_FOLDER."""

# ruff: noqa: ANN401 - the peer is untyped where it is not installed

import gc
import json
import resource
import sys
from pathlib import Path
from typing import Any

import anyio
import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.solver import solver


def resident_kb() -> float:
    """Resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


def ask() -> Any:
    """Ask the model once."""

    async def solve(state: Any, generate: Any) -> Any:  # noqa: ARG001 - the peer's shape
        output = await get_model().generate(state.messages)
        state.messages.append(output.message)
        return state

    return solve


def run(samples: int, folder: str) -> float:
    """Resident kilobytes when every sample waits."""
    asked = 0
    found = 0.0
    go = anyio.Event()

    async def answer(*_request: Any) -> ModelOutput:
        nonlocal asked, found
        asked += 1
        if asked == samples:
            await anyio.sleep(0.5)
            found = resident_kb()
            go.set()
        await go.wait()
        output = ModelOutput.from_content("mockllm/model", "done")
        output.usage = ModelUsage(input_tokens=10, output_tokens=10, total_tokens=20)
        return output

    task = inspect_ai.Task(dataset=[Sample(input="Wait.") for _ in range(samples)], solver=solver(ask)())
    logs = inspect_ai.eval(
        task,
        model=get_model("mockllm/model", custom_outputs=answer, memoize=False),
        log_dir=folder,
        display="none",
        max_samples=samples,
        max_connections=100_000,
    )
    if logs[0].status != "success":
        sys.exit(f"the evaluation ended with {logs[0].status}: {str(logs[0].error)[:200]}")
    return found


if __name__ == "__main__":
    samples, folder = int(sys.argv[1]), sys.argv[2]
    few = run(10, folder)  # imports and caches are no sample's
    many = run(samples, folder)
    print(json.dumps({"kb": (many - few) / (samples - 10), "version": inspect_ai.__version__}))
