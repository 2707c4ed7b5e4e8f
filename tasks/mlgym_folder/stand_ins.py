"""Data that MLGym's repository leaves out and that can be drawn anew: the formulas of its 3-SAT task.

The recipe is `tasks.three_sat.instances.mlgym_instances`; the file is a pickled list of (index from 1, variables,
clauses, list of clauses, whether satisfiable, None), literals as NumPy's 64-bit integers, for such is what the
evaluator opens. It is made once, and unpickled in the sandbox alone.
"""

import os
import pickle
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from engine.workspace.environment import cache_folder
from tasks.mlgym_folder.configuration import DatasetConfiguration
from tasks.three_sat.instances import MLGYM_SHA256, Instance, mlgym_instances
from tasks.three_sat.truth import is_satisfiable

_SAT_FOLDER: Final = "data/3SATTime/data"
_SAT_FILE: Final = "dataset.pkl"


def has_stand_in(dataset: DatasetConfiguration) -> bool:
    """Whether a data set that is absent can be drawn anew."""
    return dataset.data_path.rstrip("/") == _SAT_FOLDER


def stand_in(dataset: DatasetConfiguration) -> dict[str, bytes]:
    """The files of an absent data set by their path in the workspace. Blocks: the first time for half a minute.

    Raises:
        GeneratorChanged: this NumPy draws other formulas than those that were published.
    """
    assert has_stand_in(dataset), "asked for only where there is one"
    return {f"{PurePosixPath(dataset.data_path).name}/{_SAT_FILE}": _sat_pickle(cache_folder() / "formulas")}


def _sat_pickle(folder: Path) -> bytes:
    path = folder / f"mlgym-3sat-{MLGYM_SHA256[:16]}.pickle"
    try:
        return path.read_bytes()
    except OSError:
        content = pickle_formulas(mlgym_instances(folder))
    # Whole or not at all: another process may read it meanwhile.
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)  # noqa: PTH105 - the file's name is text
    return content


def pickle_formulas(instances: tuple[Instance, ...]) -> bytes:
    """Formulas in the form that MLGym's evaluator reads."""
    rows = [
        (
            index,
            each.variables,
            len(each.clauses),
            [[np.int64(literal) for literal in clause] for clause in each.clauses],
            is_satisfiable(each),
            None,
        )
        for index, each in enumerate(instances, start=1)
    ]
    return pickle.dumps(rows)
