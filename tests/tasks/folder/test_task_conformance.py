"""Every task passes the suite that tasks must pass."""

import pytest
from conformance.task_suite import TaskSuite

from tasks.package import TaskPackage
from tasks.registry import open_task, task_names


@pytest.mark.parametrize("name", [*task_names(), "colonel-blotto@templates"])
class TestEveryTask(TaskSuite):
    @pytest.fixture
    def task(self, name: str) -> TaskPackage:
        return open_task(name)
