"""What went wrong when an agent's code was imported: what is missing, and what to set or install.

Never the text of the error: settings that are checked at import (pydantic's, say) quote values of the environment.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from rollout.errors import Fault

_HERE = "run this where the agent's code and all it needs is installed"
_VARIABLE = re.compile(
    r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|PASSWORD|URL|URI|ENDPOINT|HOST|ID|NAME|REGION)\b"
)
_NAME_OF = re.compile(
    r"cannot import name '(?P<name>\w+)' from (?P<partially>partially initialized module )?'(?P<module>[\w.]+)'"
)
NAMES_MAX = 5


def import_fault(target: str, error: BaseException, module: str = "", *, doing: str = "imported") -> Fault:
    """Return what an error of the agent's own code means, and what to do.

    Args:
        module: that the target names.
        doing: what was done with it: imported, or made.
    """
    missing = _missing(error)
    if isinstance(error, SystemExit) and not missing:
        return Fault(
            target,
            f"ends the process while it is {doing}{_at(error)}",
            "guard what it runs: if __name__ == '__main__'",
        )
    if isinstance(error, SyntaxError):
        python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        place = f" in {error.filename}, line {error.lineno}" if error.filename else ""
        return Fault(
            target, f"cannot be imported: SyntaxError{place}", f"this is {python}: run it with the agent's own Python"
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _not_installed(target, error.name, module or target.partition(":")[0])
    if missing:
        example = " ".join(f"{name}=dummy" for name in missing)
        remedy = f"a dummy value is enough, nothing is called: {example} rollout contract export {target}"
        verb = "is" if len(missing) == 1 else "are"
        return Fault(target, f"cannot be {doing}: {', '.join(missing)} {verb} not set", remedy)
    if isinstance(error, ImportError | AttributeError) and error.name:
        return _not_there(target, error, doing)
    return Fault(target, f"cannot be {doing}: {summary_of(error)}", _HERE)


def _not_there(target: str, error: ImportError | AttributeError, doing: str) -> Fault:
    """Return the fault of a name that a module, or an object, has not."""
    match = _NAME_OF.match(str(error)) if isinstance(error, ImportError) else None
    if match is None:
        problem, remedy = f"{type(error).__name__}: there is no {error.name}", "check the versions of what is installed"
    elif match["partially"]:
        problem = f"{match['module']} is imported in a circle: {match['name']} is not there yet"
        remedy = "import it within the function that needs it, or name the module that comes first"
    else:
        problem, remedy = f"there is no {match['name']} in {match['module']}", "check the versions of what is installed"
    return Fault(target, f"cannot be {doing}: {problem}{_at(error)}", remedy)


def undefined_fault(target: str, model: Any, error: Exception) -> Fault | None:
    """Return the fault of a model whose annotations name what is not defined; None for any other error."""
    if getattr(error, "code", "") not in ("class-not-fully-defined", "undefined-annotation"):
        return None
    name = ""
    try:
        model.model_rebuild(force=True)
    except Exception as deeper:  # noqa: BLE001  pydantic's, which tells the name, or whatever the model does
        name = str(getattr(deeper, "name", "") or "")
    problem = f"names a type that is not defined{f': {name}' if name.isidentifier() else ''}"
    return Fault(target, problem, "define or import it in the module, and call model_rebuild() after it")


def summary_of(error: BaseException) -> str:
    """Return the kind of an error of the agent's own code, and where it was raised."""
    if isinstance(error, ImportError | AttributeError) and error.name:
        return f"{type(error).__name__}: there is no {error.name}"
    return f"{type(error).__name__}{_at(error)}"


def _at(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f" in {own[-1].filename}, line {own[-1].lineno}" if own else ""


def _not_installed(target: str, name: str, module: str) -> Fault:
    top = name.partition(".")[0]
    if top != name and top in sys.modules and "site-packages" in str(getattr(sys.modules[top], "__file__", "")):
        problem = f"cannot be imported: {name} is not in the {top} that is installed"
        return Fault(target, problem, f"install the version of {top} that the agent is written for")
    if top == module.partition(".")[0]:
        return Fault(target, f"there is no module {name} here", f"run this in the agent's folder; here is {Path.cwd()}")
    return Fault(
        target, f"cannot be imported: {name} is not installed", f"{_HERE}; or: pip install the package that has {name}"
    )


def _missing(error: BaseException) -> list[str]:
    """Return the variables of the environment that the agent looked for in vain, as far as an error names any."""
    if isinstance(error, KeyError) and any(
        (frame.name == "__getitem__" and "os.py" in frame.filename) or "<frozen os>" in frame.filename
        for frame in traceback.extract_tb(error.__traceback__)
    ):
        return [str(error.args[0])]
    if hasattr(error, "errors") and hasattr(error, "title"):  # pydantic's settings
        try:
            missing = [str(detail["loc"][0]) for detail in error.errors() if detail["type"] == "missing"]
        except Exception:  # noqa: BLE001  it only looks like pydantic's
            return []
        return [name.upper() for name in missing][:NAMES_MAX]
    values = set(os.environ.values())
    names = dict.fromkeys(_VARIABLE.findall(str(error)[:2000]))
    return [name for name in names if name not in os.environ and name not in values][:NAMES_MAX]
