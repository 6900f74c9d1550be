"""The invariants of a release, over random sequences of turns, commands, faults and edits, through the real loop."""

from __future__ import annotations

import yaml
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rollout.engine.analysis.verdict import must_prove
from rollout.engine.effects import SetWeight
from rollout.engine.facts import CheckFact
from rollout.errors import RolloutError
from rollout.model.api.policy import PolicySpec
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result
from tests.world import POLICY, Behaviour, World, policy

STEPS = [
    {"weight": "5%", "for": "10s"},
    {"weight": "20%", "for": "20s", "until": "evidence", "atMost": "10m", "approval": "required"},
    {"weight": "50%", "for": "20s", "until": "evidence", "atMost": "20m"},
]
WEIGHTS = (500, 2000, 5000)


COMMON = {
    "evidence": {"sampleEvery": "5s", "warmUp": "5s"},
    "reactions": {"noData": {"then": "hold", "after": "30m", "do": "rollback"}},
    "gates": {"webhooks": [{"name": "evals", "url": "http://evals/run", "timeout": "5m"}]},
}


class Killed(BaseException):
    """SIGKILL: nothing catches it."""


class Releases(RuleBasedStateMachine):
    """Everything that may happen to a rollout, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.policy(), rate=40, conversations={"pin": {"header": "x-agent-version"}, "turns": 1})
        self.seen_weights = 0
        self.carried_out: set[str] = set()
        self.phases: set[Phase] = set()

    def policy(self) -> PolicySpec:
        return policy(canary={"steps": STEPS, "bake": {"for": "20s"}, "standby": {"for": "30m"}}, **COMMON)

    # --- what happens ------------------------------------------------------------------------------------------

    @rule(turns=st.integers(1, 12), gap_s=st.sampled_from([0.3, 1.0, 5.0, 20.0]))
    def turns(self, turns: int, gap_s: float) -> None:
        for _ in range(turns):
            self._look()
            self.world.pass_s(gap_s)

    @rule(minutes=st.integers(1, 40))
    def a_long_time(self, minutes: int) -> None:
        for _ in range(minutes * 2):
            self._look()
            self.world.pass_s(30.0)

    @rule(minutes=st.integers(2, 30), rate=st.sampled_from([0.5, 5.0, 40.0]), wanted=st.sampled_from(["v2", "v3"]))
    def all_is_well_and_somebody_helps(self, minutes: int, rate: float, wanted: str) -> None:
        """Without this the faults would keep every rollout at its first step, and later steps would go untested."""
        world = self.world
        world.router.down = world.router.deaf = False
        world.metrics.failing, world.workloads.down, world.rate = set(), set(), rate
        world.gatekeeper.closed, world.gatekeeper.verdicts = "", {"evals": CheckFact(passed=True)}
        if not world.status.is_active:
            world.declare(version=wanted)
        world.declare(paused=False, version=world.status_store.rollout.spec.version)
        for _ in range(minutes * 6):
            if world.status.phase is Phase.PAUSED:
                world.command("approve" if world.status.held_by == "approval" else "resume")
            self._look()
            world.pass_s(10.0)

    @rule(
        verb=st.sampled_from(["promote", "approve", "pause", "resume", "abort", "retry", "undo", "approve", "resume"]),
        stale=st.booleans(),
    )
    def a_command(self, verb: str, stale: bool) -> None:
        phase = self.world.status.phase
        self.world.command(verb, phase="Baking" if stale else phase, step=self.world.status.latest.step)

    @precondition(lambda self: self.world.status_store.pending)
    @rule(data=st.data())
    def a_command_delivered_again(self, data: st.DataObject) -> None:
        self.world.status_store.again = [data.draw(st.sampled_from(self.world.status_store.pending[-10:]))]

    @rule(version=st.sampled_from(["v2", "v3"]), tasks=st.sampled_from([0.02, 0.04, 0.3, 0.9]))
    def a_version_behaves(self, version: str, tasks: float) -> None:
        self.world.behaviour[version] = Behaviour(tasks=tasks)

    @rule(tasks=st.sampled_from([0.04, 0.5]))
    def everybody_behaves(self, tasks: float) -> None:
        for version in self.world.behaviour:
            self.world.behaviour[version] = Behaviour(tasks=tasks)

    @rule(rate=st.sampled_from([0.0, 0.5, 40.0, 40.0]))
    def the_traffic_changes(self, rate: float) -> None:
        self.world.rate = rate

    @rule(down=st.booleans(), deaf=st.booleans())
    def the_router_fails_or_recovers(self, down: bool, deaf: bool) -> None:
        self.world.router.down, self.world.router.deaf = down, deaf

    @rule(failing=st.sets(st.sampled_from(["errors", "tasks"])), down=st.sets(st.sampled_from(["v1", "v2", "v3"])))
    def the_world_fails_or_recovers(self, failing: set[str], down: set[str]) -> None:
        self.world.metrics.failing, self.world.workloads.down = failing, down

    @rule(bp=st.integers(0, 10_000))
    def somebody_edits_the_route(self, bp: int) -> None:
        now = self.world.router.effective
        if now is not None and now.candidate is not None:
            self.world.router.effective = SetWeight(now.stable, now.candidate, bp)

    @rule(closed=st.booleans())
    def a_window_opens_or_closes(self, closed: bool) -> None:
        self.world.gatekeeper.closed = "on Monday" if closed else ""

    @rule(passed=st.sampled_from([True, False, None]))
    def a_check_has_its_say(self, passed: bool | None) -> None:
        self.world.gatekeeper.verdicts["evals"] = CheckFact(passed=passed)

    @rule(version=st.sampled_from(["v1", "v2", "v3"]))
    def another_version_is_wanted(self, version: str) -> None:
        self.world.declare(version=version)

    @rule(paused=st.booleans())
    def the_spec_is_paused_or_not(self, paused: bool) -> None:
        self.world.declare(paused=paused)

    @rule()
    def the_disk_is_full_for_a_moment(self) -> None:
        self.world.status_store.broken = True
        self._look()
        self.world.status_store.broken = False

    @rule()
    def the_controller_is_killed_before_its_effect(self) -> None:
        def die(_: SetWeight) -> None:
            raise Killed

        self.world.router.apply = die  # type: ignore[method-assign]
        try:
            self._look()
        except Killed:
            pass
        finally:
            del self.world.router.apply

    @rule(seconds=st.integers(1, 7200))
    def the_clock_steps_back(self, seconds: int) -> None:
        self.world.clock.pass_s(-seconds)

    # --- what must hold ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        before = self.world.status
        try:
            self.world.reconcile()
        except RolloutError:
            self._weights_are_allowed(
                before
            )  # nothing was recorded: what was done all the same was about what had been
            return
        self.phases.add(self.world.status.phase)
        self._commands_are_carried_out_at_most_once(before, self.world.status)
        self._weights_are_allowed(self.world.status)
        self._promotion_had_evidence(before, self.world.status)
        self._more_traffic_had_its_gates_open(before, self.world.status)

    def _more_traffic_had_its_gates_open(self, before: Status, after: Status) -> None:
        """No version gets more while the window is closed, unless somebody waived it; none at all before its checks."""
        raised = after.latest.traffic.wanted_bp > before.latest.traffic.wanted_bp
        if raised and after.phase is not Phase.ROLLING_BACK and not after.latest.undoing:
            move = before.latest.steps if after.phase is Phase.BAKING else before.latest.step
            assert not self.world.gatekeeper.closed or move in after.latest.window_waived
            states = {run.state for run in after.latest.checks if run.point == "before-traffic"}
            assert states == {"passed"}, states

    def _weights_are_allowed(self, status: Status) -> None:
        """A version gets no more share than its step allows, none before its gates; approvals are respected."""
        for weight in self.world.router.applied[self.seen_weights :]:
            assert 0 <= weight.weight_bp <= 10_000
            assert weight.weight_bp <= self._allowed(status), (weight, status.phase, status.latest.step)
            assert {weight.stable, weight.candidate} <= {
                status.stable_version,
                status.previous_version,
                status.candidate_version,
                None,
            }
            self._pins_are_right(status, weight)
        self.seen_weights = len(self.world.router.applied)

    def _pins_are_right(self, status: Status, weight: SetWeight) -> None:
        """No new conversation begins on a candidate whose started ones would not stay, nor stable's."""
        assert set(weight.pins.versions) <= {"v1", "v2", "v3"}
        if status.phase in (Phase.SHIFTING, Phase.OBSERVING) and weight.weight_bp > 0:
            assert {weight.stable, weight.candidate} <= set(weight.pins.versions), weight.pins
            assert weight.pins.started is not None
        assert set(weight.pins.versions) <= {status.stable_version, status.candidate_version, *status.draining}

    def _allowed(self, status: Status) -> int:
        if status.phase in (
            Phase.STABLE,
            Phase.PREFLIGHT,
            Phase.ROLLING_BACK,
            Phase.ROLLED_BACK,
            Phase.SUPERSEDING,
        ):
            return 0
        at_full = status.phase in (Phase.BAKING, Phase.DRAINING) or status.resume_to is Phase.BAKING
        if at_full or (status.phase is Phase.FROZEN and status.latest.traffic.wanted_bp == 10_000):
            return 10_000
        reached = max((i for i in range(status.latest.step + 1) if i != 1 or 1 in status.latest.approved), default=0)
        return WEIGHTS[reached]

    def _promotion_had_evidence(self, before: Status, after: Status) -> None:
        """Promotion requires positive evidence, or a human who passed the last step by name."""
        if after.phase is Phase.BAKING and before.phase is not Phase.BAKING and before.resume_to is not Phase.BAKING:
            by_human = 2 in after.latest.passed_by_human
            proved = all(after.latest.evidence[kpi.name].proof.e_value >= 20 for kpi in must_prove(self.world.policy))
            assert by_human or proved or after.latest.undoing
            assert (
                by_human
                or after.latest.undoing
                or all(state.all_c > 0 and state.all_s > 0 for state in after.latest.evidence.values())
            )
        if after.stable_version != before.stable_version and after.latest.result is Result.UNDONE:
            assert before.phase in (Phase.STABLE, Phase.DRAINING) and after.stable_version == before.previous_version
            told = [each.message for each in self.world.plans[-1].decisions if each.kind == "command"]
            assert {message.partition(":")[0] for message in told} & {"undo", "abort"}, "several may come in one look"
        elif after.stable_version != before.stable_version:
            # A pause in the bake may be ended and the bake passed in one turn: both by a human's word.
            assert Phase.BAKING in (before.phase, before.resume_to) and after.latest.result is Result.PROMOTED
            assert after.stable_version == before.candidate_version

    def _commands_are_carried_out_at_most_once(self, before: Status, after: Status) -> None:
        new = [each for each in after.handled if each not in before.handled]
        told = [each for each in self.world.plans[-1].decisions if each.kind == "command"]
        assert len(told) == len(new), "each outcome belongs to a command answered for the first time"
        assert not self.carried_out & set(new)
        self.carried_out |= set(new)

    @invariant()
    def a_refused_command_has_a_reason(self) -> None:
        last = self.world.status.last_command
        assert last is None or last.message

    @invariant()
    def whoever_waits_knows_why_and_what_next(self) -> None:
        status = self.world.status
        if self.world.plans and status.is_active:
            assert status.message

    @invariant()
    def the_record_is_bounded(self) -> None:
        status = self.world.status
        assert len(status.decisions) <= 10 and len(status.handled) <= 20
        assert len(status.model_dump_json(by_alias=True)) < 64 * 1024

    def teardown(self) -> None:
        """Whatever happened: with a router that works, an abort ends at zero, metrics or not."""
        world = self.world
        world.router.down = world.router.deaf = False
        world.metrics.failing = {"errors", "tasks"}
        world.declare(paused=False)
        world.command("abort")
        for _ in range(6):
            self._look()
            world.clock.pass_s(1)
        status = world.status
        assert status.phase in (Phase.ROLLED_BACK, Phase.STABLE, Phase.PREFLIGHT, Phase.DRAINING), status.phase
        candidate = status.candidate_version
        if status.phase is Phase.ROLLED_BACK and candidate != status.stable_version:
            assert world.router.share_of(candidate or "") == 0.0


class Switches(Releases):
    """The same for blue-green: no user is on the candidate before the switch, and promotion has proof."""

    def policy(self) -> PolicySpec:
        raw = yaml.safe_load(POLICY)
        del raw["canary"]
        raw["blueGreen"] = {
            "preview": {"for": "20s"},
            "switch": {"approval": "required"},
            "bake": {"for": "20s"},
            "standby": {"for": "30m"},
        }
        return policy(yaml.safe_dump(raw), undo={"steps": [{"weight": "50%"}], "bake": {"for": "10s"}}, **COMMON)

    def _pins_are_right(self, status: Status, weight: SetWeight) -> None:
        """No new conversation begins on a candidate whose started ones would not stay, nor stable's."""
        assert set(weight.pins.versions) <= {"v1", "v2", "v3"}
        if status.phase in (Phase.SHIFTING, Phase.OBSERVING) and weight.weight_bp > 0:
            assert {weight.stable, weight.candidate} <= set(weight.pins.versions), weight.pins
            assert weight.pins.started is not None
        assert set(weight.pins.versions) <= {status.stable_version, status.candidate_version, *status.draining}

    def _allowed(self, status: Status) -> int:
        allowed = super()._allowed(status)
        return allowed if allowed in (0, 10_000) else 5000 if status.latest.undoing else 0

    def _promotion_had_evidence(self, before: Status, after: Status) -> None:
        if (
            after.stable_version == before.stable_version
            or after.latest.result is Result.UNDONE
            or after.latest.undoing
        ):
            return
        assert 1 in after.latest.passed_by_human or all(
            after.latest.evidence[kpi.name].proof.e_value >= 20 for kpi in must_prove(self.world.policy)
        )
        assert 0 in after.latest.approved or not before.latest.traffic.wanted_bp, "the switch was approved"


TestReleases = Releases.TestCase
TestSwitches = Switches.TestCase
