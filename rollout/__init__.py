"""Progressive delivery for AI agents.

What other programs may use, and what stays: everything in `__all__`. docs/python.md shows it at work.

* `read_documents` reads Rollouts and policies, with every fault at its place.
* `read_contract` and `check_contracts` say whether two versions read each other's state.
* `Judge` compares two versions by what their counters gain.
* `plan` decides one turn of a release from facts: pure.
* `rollout.testing` is a small world in which the engine releases.
"""

TYPE_CHECKING = False
"""As `typing` has it, without importing that: until the command has begun, Ctrl-C would be a traceback."""

if TYPE_CHECKING:
    from rollout.contracts.check import check as check_contracts
    from rollout.contracts.contract import Contract
    from rollout.contracts.contract_text import read as read_contract
    from rollout.engine.analysis.verdict import Judgement
    from rollout.engine.facts import Counters, Facts, KpiReading, Round
    from rollout.engine.judge import Judge
    from rollout.engine.plan import plan
    from rollout.engine.planned import Plan
    from rollout.engine.route_facts import BorrowedRoute, OwnRoute
    from rollout.errors import Fault, InvalidInput, RolloutError
    from rollout.model.agent_state import CompatibilityVerdict, Finding, Severity
    from rollout.model.api.policy import PolicySpec
    from rollout.model.api.rollout import Metadata, RolloutSpec
    from rollout.model.documents import Documents, read_documents
    from rollout.model.rollout import Rollout
    from rollout.model.status.status import Status
    from rollout.model.status.vocabulary import Phase, Reason, Result
    from rollout.stats import Increment

__version__ = "0.1.0"

__all__ = [
    "BorrowedRoute",
    "CompatibilityVerdict",
    "Contract",
    "Counters",
    "Documents",
    "Facts",
    "Fault",
    "Finding",
    "Increment",
    "InvalidInput",
    "Judge",
    "Judgement",
    "KpiReading",
    "Metadata",
    "OwnRoute",
    "Phase",
    "Plan",
    "PolicySpec",
    "Reason",
    "Result",
    "Rollout",
    "RolloutError",
    "RolloutSpec",
    "Round",
    "Severity",
    "Status",
    "__version__",
    "check_contracts",
    "plan",
    "read_contract",
    "read_documents",
]

_HOMES = {
    "rollout.contracts.check": {"check_contracts": "check"},
    "rollout.contracts.contract": {"Contract": "Contract"},
    "rollout.contracts.contract_text": {"read_contract": "read"},
    "rollout.engine.analysis.verdict": {"Judgement": "Judgement"},
    "rollout.engine.facts": {name: name for name in ("Counters", "Facts", "KpiReading", "Round")},
    "rollout.engine.judge": {"Judge": "Judge"},
    "rollout.engine.plan": {"plan": "plan"},
    "rollout.engine.planned": {"Plan": "Plan"},
    "rollout.engine.route_facts": {name: name for name in ("BorrowedRoute", "OwnRoute")},
    "rollout.errors": {name: name for name in ("Fault", "InvalidInput", "RolloutError")},
    "rollout.model.agent_state": {name: name for name in ("CompatibilityVerdict", "Finding", "Severity")},
    "rollout.model.api.policy": {"PolicySpec": "PolicySpec"},
    "rollout.model.api.rollout": {name: name for name in ("Metadata", "RolloutSpec")},
    "rollout.model.documents": {name: name for name in ("Documents", "read_documents")},
    "rollout.model.rollout": {"Rollout": "Rollout"},
    "rollout.model.status.status": {"Status": "Status"},
    "rollout.model.status.vocabulary": {name: name for name in ("Phase", "Reason", "Result")},
    "rollout.stats": {"Increment": "Increment"},
}
"""Where each public name lives, and what it is called there. Loaded on use: the command line must start fast."""

_PLACES = {public: (module, name) for module, names in _HOMES.items() for public, name in names.items()}


def __getattr__(public: str) -> object:
    from importlib import import_module  # noqa: PLC0415  see above

    if public not in _PLACES:
        raise AttributeError(f"module 'rollout' has no attribute {public!r}")
    module, name = _PLACES[public]
    value = getattr(import_module(module), name)
    globals()[public] = value
    return value


def __dir__() -> list[str]:
    return __all__
