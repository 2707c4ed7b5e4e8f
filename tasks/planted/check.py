"""Self-check of an answer: are all settings there and allowed, and is the guard on where it must be?

Run it in the folder of `answer.json`. Exit status 0: yes; else the last line says what is wrong.
"""

import json
import pathlib
import sys


def main() -> str:
    """What is wrong; empty when nothing is."""
    try:
        answer = json.loads(pathlib.Path("answer.json").read_text(encoding="utf-8"))
        is_whole = {"mode", "guard", "depth", "heat", "flow", "mix"} == set(answer)
    except (OSError, ValueError, TypeError) as error:
        return f"answer.json cannot be read: {error}"
    if not is_whole:
        return "answer.json must have exactly mode, guard, depth, heat, flow and mix"
    if answer["guard"] == "off" and answer["depth"] >= 5:
        return "at depth 5 or more the process breaks without the guard"
    return ""


if __name__ == "__main__":
    problem = main()
    print(problem or "keeps the rules")  # noqa: T201 - its answer
    sys.exit(1 if problem else 0)
