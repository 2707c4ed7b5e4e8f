"""What a task of a checkout needs that a workspace here has not: one sentence, before anything runs."""

from typing import Final

from tasks.mlgym_folder.checkout import Checkout
from tasks.mlgym_folder.configuration import TaskConfiguration
from tasks.mlgym_folder.facts import evaluation_files, metric_of, third_party_imports
from tasks.mlgym_folder.stand_ins import has_stand_in

CLASSES: Final = ("CSVSubmissionTasks", "LMSubmissionTasks", "ModelSubmissionTasks", "PythonSubmissionTasks")
PACKAGES: Final = {
    "matplotlib": "matplotlib>=3.9",
    "numpy": "numpy>=2",
    "pandas": "pandas>=2",
    "scipy": "scipy>=1.13",
    "sklearn": "scikit-learn>=1.5",
    "tqdm": "tqdm>=4",
}
"""Import names that an environment of wheels can be built for, without a GPU, to their requirements."""
_PLACE: Final = b"/home/agent/workspace"
"""Where MLGym's container has the workspace."""


def missing(checkout: Checkout, task: TaskConfiguration) -> str:
    """Why a task cannot be run here, as the end of a sentence; empty where it can.

    Raises:
        BadSpecification: its files do not say what they must.
    """
    if task.task_entrypoint not in CLASSES:
        return f"its class {task.task_entrypoint} is none of {', '.join(CLASSES)}"
    lacking = [path for path in task.starter_code or () if not checkout.has(path)]
    if lacking:
        return f"its starter files {', '.join(lacking)} are not in the checkout"
    starter = checkout.starter_files(task)
    code = {path: data for path, data in starter.items() if path.endswith(".py")}
    heavy = sorted(third_party_imports(code) - PACKAGES.keys())
    needed = [f"the packages {', '.join(heavy)}, which workspaces here are not built with"] if heavy else []
    if task.task_entrypoint == "LMSubmissionTasks":
        needed.append("torchrun on GPUs for its evaluator")
    needed += _missing_data(checkout, task)
    if any(_PLACE in data for data in code.values()):
        needed.append(f"a workspace at {_PLACE.decode()}, which its code names; here it lies elsewhere")
    if needed:
        return f"it needs {'; '.join(needed)}"
    evaluators = evaluation_files(task)
    if not evaluators or evaluators[0] not in starter:
        return "its evaluator is not among its starter files"
    if not metric_of(task):
        return "it stores no baseline score, and nothing else says which score counts"
    return ""


def _missing_data(checkout: Checkout, task: TaskConfiguration) -> list[str]:
    lacking = [path for path in task.dataset_configs or () if not checkout.has(f"configs/{path}")]
    if lacking:
        return [f"configs/{path}, which is not in the checkout" for path in lacking]
    found: list[str] = []
    for dataset in checkout.datasets(task):
        if not dataset.is_local:
            found.append(f"the data set {dataset.data_path} from a hub, and workspaces have no network")
        elif not checkout.has(dataset.data_path) and not has_stand_in(dataset):
            found.append(f"the data folder {dataset.data_path}, which is not in the checkout")
    return found


def requirements(checkout: Checkout, task: TaskConfiguration) -> tuple[str, ...]:
    """The packages that its evaluator and starter code import, as requirements."""
    code = {path: data for path, data in checkout.starter_files(task).items() if path.endswith(".py")}
    return tuple(PACKAGES[name] for name in sorted(third_party_imports(code) & PACKAGES.keys()))
