"""Where a target is: `package.module:attribute`, `./path/to/file.py:attribute`, or the graphs of a langgraph.json.

Source: langgraph.json as the LangGraph CLI reads it (`dependencies`, `graphs`). What lies in the current directory, or
in src/ below it, comes before what is installed: in a worktree that is the code that is meant.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rollout.causes import why
from rollout.contracts.export.import_faults import import_fault
from rollout.errors import Fault, InvalidInput

LANGGRAPH = "langgraph.json"
NAMES_MAX = 20
_FORMS = "write package.module:attribute, ./path/to/file.py:attribute, langgraph.json, or a .json file with a schema"


@dataclass(frozen=True, slots=True)
class Located:
    """What a target names.

    Attributes:
        file: of the module that it is in.
    """

    target: str
    value: Any
    file: Path | None


def located(target: str) -> Located:
    """Import what a target names. Raises InvalidInput, also for whatever the agent's code raises."""
    asked = target
    _import_from(Path.cwd())
    path, _, name = target.partition(":")
    if Path(path).name == LANGGRAPH:
        target = _of_langgraph(Path(path), name)
    path, _, attribute = target.rpartition(":") if ":" in target else (target, "", "")
    if not path:
        raise InvalidInput([Fault("TARGET", "names nothing", _FORMS, target)])
    try:
        module = _module(path)
        value = _attribute(module, attribute, target)
    except InvalidInput:
        raise
    except BaseException as error:
        raise InvalidInput([import_fault(asked, error, path)]) from error
    file = getattr(module, "__file__", None)
    return Located(target, value, Path(file).resolve() if file else None)


def _of_langgraph(path: Path, name: str) -> str:
    """Return the target of one graph of a langgraph.json; its dependencies can be imported from then on."""
    try:
        written = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        problem = why(error) if isinstance(error, OSError) else "it is not JSON"
        raise InvalidInput(
            [Fault(str(path), f"cannot be read: {problem}", "check the path, or mend the file")]
        ) from error
    graphs = written.get("graphs") if isinstance(written, dict) else None
    graphs = graphs if isinstance(graphs, dict) else {}
    targets = {
        key: str((spec.get("path") if isinstance(spec, dict) else spec) or "") for key, spec in (graphs or {}).items()
    }
    if not targets or (name and name not in targets) or (not name and len(targets) > 1):
        remedy = (
            f"name one: {', '.join(f'{path}:{key}' for key in sorted(targets))}" if targets else "write down its graphs"
        )
        problem = f"has no graph {name}" if name else "has several graphs" if targets else "has no graphs"
        raise InvalidInput([Fault(str(path), problem, remedy)])
    _set_variables(path.parent, written.get("env"))
    dependencies = written.get("dependencies")
    for dependency in dependencies if isinstance(dependencies, list) else ():
        if str(dependency).startswith("."):
            _import_from(path.parent / str(dependency))
    chosen = targets[name or next(iter(targets))]
    return str(path.parent / chosen) if chosen.partition(":")[0].endswith(".py") else chosen


def _set_variables(directory: Path, env: Any) -> None:
    """Set what a langgraph.json says of the environment: itself, or in a file. What is set already stays."""
    if isinstance(env, str):
        try:
            lines = (directory / env).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return  # the file is often left out of a checkout
        pairs = (line.removeprefix("export ").partition("=") for line in lines if not line.lstrip().startswith("#"))
        env = {name.strip(): value.strip().strip("'\"") for name, equals, value in pairs if equals}
    for name, value in env.items() if isinstance(env, dict) else ():
        os.environ.setdefault(str(name), str(value))


def _import_from(directory: Path) -> None:
    """Let modules of a directory, and of src/ in it, come first."""
    for place in (directory / "src", directory):
        if place.is_dir():
            _put_first(str(place.resolve()))


def _put_first(place: str) -> None:
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)


def _module(path: str) -> ModuleType:
    if not path.endswith(".py"):
        if not all(step.isidentifier() for step in path.split(".")):
            is_script = path.endswith((".ts", ".js", ".mts", ".mjs", ".tsx"))
            problem = "is no Python: only agents in Python are exported" if is_script else "is no module"
            raise InvalidInput([Fault(path, problem, _FORMS)])
        return importlib.import_module(path)
    file = Path(path).resolve()
    if not file.is_file():
        raise InvalidInput([Fault(path, "is no file", "check the path")])
    steps, root = [file.stem], file.parent
    while (root / "__init__.py").exists():
        steps, root = [root.name, *steps], root.parent
    known = [place for place in sys.path if place and file.is_relative_to(Path(place).resolve())]
    if len(steps) == 1 and known:  # a package without __init__.py
        nearest = Path(next(iter(known))).resolve()
        steps, root = list(file.relative_to(nearest).with_suffix("").parts), nearest
    _put_first(str(root)) if len(steps) > 1 else _import_from(root)
    if all(step.isidentifier() for step in steps) and steps[0] not in sys.modules:
        module = importlib.import_module(".".join(steps))
        if Path(str(module.__file__)).resolve() == file:
            return module
    return _loaded(file)


def _loaded(file: Path) -> ModuleType:
    """Load a file whose name is no module's."""
    name = "_".join(("".join(letter if letter.isalnum() else "_" for letter in file.stem), "of", file.parent.name))
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InvalidInput([Fault(str(file), "is no Python file", "name one that ends in .py")])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _attribute(module: ModuleType, attribute: str, target: str) -> Any:
    if not attribute:
        return module
    value: Any = module
    for step in attribute.split("."):
        if not hasattr(value, step):
            named = _nameable(module)
            remedy = f"name one of {', '.join(named)}" if named else "it has no graph, and no function that makes one"
            raise InvalidInput([Fault(target, f"there is no {step} in {module.__name__}", remedy)])
        value = getattr(value, step)
    return value


def _nameable(module: ModuleType) -> list[str]:
    """Return what a target may name in a module: graphs first, then what is defined in it and may make one."""
    public = sorted((name, value) for name, value in vars(module).items() if not name.startswith("_"))
    graphs = [name for name, value in public if hasattr(type(value), "get_subgraphs")]
    own = [name for name, value in public if callable(value) and getattr(value, "__module__", "") == module.__name__]
    return list(dict.fromkeys((*graphs, *own)))[:NAMES_MAX]
