"""The check before an edit: what it finds, and what it lets pass."""

from textwrap import dedent

import pytest

from roles.mlgym.inside.lint import Fault, faults

NO_BLOCK = "expected an indented block after function definition on line 1"


def found(source: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.text) for fault in faults(dedent(source).lstrip("\n"))]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("if True\n    x = 1\n", Fault(1, "E999", "SyntaxError: expected ':'")),
        ("x = 1\n  y = 2\n", Fault(2, "E999", "IndentationError: unexpected indent")),
        ("def f():\nx = 1\n", Fault(2, "E999", f"IndentationError: {NO_BLOCK}")),
        ("if 1:\n  x = 1\n", Fault(2, "E111", "indentation is not a multiple of 4")),
        ("print(y)\n", Fault(1, "F821", "undefined name 'y'")),
        ("x = 1\n__all__ = ['x', 'y']\n", Fault(2, "F822", "undefined name 'y' in __all__")),
        ("lambda a, a: 1\n", Fault(1, "F831", "duplicate argument 'a' in function definition")),
        ("x = '\0'\n", Fault(1, "E999", "SyntaxError: source code string cannot contain null bytes")),
    ],
    ids=["syntax", "indent", "block", "E111", "F821", "F822", "F831", "zero"],
)  # fmt: skip
def test_each_kind_of_fault_is_found(source: str, fault: Fault) -> None:
    assert fault in faults(source)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    return g()\ndef g():\n    return 1\n",
        "import os.path\nfrom a import b as c\nprint(os, c, __file__, __name__)\n",
        "from a import *\nprint(anything)\n",
        "try:\n    x\nexcept NameError:\n    x = 1\n",
        "class A:\n    y = 1\n    z = [y for _ in range(3)]\n    def f(self):\n        return __class__\n",
        "def f():\n    global n\n    n = 1\nprint(n)\n",
        "for i in range(3):\n    pass\nprint([j for j in range(i) if (k := j)], k)\n",
        "with open('f') as h, open('g') as (a, *b):\n    print(h, a, b)\n",
        "match 1:\n    case [x, *y]:\n        print(x, y)\n    case {'a': u, **v} as w:\n        print(u, v, w)\n",
        "def f(a: 'A', *, b: int = 1, **c: str) -> 'A':\n    return a, b, c\nclass A: ...\n",
        "from __future__ import annotations\ndef f(a: Later): ...\nclass Later: ...\n",
        "def outer():\n    x = 1\n    def inner():\n        nonlocal x\n        x += 1\n    return inner\n",
        "return unknown\n",
        "# a comment\n  # and one indented\nx = (1,\n  2)\n",
    ],
)
def test_good_files_pass(source: str) -> None:
    assert [fault for fault in faults(source) if fault.code != "E111"] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("print(x)\nx = 1\n", [1]),
        ("def f():\n    print(x)\n    x = 1\n", [2]),
        ("try:\n    pass\nexcept ValueError as e:\n    print(e)\nprint(e)\n", [5]),
        ("x = 1\ndel x\nprint(x)\n", [3]),
        ("class A:\n    y = 1\n    def f(self):\n        return y\n", [4]),
        ("x: int\nprint(x)\n", [2]),
        ("def f(a=b, *c: d): ...\n", [1, 1]),
        ("def f(a: 'B'): ...\n", [1]),
        ("x += 1\n", [1]),
    ],
)
def test_names_are_resolved_from_top_to_bottom_and_functions_later(source: str, lines: list[int]) -> None:
    assert [fault.line for fault in faults(source)] == lines


def test_a_branch_that_binds_is_enough() -> None:
    assert found("""
        if input():
            import json
            del json
        else:
            json = None
        print(json)
    """) == []  # fmt: skip


def test_a_file_too_deep_to_read_is_a_fault_and_no_crash() -> None:
    [fault] = faults("x = " + "(" * 5_000 + ")" * 5_000)

    assert fault.code in ("E902", "E999")
