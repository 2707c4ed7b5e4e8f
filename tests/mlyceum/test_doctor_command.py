"""`mlyceum doctor`: what this machine can isolate and run; names of keys, never keys."""

import json
from pathlib import Path

import pytest
from called import call
from run_cases import document, mlyceum

from engine.workspace.interface import REQUIRED, Fact, IsolationReport
from mlyceum.machine import diagnose, model_keys


def report(*, missing: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> IsolationReport:
    facts = tuple(Fact(name=name, enforced=name not in missing, by="a test") for name in REQUIRED)
    return IsolationReport(
        backend="sandbox", facts=facts, memory="hard", cpu="hard", disk="hard", notes=notes
    )


def standings(isolation: IsolationReport, output: Path) -> dict[str, str]:
    return {check.name: check.standing for check in diagnose(isolation, output=output, environ={}).checks}


def test_every_check_has_a_name_and_what_is_missing_a_remedy(tmp_path: Path) -> None:
    told = diagnose(
        report(missing=("network",), notes=("allow user namespaces",)), output=tmp_path, environ={}
    )

    assert {"python", "packages", "cores", "bubblewrap", "user namespaces", "control groups", "git"} <= {
        check.name for check in told.checks
    }
    assert all(check.remedy for check in told.checks if check.standing != "ok")
    sandbox = next(check for check in told.checks if check.name == "sandbox")
    assert (sandbox.standing, sandbox.found) == ("missing", "not enforced: network")
    assert sandbox.remedy == "allow user namespaces"
    assert not told.can_run


def test_a_file_where_the_output_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert standings(report(), tmp_path / "file" / "runs")["output folder"] == "missing"
    assert standings(report(), tmp_path / "not" / "yet")["output folder"] in ("ok", "note")


def test_of_model_keys_only_the_names_are_told() -> None:
    keys = {
        key.endpoint: key
        for key in model_keys({"OPENAI_API_KEY": "sk-very-secret", "OPENROUTER_API_KEY": " "})
    }

    assert keys["openai"].present
    assert not keys["openrouter"].present, "blank is not set"
    assert keys["openai"].needed
    assert not keys["local"].needed
    assert "very-secret" not in repr(keys)


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize("missing", [(), ("file", "secrets")])
def test_the_exit_status_says_whether_runs_can_be_sandboxed(
    missing: tuple[str, ...],
    form: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setattr("mlyceum.cli.doctor.self_test", lambda: report(missing=missing))
    monkeypatch.setattr("mlyceum.machine.profile.bubblewrap", lambda: ("/usr/bin/bwrap", (0, 8)))

    called = call(capsys, "doctor", *form)

    assert called.status == (1 if missing else 0)
    assert "very-secret" not in called.out + called.err
    if form:
        assert json.loads(called.out)["can_run"] is not bool(missing)


def test_the_command_as_a_process_reports_the_real_self_test(tmp_path: Path) -> None:
    told = document(mlyceum("doctor", "--json", cwd=tmp_path, OPENAI_API_KEY="sk-very-secret"))

    assert {fact["name"] for fact in told["isolation"]["facts"]} == set(REQUIRED)
    assert told["can_run"] == all(check["standing"] != "missing" for check in told["checks"])
    assert any(key["variable"] == "OPENAI_API_KEY" and key["present"] for key in told["model_keys"])
    assert "very-secret" not in json.dumps(told)
