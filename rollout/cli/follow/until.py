"""What every way to start shares: checking what is wanted, and knowing when it is over."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.cli.documents import Target
    from rollout.engine.planned import Plan
    from rollout.model.rollout import Rollout


class OnPause(StrEnum):
    WAIT = "wait"
    FAIL = "fail"


def until_over(on_pause: OnPause, load: Callable[[], Rollout]) -> Callable[[Plan], bool]:
    """Return what says that nothing more will happen by itself; load: the rollout as declared now."""
    from rollout.engine.eligibility import starts_by_itself
    from rollout.model.status.vocabulary import Phase

    def done(plan: Plan) -> bool:
        status, wanted = plan.status, load().spec.version
        if status.phase in (Phase.PAUSED, Phase.FROZEN):
            return on_pause is OnPause.FAIL
        drains = status.phase is Phase.DRAINING and wanted != status.stable_version
        if (status.is_active and not drains) or plan.effects:
            return False
        return not starts_by_itself(status, wanted)

    return done


def until_settled(version: str, on_pause: OnPause, load: Callable[[], Rollout]) -> Callable[[Plan], bool]:
    """Return what says that there is nothing more to follow: the version is promoted, or will not be by itself.

    Unlike whoever carries it out, whoever follows need not see the drain through, nor another version that is wanted
    instead by now.

    Args:
        load: the rollout as declared now.
    """
    from rollout.model.status.vocabulary import Phase, Result

    over = until_over(on_pause, load)

    def settled(plan: Plan) -> bool:
        promoted = plan.status.stable_version == version and plan.status.latest.result is Result.PROMOTED
        going_back = plan.status.phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING)
        stuck = plan.status.blocked is not None and going_back
        return load().spec.version != version or promoted or stuck or over(plan)

    return settled


def say_if_declined(rollout: Rollout, version: str, *, pending: bool) -> None:
    from rollout.engine.eligibility import starts_by_itself

    status = rollout.status
    if (
        not status.is_active
        and version != status.stable_version
        and not starts_by_itself(status, version)
        and not pending
    ):
        say(
            f"{version} failed or was aborted before. To release it again: rollout retry",
            err=True,
        )


def checked(target: Target, version: str, stable: str | None, state: Path) -> Rollout:
    """Return the rollout as it is wanted, everything it depends on tried. Raises InvalidInput with every fault."""
    from rollout.adapters.storage.sqlite import SqliteStore

    recorded = SqliteStore(state).get(target.metadata.name) if (state / "rollouts.db").exists() else None
    wanted = wanted_rollout(target, version, stable, recorded.rollout if recorded else None)
    if recorded is None or not recorded.rollout.status.is_active:
        _try_out(wanted, state)
    return wanted


def wanted_rollout(target: Target, version: str, stable: str | None, recorded: Rollout | None) -> Rollout:
    """Return the rollout as it is to be recorded. Raises InvalidInput with every fault."""
    from rollout.errors import Fault, InvalidInput
    from rollout.model.rollout import Rollout
    from rollout.model.status.status import Status

    faults = []
    versions = target.spec.backends.served
    status = recorded.status if recorded else Status()
    known = status.stable_version
    if known is not None and stable not in (None, known):
        faults.append(Fault("--stable", f"{known} is recorded as stable", "leave --stable out", stable))
    first = known or stable or _declared_stable(target, version)
    for option, argument in (("VERSION", version), ("--stable", first)):
        if argument is not None and argument not in versions:
            remedy = f"add it to spec.backends.endpoints in {target.where}; there are {', '.join(versions)}"
            faults.append(Fault(option, "has no endpoint", remedy, argument))
    if first is None:
        others = " or ".join(f"--stable {other}" for other in versions if other != version)
        remedy = f"set it once: --stable {version} if users are on it, else {others}"
        faults.append(Fault("--stable", "the stable version is not known", remedy))
    if faults:
        raise InvalidInput(faults)
    spec = target.spec.model_copy(update={"version": version})
    return Rollout(target.metadata, spec, status.model_copy(update={"stable_version": first}))


def _declared_stable(target: Target, version: str) -> str | None:
    """At the first start: the version that the file declares is the one in use, unless it is the one to release."""
    versions = target.spec.backends.served
    if versions == (version,):
        return version
    return target.spec.version if target.spec.version != version else None


def _try_out(wanted: Rollout, state: Path) -> None:
    """Try everything a new rollout depends on before anything is changed. Raises InvalidInput with every fault."""
    from rollout.errors import InvalidInput
    from rollout.local.wiring import LocalWiring

    stable, version = wanted.status.stable_version, wanted.spec.version or ""
    with LocalWiring(wanted, state) as wired:
        if faults := wired.probe(stable or version, version):
            raise InvalidInput(faults)
        for missing in wired.missing_metrics(stable or version, version):
            say(missing, err=True)
