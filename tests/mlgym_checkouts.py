"""Small checkouts in MLGym's form, of our own making: a card game with a dealer, and a table of predictions."""

from pathlib import Path

GUESS = "def guess(seen):\n    return 0\n"
DEALER = "import random\n\n\ndef card():\n    return random.randrange(2)\n"
EVALUATE = """
import json
from guess import guess
from dealer import card

right = sum(guess([]) == card() for _ in range(1000))
print(json.dumps({"Hits": right / 1000, "note": "of a thousand"}))
"""
COUNT_ROWS = """
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--submission_file")
rows = open(parser.parse_args().submission_file).read().split()
print(json.dumps({"rows": len(rows) + len(open("data/rows.txt").read().split())}))
"""

CARDS_YAML = """
id: cardGame
name: Cards
description: |-
  Guess the card. Change `guess.py` and nothing else.
task_entrypoint: PythonSubmissionTasks
training_timeout: 60
starter_code: [data/cardGame/guess.py, data/cardGame/dealer.py, data/cardGame/evaluate.py]
baseline_paths: [evaluate.py]
baseline_scores:
- Hits: 0.5
evaluation_paths: [evaluate.py]
evaluation_read_only: true
"""
ROWS_YAML = """
id: rowTask
name: Rows
description: "Write rows. {dataset_docs}"
dataset_configs: [datasets/rows.yaml]
task_entrypoint: CSVSubmissionTasks
starter_code: [data/rowTask/evaluate.py]
baseline_scores:
- rows: 3
evaluation_paths: [evaluate.py]
"""
HEAVY_YAML = """
id: heavyTask
task_entrypoint: LMSubmissionTasks
dataset_configs: [datasets/hub.yaml]
starter_code: [data/heavyTask/evaluate.py]
baseline_scores:
- val_loss: 4
evaluation_paths: [evaluate.py]
"""


def write_checkout(root: Path) -> Path:
    """A checkout with ``cardGame``, ``rowTask`` and ``heavyTask``."""
    files = {
        "configs/tasks/cardGame.yaml": CARDS_YAML,
        "configs/tasks/rowTask.yaml": ROWS_YAML,
        "configs/tasks/heavyTask.yaml": HEAVY_YAML,
        "configs/datasets/rows.yaml": "name: rows\ndescription: two rows\ndata_path: data/rowTask/data\nis_local: true\n",
        "configs/datasets/hub.yaml": "name: hub\ndata_path: some/where\nis_local: false\n",
        "data/cardGame/guess.py": GUESS,
        "data/cardGame/dealer.py": DEALER,
        "data/cardGame/evaluate.py": EVALUATE,
        "data/rowTask/evaluate.py": COUNT_ROWS,
        "data/rowTask/data/rows.txt": "a b",
        "data/heavyTask/evaluate.py": "import torch\n",
    }
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root
