"""Which series of a selector are a version's: found once, and anew when other series come or other pods are behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.ownership import foreign_problem, gateway_problem
from rollout.adapters.metrics.presets import ROUTERS
from rollout.adapters.metrics.selector import parse
from rollout.adapters.metrics.series import Series


@dataclass(frozen=True, slots=True)
class Term:
    """One selector of a round.

    Attributes:
        template: the selector with `$version` and the like still open.
        version: whose it is.
        preset: the family of presets that it is of, if it is of one.
    """

    text: str
    template: str
    version: str
    preset: str

    @property
    def is_any_agents(self) -> bool:
        """Whether it selects the series of all agents: the labels of each tell whose it is."""
        return self.preset not in ("", "gateway", *ROUTERS)


@dataclass(frozen=True, slots=True)
class Owned:
    """What was found for these series and these pods.

    Attributes:
        problem: why they cannot be used.
        places: of those that are the version's, in the order of the series.
        names: theirs.
        processes: theirs, each once.
    """

    series: Sequence[Series]
    pods: Pods | None
    problem: str
    places: tuple[int, ...]
    names: tuple[str, ...]
    processes: tuple[tuple[str | None, ...], ...]


@dataclass
class Owners:
    """What was found last, selector by selector."""

    known: dict[str, Owned] = field(default_factory=dict)

    def of(self, term: Term, series: Sequence[Series], pods: Pods | None) -> Owned:
        """Return which of a term's series are its version's.

        Args:
            pods: what is behind the version's Service; None: whatever is selected counts.
        """
        owned = self.known.get(term.text)
        if owned is None or owned.pods != pods or owned.series != series:
            owned = self.known[term.text] = _find(term, series, pods)
        return owned


def _find(term: Term, series: Sequence[Series], pods: Pods | None) -> Owned:
    problem, mine = "", [True] * len(series)
    if pods is not None and series:
        problem, mine = _of_version(term, series, pods)
    places = () if problem else tuple(place for place, is_mine in enumerate(mine) if is_mine)
    return Owned(
        series,
        pods,
        problem,
        places,
        tuple(series[place].name for place in places),
        tuple(dict.fromkeys(series[place].process for place in places)),
    )


def _of_version(term: Term, series: Sequence[Series], pods: Pods) -> tuple[str, list[bool]]:
    """Return why a term's series cannot be used, or an empty text; and which of them are the version's."""
    if term.preset == "gateway":
        label = next(iter(parse(term.text).matchers)).label
        return gateway_problem((one.labels.get(label, "") for one in series), pods.service, pods.namespace)
    if term.preset in ROUTERS:
        return "", [True] * len(series)  # their selectors name the Service and the namespace
    return foreign_problem(term.template, [one.labels for one in series], pods, is_preset=term.preset != "")
