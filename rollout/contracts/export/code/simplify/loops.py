"""Loops that only fill in a list, or look for something, written as the expressions that they stand for."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from rollout.contracts.export.code.names.resolving import is_builtin
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.comparisons import negated
from rollout.contracts.export.code.simplify.purity import acts
from rollout.contracts.export.code.simplify.rewriting import BODIES, assigned, change_bodies, mentions

_APART = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Lambda)


class Loops:
    """Writes loops of one function as comprehensions, `any` and `all`."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        """Look at what a function reads, to know what is not read after a loop."""
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        self._loads = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
        self._scope, self._function = scope, function
        # Where it fails in the midst, a list is half full: that shows only where failures are caught.
        self._is_tried = any(
            isinstance(node, ast.Try | ast.TryStar | ast.Global | ast.Nonlocal) for node in ast.walk(function)
        )

    def written_out(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements without the loops that can be written otherwise."""
        block: list[ast.stmt] = []
        for given in statements:
            change_bodies(given, self.written_out)
            statement = self._asked_at_its_begin(given, block)
            before = block[-1] if block else None
            forms = (self._filled, self._summed, self._flagged, self._sought)
            written = next((form for one in forms if before is not None and (form := one(before, statement))), None)
            if written is not None:
                block[-1] = written
            else:
                block.append(statement)
        return block

    def _asked_at_its_begin(self, loop: ast.stmt, block: list[ast.stmt]) -> ast.stmt:
        """Return `x = ask()` and `while x is wrong: x = ask()` as one loop that asks at its begin, and then ends."""
        if not isinstance(loop, ast.While) or loop.orelse or isinstance(loop.test, ast.Constant):
            return loop
        first: list[ast.stmt] = []
        body = [one for one in loop.body if not isinstance(one, ast.Pass)]
        name = assigned(block[-1])[0] if block else None
        is_asked = any(isinstance(node, ast.NamedExpr) for node in ast.walk(loop.test))
        if name is not None and body and ast.dump(block[-1]) == ast.dump(body[-1]) and not _goes_round(body):
            first = [block.pop()]
            body = body[:-1]
        elif not is_asked:
            return loop
        return ast.While(ast.Constant(True), [*first, ast.If(negated(loop.test), [ast.Break()], []), *body], [])

    def _filled(self, before: ast.stmt, loop: ast.stmt) -> ast.stmt | None:
        """Return `x = []` and a loop that appends to it as one assignment."""
        match before, loop:
            case (
                ast.Assign(targets=[ast.Name(id=name) as target], value=empty),
                ast.For(body=[inner], orelse=[]),
            ) if self._is_plain(loop):
                tests, last = _within(inner)
                value = _added(name, empty, last, [ast.comprehension(loop.target, loop.iter, tests, 0)])
                parts = [loop.iter, *tests, last] if value is not None else []
                if value is None or sum(_mentions(part, name) for part in parts) > 1:
                    return None
                return ast.Assign(targets=[target], value=value, lineno=0)
        return None

    def _summed(self, before: ast.stmt, loop: ast.stmt) -> ast.stmt | None:
        """Return `n = 0` and a loop that adds to it as `sum`."""
        match before, loop:
            case (
                ast.Assign(targets=[ast.Name(id=name) as target], value=ast.Constant(value=0) as nothing),
                ast.For(body=[inner], orelse=[]),
            ) if type(nothing.value) is int and self._is_plain(loop):
                tests, last = _within(inner)
                member = _summand(name, last)
                function = ast.Name("sum", ast.Load())
                if member is None or not is_builtin(function, self._scope, "sum"):
                    return None
                if any(_mentions(part, name) for part in (loop.iter, *tests, member)):
                    return None
                members = ast.GeneratorExp(member, [ast.comprehension(loop.target, loop.iter, tests, 0)])
                return ast.Assign(targets=[target], value=ast.Call(function, [members], []), lineno=0)
        return None

    def _flagged(self, before: ast.stmt, loop: ast.stmt) -> ast.stmt | None:
        """Return `found = False` and a loop that sets it, and ends, at the first that it finds as `any`."""
        match before, loop:
            case (
                ast.Assign(targets=[ast.Name(id=name) as target], value=ast.Constant(value=False)),
                ast.For(body=[ast.If(test=test, body=[given, ast.Break()], orelse=[])], orelse=[]) as over,
            ) if _sets_true(given, name) and self._is_plain(over) and not _mentions(test, name):
                function = ast.Name("any", ast.Load())
                if not is_builtin(function, self._scope, "any"):
                    return None
                members = ast.GeneratorExp(test, [ast.comprehension(over.target, over.iter, [], 0)])
                return ast.Assign(targets=[target], value=ast.Call(function, [members], []), lineno=0)
        return None

    def _sought(self, loop: ast.stmt, after: ast.stmt) -> ast.stmt | None:
        """Return a loop that returns at the first that it finds, and what is returned otherwise, as `any` or `all`."""
        match loop, after:
            case (
                ast.For(body=[inner], orelse=[]),
                ast.Return(value=ast.Constant(value=bool() as otherwise)),
            ) if self._is_plain(loop):
                tests, last = _within(inner)
                match last:
                    case ast.Return(value=ast.Constant(value=bool() as value)) if tests and value is not otherwise:
                        name = ast.Name("any" if value else "all", ast.Load())
                        if not is_builtin(name, self._scope, name.id):
                            return None
                        *ifs, test = tests
                        sought = test if value else negated(test)
                        members = ast.GeneratorExp(sought, [ast.comprehension(loop.target, loop.iter, ifs, 0)])
                        return ast.Return(ast.Call(name, [members], []))
        return None

    def _is_plain(self, loop: ast.For) -> bool:
        """Whether a loop only counts for what is done in it: its variables are not read elsewhere."""
        if self._is_tried or any(isinstance(node, _APART) for node in ast.walk(loop)):
            return False
        targets = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
        inside = Counter(node.id for part in loop.body for node in ast.walk(part) if isinstance(node, ast.Name))
        inside.update(self._loads_in_others(loop, targets))
        return not mentions(loop.iter, targets) and all(self._loads[name] == inside[name] for name in targets)

    def _loads_in_others(self, loop: ast.For, names: set[str]) -> Iterator[str]:
        """Return the uses of names in other loops that give them a value of their own first."""
        within = {id(node) for node in ast.walk(loop)}
        counted = set[int]()
        for other in ast.walk(self._function):
            if not isinstance(other, ast.For) or id(other) in within or any(node is loop for node in ast.walk(other)):
                continue
            own = {node.id for node in ast.walk(other.target) if isinstance(node, ast.Name)} & names
            names_in = (node for part in other.body for node in ast.walk(part) if isinstance(node, ast.Name))
            loads = {id(node): node.id for node in names_in if node.id in own and isinstance(node.ctx, ast.Load)}
            yield from (name for key, name in loads.items() if key not in counted)
            counted |= loads.keys()


def _goes_round(statements: list[ast.stmt]) -> bool:
    """Whether a loop's body may begin anew before its end."""
    for statement in statements:
        if isinstance(statement, ast.Continue):
            return True
        if isinstance(statement, ast.For | ast.AsyncFor | ast.While | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        parts = [getattr(statement, part, None) or [] for part in BODIES]
        others = [other.body for other in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))]
        if any(_goes_round(part) for part in (*parts, *others) if isinstance(part, list)):
            return True
    return False


def _summand(name: str, statement: ast.stmt) -> ast.expr | None:
    """Return what a statement adds to a variable; None where it does anything else."""
    match statement:
        case ast.AugAssign(target=ast.Name(id=known), op=ast.Add(), value=value) if known == name:
            return value
        case ast.Assign(
            targets=[ast.Name(id=known)], value=ast.BinOp(left=ast.Name(id=given), op=ast.Add(), right=value)
        ) if known == given == name:
            return value
    return None


def _sets_true(statement: ast.stmt, name: str) -> bool:
    given, value = assigned(statement)
    return given == name and isinstance(value, ast.Constant) and value.value is True


def _within(statement: ast.stmt) -> tuple[list[ast.expr], ast.stmt]:
    """Return the conditions around the one statement of a loop, and that."""
    tests: list[ast.expr] = []
    while isinstance(statement, ast.If):
        is_skipping = len(statement.body) == 1 and isinstance(statement.body[0], ast.Continue)
        inner = statement.orelse if is_skipping else statement.body
        is_plain = is_skipping or not statement.orelse or isinstance(statement.orelse[0], ast.Continue)
        if len(inner) != 1 or not is_plain:
            break
        tests.append(negated(statement.test) if is_skipping else statement.test)
        statement = inner[0]
    flat = [part for test in tests for part in _all_of(test)]
    return flat, statement


def _all_of(test: ast.expr) -> list[ast.expr]:
    is_and = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)
    return test.values if is_and and isinstance(test, ast.BoolOp) else [test]


def _added(name: str, empty: ast.expr, last: ast.stmt, loop: list[ast.comprehension]) -> ast.expr | None:
    """Return the comprehension that a list, a set or an object is filled in by."""
    match empty, last:
        case ast.List(elts=[]), ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=known), attr="append"), args=[element], keywords=[])
        ) if known == name:
            return ast.ListComp(element, loop)
        case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]), ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=known), attr="add"), args=[element], keywords=[])
        ) if known == name:
            return ast.SetComp(element, loop)
        case ast.Dict(keys=[]), ast.Assign(
            targets=[ast.Subscript(value=ast.Name(id=known), slice=key)], value=element
        ) if known == name and not acts(key):
            return ast.DictComp(key, element, loop)
    return None


def _mentions(part: ast.AST, name: str) -> int:
    return sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(part))
