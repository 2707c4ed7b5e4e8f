"""Both backends pass the suite that every workspace must pass."""

import pytest
from conformance.workspace_suite import WorkspaceSuite

from engine.workspace import Backend
from engine.workspace.process import Unisolated
from engine.workspace.sandbox import Sandbox

_sandbox = Sandbox()


@pytest.mark.sandbox
class TestSandbox(WorkspaceSuite):
    @pytest.fixture
    async def backend(self) -> Backend:
        report = await _sandbox.self_test()
        if report.missing:
            pytest.skip(f"no sandbox here: {report.text()}")
        return _sandbox


class TestProcess(WorkspaceSuite):
    @pytest.fixture
    async def backend(self) -> Backend:
        return Unisolated()
