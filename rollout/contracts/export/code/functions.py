"""Functions and methods of the agent's: whom they ask, which tasks they call, and what they go by."""

from __future__ import annotations

import ast
import enum
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from rollout.contracts.export.code.asking import asking_names
from rollout.contracts.export.code.bound import bound_only
from rollout.contracts.export.code.constants import CONTAINERS, Constants
from rollout.contracts.export.code.levels import texts_of_levels
from rollout.contracts.export.code.libraries import is_asking, wraps_functions
from rollout.contracts.export.code.members import names_in
from rollout.contracts.export.code.names.definitions import name_of
from rollout.contracts.export.code.names.modules import modules_handed_on
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import probed
from rollout.contracts.export.code.names.resolving import in_order, place_of, resolved
from rollout.contracts.export.code.names.scope import Scope, scope_of
from rollout.contracts.export.code.names.sites import around
from rollout.contracts.export.code.names.trees import Function, tree_of
from rollout.contracts.export.code.normal_form import HANDED, normal_form
from rollout.contracts.export.code.questions import Renamed, flow_of, is_dynamic, is_plain, is_task, tasks_handed
from rollout.contracts.export.code.reading import SourceReading, literals_in, reads_files
from rollout.contracts.export.code.simplify import simplified
from rollout.contracts.export.code.simplify.stripped import tells_only
from rollout.contracts.export.code.unread import all_sources_text, compiled_text

_HANDED = ("RunnableConfig", "Runtime", "StreamWriter", "BaseStore", "InjectedState", "InjectedStore")
_NAMING = frozenset({"add_node", "add_sequence"})


class Functions:
    """Reads functions.

    Attributes:
        names_count: whether the names of functions mean something, since nodes are called after them.
    """

    def __init__(
        self,
        reading: SourceReading,
        constants: Constants,
        visit: Callable[[Any], None],
        apart_of: Callable[[Any], SourceReading],
        owner: type | None = None,
    ) -> None:
        """Read into `reading`.

        Args:
            visit: reads whatever a function names.
            apart_of: reads one by itself.
            owner: the class whose methods are read: those that it overrides are called.
        """
        self._owner, self._apart_of = owner, apart_of
        self.reading, self._constants, self._visit = reading, constants, visit
        self.names_count = False
        self._read: dict[int, Any] = {}

    def has_read(self, function: Any) -> bool:
        """Whether a function was read, be it as a method of an object."""
        return id(function) in self._read

    def read(self, function: Any) -> None:
        """Read a function or method of the agent's."""
        plain = probed(function, "__func__", function)
        self._read[id(plain)] = plain
        if plain.__name__.startswith("__") and plain.__code__.co_filename == "<string>":
            return  # a method that dataclasses have made of the fields
        try:
            tree = tree_of(plain)
        except (OSError, TypeError, SyntaxError, ValueError):
            self._compiled(plain)
            return
        self.reading.texts += _wanted(tree)
        simple = simplified(tree, Scope.of_function(function, tree, self._owner), plain)
        tree, scope = simple.tree, simple.scope
        self.reading.texts += texts_of_levels(tree)
        self.reading.literals |= literals_in(tree)
        self.reading.named |= names_in(tree)
        self.reading.reads_files |= reads_files(tree)
        self.reading.reads_store |= _reads_store(tree)
        renamed = Renamed(scope)
        self.reading.modules |= {str(plain.__module__), *_modules_in(tree, scope)}
        place = len(self.reading.texts)
        self.reading.texts.append("")
        if inspect.ismethod(function) and is_ours(type(function.__self__)) and _uses(tree, scope.receiver):
            self._object(function.__self__)
        if scope.receiver and _hands_on(tree, scope.receiver):  # `in`, `[]` and others call its methods
            receiver = scope.names.get(scope.receiver)
            self._visit(receiver if inspect.isclass(receiver) else type(receiver))
        for module in modules_handed_on(tree, scope):
            self._constants.read_module(module)
        for known in scope.imported:
            if callable(known) and is_ours(known):
                self._visit(known)
        way = simple.ways
        written = {ast.dump(node) for node in ast.walk(way) if isinstance(node, ast.Name | ast.Attribute)}
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        bound = bound_only(tree, scope)
        for node, above in in_order(tree):
            known = resolved(node.func if isinstance(node, ast.Call) else node, scope)
            if isinstance(node, ast.Call):
                self._call(node, known, above, scope, renamed)
            elif not isinstance(known, enum.Enum) or ast.dump(node) in written:  # else it was decided on every way
                self._name(node, known, scope, is_told=id(node) in bound)
                # One that is handed on asks wherever it is called in the end.
                self.reading.may_ask |= is_asking(known) and (id(node) not in called or inspect.isclass(known))
                self._property(node, scope)
        written_out = normal_form(way, scope, self._constants.stands_for)
        self.reading.texts[place] = written_out
        self.reading.note_part(f"{plain.__module__}.{plain.__qualname__}", written_out)

    def _property(self, node: Any, scope: Scope) -> None:
        """Read what stands behind an attribute that is worked out."""
        if not isinstance(node, ast.Attribute):
            return
        self.names_count |= node.attr in ("__name__", "__qualname__")
        owner = resolved(node.value, scope)
        held = inspect.getattr_static(owner if inspect.isclass(owner) else type(owner), node.attr, None)
        function = probed(held, "fget", probed(held, "func", None))
        if inspect.isfunction(function) and is_ours(function):
            self._visit(function)

    def _object(self, target: Any) -> None:
        """Take down what an object goes by: how it is defined, where it has a name; else what it holds.

        What it holds may be of this machine alone: an address, a key of the environment.
        """
        if (place := name_of(target)) is not None:
            self._constants.define(*place, target)
        else:
            self._constants.note_object(target)

    def _follow_nothing(self) -> None:
        """Note that something is called that is only known while it runs: it may be anything of the agent's."""
        if not self.reading.is_dynamic:
            self.reading.texts.append(all_sources_text())
        self.reading.is_dynamic = True
        self.reading.may_ask |= bool(asking_names())

    def leave_out(self, text: str) -> None:
        """Note that something was not read, and what stands for it."""
        self.reading.is_whole, self.reading.may_ask = False, True
        if text not in self.reading.texts:
            self.reading.texts.append(text)

    def _compiled(self, plain: Any) -> None:
        """Take down a function without source."""
        self.leave_out(compiled_text(plain.__code__))
        scope = Scope(str(plain.__module__), plain.__globals__)
        for name in plain.__code__.co_names:
            self._name(ast.Name(name, ast.Load()), plain.__globals__.get(name), scope)

    def _name(self, node: Any, known: Any, scope: Scope, *, is_told: bool = False) -> None:
        """Read what a name stands for.

        Args:
            is_told: whether a model is only told of it.
        """
        if known is None or (isinstance(node, ast.Name) and _is_of_import(node.id)):
            return
        has_code = (callable(known) and is_ours(known)) or hasattr(type(known), "get_subgraphs")
        if is_task(known):
            self._task(known)
        elif has_code or (wraps_functions(known) and not is_told):
            self._visit(known)
        elif isinstance(known, ModuleType) or tells_only(known) or inspect.isroutine(known) or inspect.isclass(known):
            return
        elif (at := place_of(node, scope)) is not None:
            self._constants.define(*at, known, is_told=is_told)
        else:
            self._constants.note(known, around(scope.function))

    def _call(self, call: ast.Call, known: Any, above: tuple[ast.AST, ...], scope: Scope, renamed: Renamed) -> None:
        name = ast.unparse(call.func).rpartition(".")[2]
        asks = probed(known, "__name__", name) == "interrupt" and (known is None or not is_ours(known))
        for task in tasks_handed(call, scope):
            self.reading.calls.append(f"task {probed(task, '__name__', '')}(of each)")
            self._task(task)
        if not asks and not is_task(known):
            if is_dynamic(call, scope):
                self._follow_nothing()
            elif isinstance(value := resolved(call, scope), CONTAINERS) or (is_plain(value) and value is not None):
                self._constants.note(value)
            self.reading.may_ask |= known is None and name in asking_names()
            self.names_count |= name in _NAMING  # nodes are kept by their names
            return
        arguments = call.args + [keyword.value for keyword in call.keywords]
        text = flow_of(above, renamed)
        arguments_text = ", ".join(renamed.text(argument) for argument in arguments)
        self.reading.calls.append(
            f"{text}{arguments_text}" if asks else f"task {text}{probed(known, '__name__', name)}({arguments_text})"
        )
        if is_task(known):
            self._task(known)

    def _task(self, task: Any) -> None:
        """Read what a task does where it may ask; the result of any other is kept, and it is not run again."""
        function = probed(task, "func", None)
        apart = self._apart_of(function)
        if apart.calls or apart.may_ask or apart.is_dynamic or apart.graphs or not apart.is_whole:
            self._visit(function)
            return
        self.reading.classes += apart.classes
        self.reading.modules |= apart.modules


def _modules_in(tree: ast.AST, scope: Scope) -> set[str]:
    """Return the modules that the names of a function are of: helpers of others may be written into it."""
    return {scope_of(node, scope).module for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _wanted(tree: Function) -> list[str]:
    """Return the parameters that LangGraph fills in by their annotation."""
    texts = []
    for one in [*tree.args.args, *tree.args.kwonlyargs]:
        text = ast.unparse(one.annotation) if one.annotation is not None else ""
        is_known = any(kind in text for kind in _HANDED)
        if (is_known and one.arg not in HANDED) or (text and not is_known and one.arg in HANDED):
            texts.append(f"{one.arg}: {text}")  # what is annotated otherwise is not filled in
    return texts


def _reads_store(tree: Function) -> bool:
    """Whether a function may read the graph's store: it is handed it, or asks for it."""
    handed = {one.arg for one in [*tree.args.args, *tree.args.kwonlyargs]}
    names = (getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree))
    return "store" in handed or any(name in ("store", "get_store") for name in names)


def _uses(tree: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _hands_on(tree: ast.AST, receiver: str) -> bool:
    """Whether a method uses its object for more than what is in it."""
    within = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    uses = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == receiver)
    return any(isinstance(node.ctx, ast.Load) and id(node) not in within for node in uses)


def _is_of_import(name: str) -> bool:
    """Whether a name says where a module lies, which is another place on every machine."""
    return name.startswith("__") and name.endswith("__")
