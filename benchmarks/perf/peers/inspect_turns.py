"""Inspect AI: a turn is one model call, one tool call, its result. Usage: inspect_turns.py SAMPLES TURNS LOG_FOLDER."""

# ruff: noqa: ANN401 - the peer is untyped where it is not installed

import json
import resource
import sys
import time
from typing import Any

import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, execute_tools, get_model
from inspect_ai.solver import solver
from inspect_ai.tool import tool


def add() -> Any:
    """The trivial tool."""

    async def execute(a: int, b: int) -> str:
        """Add two numbers.

        Args:
            a: one
            b: other
        """
        return str(a + b)

    return execute


def converse(turns: int) -> Any:
    """The trivial loop."""
    tools = [tool(add)()]

    async def solve(state: Any, generate: Any) -> Any:  # noqa: ARG001 - the peer's shape
        model = get_model()
        asked = 0
        while True:
            output = await model.generate(state.messages, tools=tools)
            state.messages.append(output.message)
            if not output.message.tool_calls:
                break
            results, _ = await execute_tools(state.messages, tools)
            state.messages.extend(results)
            asked += 1
        assert asked == turns
        return state

    return solve


def model(turns: int) -> Any:
    """The peer's own mock model with our script."""

    def answer(messages: Any, *_rest: Any) -> ModelOutput:
        done = len(messages) // 2
        if done == turns:
            output = ModelOutput.from_content("mockllm/model", "done")
        else:
            arguments = {"a": done, "b": 1}
            output = ModelOutput.for_tool_call("mockllm/model", "add", arguments, content="I add one.")
        # Given, else the peer counts tokens with tables that it fetches from the network.
        output.usage = ModelUsage(input_tokens=10, output_tokens=10, total_tokens=20)
        return output

    return get_model("mockllm/model", custom_outputs=answer)


def run(samples: int, turns: int, folder: str) -> None:
    """One evaluation with all samples at once."""
    dataset = [Sample(input="Add numbers until told to stop.") for _ in range(samples)]
    task = inspect_ai.Task(dataset=dataset, solver=solver(converse)(turns))
    logs = inspect_ai.eval(
        task,
        model=model(turns),
        log_dir=folder,
        display="none",
        max_samples=samples,
        max_connections=100_000,
    )
    if logs[0].status != "success":
        sys.exit(f"the evaluation ended with {logs[0].status}: {str(logs[0].error)[:200]}")


if __name__ == "__main__":
    samples, turns, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    run(1, 2, folder)  # imports and first-use caches are not what a turn costs
    cpu, wall = time.process_time(), time.perf_counter()
    run(samples, turns, folder)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        json.dumps(
            {
                "cpu_ms": cpu / samples / turns * 1e3,
                "wall_ms": wall / samples / turns * 1e3,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "version": inspect_ai.__version__,
            }
        )
    )
