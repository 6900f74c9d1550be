"""Variables that only name what is written elsewhere: what they stand for is written where they are used."""

from __future__ import annotations

import ast
import copy
import inspect
from collections import Counter
from collections.abc import Iterable

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.resolving import is_builtin, resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import tree_of
from rollout.contracts.export.code.simplify.copies import without_copies
from rollout.contracts.export.code.simplify.mutation import may_change
from rollout.contracts.export.code.simplify.purity import (
    acts,
    cannot_fail,
    evaluated_first,
    in_turn,
    is_clock,
    is_steady,
    looks_inside,
    looks_up,
)
from rollout.contracts.export.code.simplify.rewriting import (
    WrittenOut,
    after,
    assigned,
    assignments,
    change_bodies,
    mentions,
    remove,
    replace,
)

_INLINED_MAX = 400
"""So many parts of an expression are written, all in all; of more it is left where it is."""
FUNCTION_MAX = 5000
"""A function of more parts is compared as it is written."""
_VARIABLES_MAX = 60
"""So many variables of one function are written out."""


class Variables:
    """Writes variables of one function out."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef, local: frozenset[str], scope: Scope) -> None:
        """Look at what a function stores and loads."""
        self._function, self._local, self._scope = function, local, scope

    def write_out(self) -> None:
        """Write out what can be, in place."""
        if sum(1 for _ in ast.walk(self._function)) > FUNCTION_MAX:
            return
        if not any(isinstance(node, ast.Assign | ast.NamedExpr) for node in ast.walk(self._function)):
            return
        self._count()
        self._function.body = self._adjacent(self._function.body)
        self._count()
        without_copies(self._function, self._local)
        self._count()
        self._stable()
        self._count()
        self._function.body = self._without_unread(self._function.body)

    def _count(self) -> None:
        names = [node for node in ast.walk(self._function) if isinstance(node, ast.Name)]
        self._stores = Counter(node.id for node in names if not isinstance(node.ctx, ast.Load))
        self._loads = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
        arguments = [node.arg for node in ast.walk(self._function) if isinstance(node, ast.arg)]
        self._parameters = set(arguments)
        self._stores.update(arguments)
        elsewhere = [node for node in ast.walk(self._function) if isinstance(node, ast.Global | ast.Nonlocal)]
        self._shared = {name for node in elsewhere for name in node.names}

    def _is_single(self, name: str) -> bool:
        return self._stores[name] == 1 and name in self._local and name not in self._shared

    # What is used once, by the next statement.

    def _adjacent(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        block: list[ast.stmt] = []
        for given in statements:
            for statement in self._without_walrus(given):
                change_bodies(statement, self._adjacent)
                while block and self._is_taken_in(block[-1], statement):
                    block.pop()
                if not self._is_grown(block, statement):
                    block.append(statement)
        return block

    def _without_walrus(self, statement: ast.stmt) -> Iterable[ast.stmt]:
        """Return a statement with what it assigns first before it."""
        first = evaluated_first(statement)
        turns = list(in_turn(first)) if first is not None else []
        node = next((node for node in turns if isinstance(node, ast.NamedExpr)), None)
        if node is None:
            return [statement]
        within = {id(inner) for inner in ast.walk(node)}
        before = turns[: turns.index(node)]
        if any(acts(other) for other in before if id(other) not in within):
            return [statement]
        if any(
            isinstance(other, ast.Name) and other.id == node.target.id for other in before if id(other) not in within
        ):
            return [statement]
        stored = ast.Assign(targets=[copy.copy(node.target)], value=node.value, lineno=0)
        loaded = copy.copy(node.target)
        loaded.ctx = ast.Load()
        replace(statement, node, loaded)
        self._loads[node.target.id] += 1
        return [*self._without_walrus(stored), *self._without_walrus(statement)]

    def _is_taken_in(self, before: ast.stmt, statement: ast.stmt) -> bool:
        """Whether what the statement before assigns was put where this one uses it, once and before all that acts."""
        name, value = assigned(before)
        if name is None or value is None or not self._is_single(name) or self._loads[name] != 1:
            return False
        first, changes = evaluated_first(statement), acts(value)
        for node in in_turn(first) if first is not None else ():
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                replace(statement, node, value)
                self._loads[name] -= 1
                return True
            if acts(node) or (changes and self._may_differ(node)):
                return False
        return False

    def _may_differ(self, node: ast.AST) -> bool:
        """Whether an expression looks into what something that acts may change."""
        if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp):
            return True  # of objects it may be any code
        if not looks_inside(node):
            return False
        roots = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        return any(root not in self._local or not self._is_fixed(root) or self._may_change(root) for root in roots)

    def _is_grown(self, block: list[ast.stmt], statement: ast.stmt) -> bool:
        """Whether an assignment to a key of an object that was just written was put into that."""
        if not block or not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return False
        name, value = assigned(block[-1])
        if name not in self._local or name in self._shared:
            return False
        target = statement.targets[0]
        if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Constant):
            return False
        is_same = isinstance(target.value, ast.Name) and target.value.id == name
        if not is_same or not isinstance(value, ast.Dict) or mentions(statement.value, {str(name)}):
            return False
        known = [key.value for key in value.keys if isinstance(key, ast.Constant)]
        if len(known) != len(value.keys) or target.slice.value in known:
            return False
        value.keys.append(target.slice)
        value.values.append(statement.value)
        self._loads[str(name)] -= 1
        return True

    # What stays the same wherever it is used.

    def _stable(self) -> None:
        for _ in range(min(len(self._local) + 1, _VARIABLES_MAX)):
            pairs = ((at, self._writable(at)) for at in assignments(self._function))
            at, variable = next((pair for pair in pairs if pair[1] is not None), (None, None))
            if at is None or variable is None:
                return
            name, value = variable
            WrittenOut(name, value).visit(self._function)
            remove(self._function, at)
            self._count()

    def _writable(self, statement: ast.stmt) -> tuple[str, ast.expr] | None:
        """Return a variable, and what it stands for everywhere."""
        name, value = assigned(statement)
        if name is None or value is None or not self._is_single(name) or name in self._parameters:
            return None
        if not is_steady(value) or any(isinstance(node, ast.Lambda | ast.comprehension) for node in ast.walk(value)):
            return None
        parts = sum(1 for _ in ast.walk(value))
        if not self._loads[name] and not cannot_fail(value):
            return None
        if isinstance(value, ast.List | ast.Dict | ast.Set) or parts * max(self._loads[name], 1) > _INLINED_MAX:
            return None
        if not self._is_always_set(statement, name) or (not cannot_fail(value) and self._is_tried(statement, name)):
            return None
        called = {id(node.func) for node in ast.walk(value) if isinstance(node, ast.Call) and not looks_up(node)}
        names = [node for node in ast.walk(value) if isinstance(node, ast.Name)]
        roots = {node.id for node in names if id(node) not in called}
        if name in roots or not all(self._is_fixed(root) or self._is_kept(root, statement) for root in roots):
            return None
        if not all(node.id in self._local or is_builtin(node, self._scope, node.id) for node in names):
            return None  # what is not of this turn may change under way
        makes = bool(called) or any(
            isinstance(node, ast.JoinedStr | ast.Compare | ast.BinOp) or _is_deep(node) for node in ast.walk(value)
        )
        if looks_inside(value) and any(self._may_change(root, within=makes) for root in roots):
            return None
        parts_made = any(isinstance(node, _MADE) for node in ast.walk(value))
        if parts_made and self._loads[name] > 1:
            return None  # each use would have one of its own
        is_new = (
            bool(called)
            or parts_made
            or any(isinstance(node, ast.BinOp | ast.BoolOp | ast.IfExp) for node in ast.walk(value))
        )
        return None if is_new and self._may_change(name, within=True) else (name, value)

    def _is_always_set(self, statement: ast.stmt, name: str) -> bool:
        """Whether a variable is set wherever it is used: all uses come after it, in the same block."""
        uses = (
            inner
            for part in after(self._function, statement)
            for inner in ast.walk(part)
            if isinstance(inner, ast.Name)
        )
        return sum(inner.id == name for inner in uses) == self._loads[name]

    def _is_tried(self, statement: ast.stmt, name: str) -> bool:
        """Whether a failure is told apart by where a variable is set, or used."""
        tried = [node for node in ast.walk(self._function) if _may_catch(node)]
        inner = (part for node in tried for part in ast.walk(node))
        return any(part is statement or (isinstance(part, ast.Name) and part.id == name) for part in inner)

    def _is_fixed(self, name: str) -> bool:
        """Whether a name of this function stands for the same all the time: a parameter that is not set."""
        return self._stores[name] == 1 and name in self._parameters and name not in self._shared

    def _is_kept(self, name: str, since: ast.stmt) -> bool:
        """Whether a variable that is set once is not set by what follows a statement."""
        if not self._is_single(name) or name in self._parameters:
            return False
        sets = (node for node in ast.walk(ast.Module(after(self._function, since), [])) if isinstance(node, ast.Name))
        return not any(node.id == name and not isinstance(node.ctx, ast.Load) for node in sets)

    def _may_change(self, name: str, *, within: bool = False) -> bool:
        return may_change(self._function, name, self._keeps, within=within)

    def _keeps(self, call: ast.Call, argument: ast.AST) -> bool:
        """Whether a function of the agent's leaves an argument as it is."""
        known = resolved(call.func, self._scope)
        if not inspect.isfunction(known) or not is_ours(known) or argument not in call.args:
            return False
        try:
            tree = tree_of(known)
        except (OSError, TypeError, SyntaxError, ValueError):
            return False
        parameters = [one.arg for one in (*tree.args.posonlyargs, *tree.args.args)]
        place = call.args.index(argument)
        is_plain = not tree.decorator_list and place < len(parameters)
        return is_plain and not may_change(tree, parameters[place], lambda *_: False, within=True)

    # What is never used.

    def _without_unread(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        block: list[ast.stmt] = []
        for statement in statements:
            name, value = assigned(statement)
            if name is not None and value is not None and self._is_single(name) and not self._loads[name]:
                if cannot_fail(value) or is_clock(value):
                    continue
                statement = ast.Expr(value)  # noqa: PLW2901  the value is still worked out
            change_bodies(statement, self._without_unread)
            block.append(statement)
        return block


_MADE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def _may_catch(node: ast.AST) -> bool:
    """Whether a statement may catch what fails within: a `with` decides that itself."""
    return isinstance(node, ast.With | ast.AsyncWith) or (
        isinstance(node, ast.Try | ast.TryStar) and bool(node.handlers)
    )


def _is_deep(node: ast.AST) -> bool:
    """Whether an expression looks into what it has looked up: others may have it too, and change it."""
    return (
        isinstance(node, ast.Subscript | ast.Attribute)
        and not isinstance(node.value, ast.Name)
        and not (isinstance(node.value, ast.Constant))
    )
