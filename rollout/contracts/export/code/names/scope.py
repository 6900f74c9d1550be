"""What names stand for where a function is written, without running it."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.definitions import module_of
from rollout.contracts.export.code.names.probing import probed

OWNER = "__owner__"
"""The name under which a scope holds the class that a method is of."""

_INNER = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Scope:
    """Where a piece of code is written.

    Attributes:
        module: the name of its module.
        names: what its names stand for: of its module, around it, itself, and what it imports.
        local: the names of its variables, those of inner functions among them.
        function: what is written there; None for a module's own statements.
        imported: what the function imports from modules; one name may be imported from several.
        receiver: the name of a method's first parameter, where it stands for a known object or class.
    """

    def __init__(self, module: str, names: dict[str, Any]) -> None:
        """Take the scope of a module's own statements; `of_function` makes that of a function."""
        self.module, self.names = module, names
        self.local: frozenset[str] = frozenset()
        self.receiver = ""
        self.function: Any = None
        self.imported: list[Any] = []
        self._of_module, self._around = names, frozenset[str]()
        self._defined_by: Any = None

    @classmethod
    def of_function(cls, function: Any, tree: ast.AST, owner: type | None = None) -> Scope:
        """Return the scope of a function or method, of which this is the tree.

        Args:
            owner: the class whose method it is, which may be one below the class that defines it.
        """
        plain = probed(function, "__func__", function)
        scope = cls(str(plain.__globals__.get("__name__", "")), plain.__globals__)
        imported = _imported_in(tree)
        own = stored_in(tree, inner=False)
        # A variable of an inner function alone may hide a name of the module that is used outside of it.
        within = {
            name for name in stored_in(tree) - own if name not in plain.__globals__ and not hasattr(builtins, name)
        }
        scope.local, scope.function = (own | within) - imported, plain
        scope._around = frozenset(plain.__code__.co_freevars)
        scope.names = {name: value for name, value in plain.__globals__.items() if name not in scope.local}
        scope._fill_in(function, plain, owner)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                scope._import(node)
        return scope

    def __deepcopy__(self, memo: Any) -> Scope:
        """Return itself: copies of a tree are of the same scope."""
        return self

    def is_global(self, name: str) -> bool:
        """Whether a name is one of the module."""
        return name in self._of_module and name not in self._around and name not in self.local

    def held_around(self, name: str) -> Any:
        """Return what a variable around a function stands for; None where it is none."""
        return self.names.get(name) if name in self._around and name not in self.local else None

    def above(self) -> Any:
        """Return what `super()` stands for in a method; None where that cannot be told."""
        below = self.names.get(self.receiver, self.names.get(OWNER))
        try:
            return super(self._defined_by, below)
        except TypeError:  # not within a method, or what it is called on is not known
            return None

    def mark(self, tree: ast.AST) -> None:
        """Note on every name of a tree that it is of this scope, wherever it is moved to."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.scope = self  # type: ignore[attr-defined]

    def _fill_in(self, function: Any, plain: Any, below: type | None) -> None:
        for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False):
            try:
                self.names[name] = cell.cell_contents
            except ValueError:  # not filled yet
                continue
        owner = self._defined_by = _owner_of(plain)
        if owner is not None and below is not None and issubclass(below, owner):
            owner = below
        if owner is not None:
            self.names[OWNER] = owner
        first = plain.__code__.co_varnames[:1] if plain.__code__.co_argcount else ()
        if inspect.ismethod(function) and first:
            self.names[first[0]], self.receiver = function.__self__, first[0]
        elif owner is not None and first and first[0] in ("self", "cls"):
            self.names[first[0]], self.receiver = owner, first[0]

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom):
            name = module_of(node, self.module)
            module = sys.modules.get(name) or imported(name)
            for alias in node.names:
                held = getattr(module, alias.name, None)
                held = imported(f"{name}.{alias.name}") if held is None else held
                self.names[alias.asname or alias.name] = held
                self.imported.append(held)
            return
        for alias in node.names:
            top = alias.name if alias.asname else alias.name.partition(".")[0]
            imported(alias.name)
            self.names[alias.asname or top] = sys.modules.get(top)


def scope_of(node: ast.AST, otherwise: Scope) -> Scope:
    """Return the scope that a name was marked with."""
    scope = getattr(node, "scope", None)
    return scope if isinstance(scope, Scope) else otherwise


def imported(name: str) -> Any:
    """Return a module; None where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001  whatever the agent's module does when it is imported
        return None


def _imported_in(tree: ast.AST) -> frozenset[str]:
    """Return the names that a function imports itself."""
    return frozenset(
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )


def _walked(tree: ast.AST) -> Iterator[ast.AST]:
    """Return the parts of a function, without what is within inner ones."""
    for child in ast.iter_child_nodes(tree):
        yield child
        if not isinstance(child, _INNER):
            yield from _walked(child)


def stored_in(tree: ast.AST, *, inner: bool = True) -> frozenset[str]:
    """Return the names of variables of a function, and of those within."""
    stored, elsewhere = set[str](), set[str]()
    for node in ast.walk(tree) if inner else _walked(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            stored.add(node.id)
        elif isinstance(node, ast.arg):
            stored.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            stored.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            stored.add(node.rest)
        elif isinstance(node, _DEFINING) and node is not tree:
            stored.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere |= set(node.names)
    return frozenset(stored - elsewhere)


def _owner_of(function: Any) -> Any:
    """Return the class that a function is a method of, where it has a name."""
    owner: Any = None
    for step in str(probed(function, "__qualname__", "")).split(".")[:-1]:
        owner = probed(function, "__globals__", {}).get(step) if owner is None else getattr(owner, step, None)
        if not inspect.isclass(owner):
            return None
    return owner
