"""What code goes by: constants, by how they are defined and not by their values, which may be of one process alone."""

from __future__ import annotations

import ast
import enum
import inspect
import sys
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

from rollout.contracts.export.code.bound import bound_only, named_only
from rollout.contracts.export.code.libraries import is_asking, wraps_functions
from rollout.contracts.export.code.members import names_in
from rollout.contracts.export.code.names.changes import changes_of
from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.definitions import (
    definition_of,
    is_plain_definition,
    statements_of,
)
from rollout.contracts.export.code.names.literals import literal_of
from rollout.contracts.export.code.names.modules import modules_handed_on
from rollout.contracts.export.code.names.ownership import is_ours, is_own_module
from rollout.contracts.export.code.names.probing import has
from rollout.contracts.export.code.names.resolving import in_order, place_of, resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.sites import sites_of
from rollout.contracts.export.code.names.slices import changed_by
from rollout.contracts.export.code.names.written import is_written
from rollout.contracts.export.code.normal_form import normal_form
from rollout.contracts.export.code.questions import is_plain
from rollout.contracts.export.code.reading import SourceReading, literals_in, reads_files
from rollout.contracts.export.code.simplify.expressions import Expressions
from rollout.contracts.export.code.simplify.rewriting import mentions
from rollout.contracts.export.code.simplify.simplified import simplified_statement
from rollout.contracts.export.code.simplify.stripped import Stripped, tells_only
from rollout.contracts.export.code.simplify.wrappers import handed_on_to
from rollout.contracts.export.code.values import ValueText, held_in, path_of

CONTAINERS = (dict, list, tuple, set, frozenset)
TABLE_DEPTH = 4
_FIXED = (str, bytes, int, float, complex, bool, frozenset, enum.Enum, type(None))


class Constants:
    """Writes down what names of modules stand for, each once."""

    def __init__(
        self,
        reading: SourceReading,
        order: dict[Any, int],
        visit: Callable[[Any], None],
        digest_of: Callable[[Any], str],
    ) -> None:
        """Write into `reading`.

        Args:
            order: the callables that were read, by `key_of`, with their numbers.
            visit: reads another one.
            digest_of: reads one by itself.
        """
        self._digest_of = digest_of
        self._reading, self._order, self._visit = reading, order, visit
        self._numbers: dict[tuple[str, str], int] = {}
        self._only_told: set[tuple[str, str]] = set()
        self._stated: dict[tuple[str, int], ast.stmt] = {}
        self._sited: dict[Any, Any] = {}
        self._makers: dict[int, Any] = {}

    def stands_for(self, node: ast.AST, known: Any, scope: Scope) -> str | None:
        """Return what is written for the agent's own code and constants: their names mean nothing."""
        at = place_of(node, scope)
        if known is not None and (number := self._order.get(key_of(known))) is not None:
            return f"code {number}"
        if at is not None and at in self._numbers:
            return f"constant {self._numbers[at]}"
        return None

    def define(self, module: str, name: str, known: Any, *, is_told: bool = False) -> None:
        """Take down how a name of a module is defined, and what it is defined by.

        Args:
            is_told: whether a model is only told of it: then nobody calls what is in it.
        """
        if (module, name) in self._numbers:
            if not is_told and (module, name) in self._only_told:
                self._only_told.discard((module, name))
                self._functions_in(known)
            return
        if literal_of(module, name) is not None:
            return  # it is written where it is used
        self._numbers[module, name] = len(self._numbers)
        at, its_name, statements = definition_of(module, name, is_fixed=_is_fixed(known))
        changes = changes_of(at, its_name)
        if not is_own_module(at):
            named = inspect.isroutine(known) or inspect.isclass(known)
            place = path_of(known) if named else f"{at}.{its_name}"
            self._reading.texts.append(f"of a library {place}")
            self._reading.note_part(place, place)
            return
        if not statements and not changes:
            if (maker := vars(sys.modules[at]).get("__getattr__") if at in sys.modules else None) is not None:
                self._visit(maker)  # the module makes it up when it is asked for it
            self.note(known)
            return
        if not is_plain_definition(statements, known) or any(map(named_only, statements)):
            self.note(known)
        self._numbers.setdefault((at, its_name), self._numbers[module, name])
        every = [*((at, statement) for statement in statements), *changes]
        texts = [self.state(place, statement, is_told=is_told) for place, statement in every]
        self._reading.note_part(f"{at}.{its_name}", "\n".join(texts))
        if is_told:
            self._only_told.add((module, name))
        else:
            self._functions_in(known)

    def state(self, module: str, statement: ast.stmt, *, is_told: bool = False) -> str:
        """Take down a statement of a module, and what it names; return it in its simple form, the first time.

        Args:
            is_told: whether a model is only told of it.
        """
        if (module, id(statement)) in self._stated:
            return ""
        self._stated[module, id(statement)] = statement  # an id is one object's only while that lives
        scope = Scope(module, vars(sys.modules[module]) if module in sys.modules else {})
        statement = simplified_statement(statement, scope)
        value = getattr(statement, "value", None)
        for handed_on in modules_handed_on(statement, scope):
            self.read_module(handed_on)
        bound = bound_only(statement, scope)
        for inner, _ in in_order(statement if value is None else value):
            self._inside(inner, scope, is_told=is_told or id(inner) in bound)
        self._reading.literals |= literals_in(statement)
        self._reading.reads_files |= reads_files(statement)
        written = Expressions(scope).visit(Stripped(scope).visit(copied(statement)))
        self._reading.named |= names_in(written)
        text = normal_form(written, scope, self.stands_for)
        self._reading.texts.append(text)
        return text

    def read_module(self, module: ModuleType) -> None:
        """Read all that a module holds: whoever is handed it may look through it, by its names."""
        held = sorted((name, value) for name, value in vars(module).items() if not name.startswith("__"))
        text = f"all of a module: {[name for name, _ in held]}"
        if text in self._reading.texts:
            return
        self._reading.texts.append(text)
        for name, value in held:
            if callable(value) and is_ours(value):
                self._visit(value)
            elif not callable(value) and not isinstance(value, ModuleType):
                self.define(module.__name__, name, value)

    def order(self) -> list[str]:
        """Return in which order the statements stand that name what is given a value more than once."""
        texts = []
        for module in sorted({module for module, _ in self._stated}):
            numbered = [(number, one) for number, ((at, _), one) in enumerate(self._stated.items()) if at == module]
            in_file = sorted(numbered, key=lambda pair: getattr(pair[1], "lineno", 0))
            texts += [
                f"in order {[number for number, one in in_file if mentions(one, {name})]}"
                for name in _changed_more_than_once([one for _, one in numbered])
            ]
        return sorted(texts)

    def note(self, known: Any, of: Any = None) -> None:
        """Take down a value.

        Args:
            of: the class or function that was called when it came about: where it is not written anywhere, that is
                told instead.
        """
        self._functions_in(known)
        text = self._text()
        if (written := text.of(known)) not in self._reading.texts or not isinstance(known, enum.Enum):
            self._reading.texts.append(written)
        self._look_at(text)
        if not text.is_whole:
            self.note_sites(of)

    def note_object(self, target: Any) -> None:
        """Take down what an object holds; where that is not written anywhere, how objects of its class are made."""
        self._functions_in(target)
        text = self._text()
        written = text.attributes(target)
        if vars(target) if has(target, "__dict__") else ():
            self._reading.texts.append(written)
        self._look_at(text)
        if not text.is_whole:
            self.note_sites(type(target))

    def note_class(self, class_: type, held: dict[str, Any]) -> None:
        """Take down what a class holds; where that is not written anywhere, the statements of the class."""
        self._functions_in(held)
        text = self._text()
        written = text.of(held)
        if held:
            self._reading.texts.append(written)
            self._reading.note_part(path_of(class_), written)
        if not text.is_whole:
            for statement in statements_of(class_):
                self.state(class_.__module__, statement)
        self._look_at(text)

    def note_sites(self, target: Any) -> None:
        """Take down the statements that make objects of a class, or call a function."""
        if target is None or key_of(target) in self._sited:
            return
        self._sited[key_of(target)] = target
        if inspect.isroutine(target):  # what is around: whom it asks is not asked by what it has made
            self._makers[id(target)] = target
            self._reading.texts.append(f"made in {self._digest_of(target)}")
        for module, statement in sites_of(target):
            self.state(module, statement)
            maker = getattr(sys.modules.get(module), getattr(statement, "name", ""), None)
            if inspect.isfunction(maker) and _takes_part(statement):
                self.note_sites(maker)

    def _text(self) -> ValueText:
        return ValueText(is_written, self._named)

    def _look_at(self, text: ValueText) -> None:
        """Read the classes of objects that a value is made of: what they do is only known while it runs."""
        self._reading.literals |= text.literals
        self._reading.named |= text.literals
        for class_ in text.classes:
            self._visit(class_)

    def _named(self, target: Any) -> str | None:
        """Return what stands for code that was read: what it is called, and where it lies, means nothing."""
        number = self._order.get(key_of(target))
        return None if number is None else f"code {number}"

    def _inside(self, node: ast.AST, scope: Scope, *, is_told: bool) -> None:
        """Take down what a name within a definition stands for."""
        known = resolved(node, scope) if isinstance(node, ast.Name | ast.Attribute) else None
        self._reading.may_ask |= is_asking(known)
        if known is None or isinstance(known, ModuleType) or tells_only(known):
            return
        if callable(known):
            if is_ours(known) and id(known) not in self._makers:
                self._visit(known)
        elif wraps_functions(known) and not is_told:
            self._visit(known)
        elif (at := place_of(node, scope)) is not None:
            self.define(*at, known, is_told=is_told)
        elif isinstance(known, CONTAINERS) or is_plain(known):
            self.note(known)

    def _functions_in(self, known: Any, depth: int = TABLE_DEPTH, seen: dict[int, int] | None = None) -> None:
        """Look into a table of functions, or of objects of the agent's that hold some."""
        seen = {} if seen is None else seen
        if depth <= seen.get(id(known), 0):
            return  # it was looked into as deeply before: objects may know one another
        seen[id(known)] = depth
        for part in held_in(known):
            has_code = callable(part) and (is_ours(part) or has(part, "func") or is_asking(part))
            if has_code or wraps_functions(part):
                self._visit(part)
            else:
                self._functions_in(part, depth - 1, seen)


def _is_fixed(known: Any) -> bool:
    """Whether a value is one that nothing can change that it is handed to."""
    return isinstance(known, _FIXED) or inspect.isroutine(known)


def _takes_part(statement: ast.stmt) -> bool:
    """Whether what a function is called with counts in its statements."""
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    parameters = {one.arg for one in ast.walk(statement.args) if isinstance(one, ast.arg)}
    return any(mentions(inner, parameters) for inner in statement.body)


def _changed_more_than_once(statements: list[ast.stmt]) -> set[str]:
    """Return the names of which several statements at the top of a module change what they stand for."""
    changed = Counter(name for statement in statements for name in set(changed_by(statement)))
    return {name for name, count in changed.items() if count > 1}


def key_of(target: Any) -> Any:
    """Return what something is known by: a bound method is made anew each time that it is looked up."""
    target = handed_on_to(target)
    return (id(target.__self__), id(target.__func__)) if inspect.ismethod(target) else id(target)
