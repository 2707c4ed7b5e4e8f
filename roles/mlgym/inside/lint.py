"""Faults of a Python file that an edit must not bring in: broken syntax, indentation, names that nothing defines.

The classes, and what they are called, are those of flake8 that MLGym looks at: E999, E902, E111 and F821, F822, F831;
E112 and E113 are syntax errors first. Names are resolved as pyflakes describes it: a module and a class from top to
bottom, functions after the module, a name where some branch binds it.
"""

import ast
import builtins
import io
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

MODULE_NAMES = frozenset(
    {"__file__", "__name__", "__path__", "__doc__", "__spec__", "__annotations__", "__builtins__"}
)
CLASS_NAMES = frozenset({"__module__", "__qualname__", "__class__"})
TAB = 8


class Fault(NamedTuple):
    """Something wrong in a file."""

    line: int
    code: str
    text: str


def faults(source: str) -> list[Fault]:
    """Everything that is wrong with a file, by line."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [Fault(error.lineno or 1, "E999", f"{type(error).__name__}: {error.msg}")]
    except (ValueError, RecursionError, MemoryError) as error:
        return [Fault(1, "E902", f"{type(error).__name__}: {error}")]
    try:
        names = _Names().look(tree)
    except RecursionError:
        names = []
    return sorted({*_indentation(source), *names})


def _indentation(source: str) -> Iterator[Fault]:
    """Statements that are not indented by a multiple of four columns."""
    is_first = True
    skipped = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NEWLINE:
                is_first = True
            elif is_first and token.type not in skipped:
                is_first = False
                if token.type != tokenize.ENDMARKER and _columns(token.line, token.start[1]) % 4:
                    yield Fault(token.start[0], "E111", "indentation is not a multiple of 4")
    except (tokenize.TokenError, SyntaxError) as error:
        yield Fault(1, "E902", f"{type(error).__name__}: {error}")


def _columns(line: str, until: int) -> int:
    columns = 0
    for sign in line[:until]:
        columns = (columns // TAB + 1) * TAB if sign == "\t" else columns + 1
    return columns


@dataclass
class _Scope:
    kind: Literal["module", "class", "function", "comprehension"]
    bound: set[str] = field(default_factory=set[str])
    has_star: bool = False


class _Names:
    """Resolves names, scope by scope."""

    def __init__(self) -> None:
        self._scopes: list[_Scope] = [_Scope("module")]
        self._later: list[Callable[[], None]] = []
        self._forgiving = 0
        """How many enclosing blocks catch a NameError."""
        self._branches = 0
        self._found: list[tuple[str, Fault]] = []
        self._postponed = False

    def look(self, tree: ast.Module) -> list[Fault]:
        self._postponed = any(
            isinstance(each, ast.ImportFrom)
            and each.module == "__future__"
            and any(name.name == "annotations" for name in each.names)
            for each in tree.body
        )
        self._all(tree.body)
        while self._later:
            self._later.pop(0)()
        self._exports(tree)
        return [fault for _, fault in self._found]

    # -- names ------------------------------------------------------------------------------------------------------

    def _bind(self, name: str) -> None:
        self._scopes[-1].bound.add(name)

    def _load(self, name: str, line: int) -> None:
        if self._is_known(name) or self._forgiving:
            return
        self._found.append((name, Fault(line, "F821", f"undefined name {name!r}")))

    def _is_known(self, name: str) -> bool:
        sees_class = True
        for scope in reversed(self._scopes):
            if scope.kind == "class" and not sees_class:
                continue
            if name in scope.bound or scope.has_star:
                return True
            # A class's names are seen in its own body, comprehensions in it included, and not in its methods.
            sees_class = scope.kind == "comprehension" and sees_class
        is_in_class = any(scope.kind == "class" for scope in self._scopes)
        return hasattr(builtins, name) or name in MODULE_NAMES or (is_in_class and name in CLASS_NAMES)

    def _exports(self, tree: ast.Module) -> None:
        if self._scopes[0].has_star:
            return
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "__all__" for target in statement.targets
            ):
                for name in _strings(statement.value):
                    if name not in self._scopes[0].bound:
                        fault = Fault(statement.lineno, "F822", f"undefined name {name!r} in __all__")
                        self._found.append((name, fault))

    def _defer(self, body: Callable[[], None]) -> None:
        scopes, forgiving, branches = list(self._scopes), self._forgiving, self._branches

        def run() -> None:
            self._scopes, self._forgiving, self._branches = list(scopes), forgiving, branches
            body()

        self._later.append(run)

    # -- the tree ---------------------------------------------------------------------------------------------------

    def _all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self._visit(node)

    def _visit(self, node: ast.AST) -> None:
        visit: Callable[[ast.AST], None] | None = getattr(self, f"_{type(node).__name__}", None)
        if visit is not None:
            visit(node)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            self._comprehension(node.generators, (node.elt,))
        else:
            self._all(ast.iter_child_nodes(node))

    def _branch(self, nodes: Iterable[ast.AST | None]) -> None:
        self._branches += 1
        self._all(nodes)
        self._branches -= 1

    def _If(self, node: ast.If) -> None:  # noqa: N802 - as the node is called
        self._visit(node.test)
        self._branch([*node.body, *node.orelse])

    def _While(self, node: ast.While) -> None:  # noqa: N802 - as the node is called
        self._visit(node.test)
        self._branch([*node.body, *node.orelse])

    def _For(self, node: ast.For | ast.AsyncFor) -> None:  # noqa: N802 - as the node is called
        self._all([node.iter, node.target])
        self._branch([*node.body, *node.orelse])

    _AsyncFor = _For

    def _Assign(self, node: ast.Assign) -> None:  # noqa: N802 - as the node is called
        self._all([node.value, *node.targets])

    def _AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802 - as the node is called
        if isinstance(node.target, ast.Name):
            self._load(node.target.id, node.target.lineno)
        self._all([node.value, node.target])

    def _AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802 - as the node is called
        self._annotation(node.annotation)
        # Without a value nothing is bound: a name that is only announced cannot be read.
        if node.value is not None:
            self._all([node.value, node.target])
        elif not isinstance(node.target, ast.Name):
            self._visit(node.target)

    def _NamedExpr(self, node: ast.NamedExpr) -> None:  # noqa: N802 - as the node is called
        self._visit(node.value)
        scope = next(each for each in reversed(self._scopes) if each.kind != "comprehension")
        scope.bound.add(node.target.id)

    def _Name(self, node: ast.Name) -> None:  # noqa: N802 - as the node is called
        if isinstance(node.ctx, ast.Load):
            self._load(node.id, node.lineno)
        elif isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        elif node.id in self._scopes[-1].bound:
            if not self._branches:
                self._scopes[-1].bound.discard(node.id)
        else:
            self._load(node.id, node.lineno)

    def _Import(self, node: ast.Import) -> None:  # noqa: N802 - as the node is called
        for name in node.names:
            self._bind(name.asname or name.name.split(".")[0])

    def _ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802 - as the node is called
        for name in node.names:
            if name.name == "*":
                self._scopes[-1].has_star = True
            else:
                self._bind(name.asname or name.name)

    def _Global(self, node: ast.Global | ast.Nonlocal) -> None:  # noqa: N802 - as the node is called
        if self._scopes[-1].kind == "function":
            for scope in (self._scopes[0], self._scopes[-1]):
                scope.bound.update(node.names)
            self._found = [(name, fault) for name, fault in self._found if name not in node.names]

    _Nonlocal = _Global

    def _Try(self, node: ast.Try) -> None:  # noqa: N802 - as the node is called
        catches = any(_catches_name_error(handler) for handler in node.handlers)
        self._forgiving += catches
        self._branch(node.body)
        self._forgiving -= catches
        self._branch([*node.handlers, *node.orelse])
        self._all(node.finalbody)

    _TryStar = _Try

    def _ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: N802 - as the node is called
        self._all([node.type])
        bound = self._scopes[-1].bound
        was_bound = node.name in bound
        if node.name is not None:
            bound.add(node.name)
        self._all(node.body)
        if node.name is not None and not was_bound:
            bound.discard(node.name)

    def _MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:  # noqa: N802 - as the node is called
        if node.name is not None:
            self._bind(node.name)
        self._all(ast.iter_child_nodes(node))

    _MatchStar = _MatchAs

    def _MatchMapping(self, node: ast.MatchMapping) -> None:  # noqa: N802 - as the node is called
        if node.rest is not None:
            self._bind(node.rest)
        self._all(ast.iter_child_nodes(node))

    def _Return(self, node: ast.Return | ast.Yield | ast.YieldFrom) -> None:  # noqa: N802 - as the node is called
        # Where no function is around it, it is another fault, and what stands behind it is not looked at.
        if self._scopes[-1].kind not in ("module", "class"):
            self._all(ast.iter_child_nodes(node))

    _Yield = _YieldFrom = _Return

    # -- scopes -----------------------------------------------------------------------------------------------------

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:  # noqa: N802 - as the node is called
        self._all(node.decorator_list)
        self._bind(node.name)
        self._signature(node.args, node.lineno)
        if node.returns is not None:
            self._annotation(node.returns)
        self._function(node.args, node.body)

    _AsyncFunctionDef = _FunctionDef

    def _Lambda(self, node: ast.Lambda) -> None:  # noqa: N802 - as the node is called
        self._signature(node.args, node.lineno)
        self._function(node.args, [node.body])

    def _signature(self, arguments: ast.arguments, line: int) -> None:
        self._all([*arguments.defaults, *arguments.kw_defaults])
        names: set[str] = set()
        for argument in _arguments(arguments):
            if argument.annotation is not None:
                self._annotation(argument.annotation)
            if argument.arg in names:
                fault = Fault(line, "F831", f"duplicate argument {argument.arg!r} in function definition")
                self._found.append((argument.arg, fault))
            names.add(argument.arg)

    def _function(self, arguments: ast.arguments, body: Iterable[ast.AST]) -> None:
        def run() -> None:
            scope = _Scope("function", {argument.arg for argument in _arguments(arguments)})
            self._scopes.append(scope)
            self._branches = 0
            self._all(body)

        self._defer(run)

    def _ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802 - as the node is called
        self._all([*node.decorator_list, *node.bases, *node.keywords])
        self._scopes.append(_Scope("class"))
        self._all(node.body)
        self._scopes.pop()
        self._bind(node.name)

    def _DictComp(self, node: ast.DictComp) -> None:  # noqa: N802 - as the node is called
        self._comprehension(node.generators, (node.key, node.value))

    def _comprehension(self, generators: Iterable[ast.comprehension], results: Iterable[ast.AST]) -> None:
        self._scopes.append(_Scope("comprehension"))
        for generator in generators:
            self._all([generator.iter, generator.target, *generator.ifs])
        self._all(results)
        self._scopes.pop()

    # -- annotations ------------------------------------------------------------------------------------------------

    def _annotation(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                inner = ast.parse(node.value, mode="eval").body
            except (SyntaxError, ValueError):
                return
            ast.copy_location(inner, node)
            for each in ast.walk(inner):
                if hasattr(each, "lineno"):
                    ast.copy_location(each, node)
            self._defer(lambda: self._visit(inner))
        elif self._postponed:
            self._defer(lambda: self._visit(node))
        else:
            self._visit(node)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    single = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *single]


def _catches_name_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(each, ast.Name) and each.id == "NameError" for each in caught)


def _strings(node: ast.expr) -> list[str]:
    if not isinstance(node, ast.List | ast.Tuple):
        return []
    return [
        each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
