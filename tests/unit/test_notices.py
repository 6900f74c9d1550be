"""What people are told of a release: when, once, and without anybody waiting for it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from rollout.engine.effects import SetWeight
from rollout.engine.notices import DELIVERED_WITHIN_S, NOTICES_MAX
from rollout.engine.ports import Ports
from rollout.engine.requeue import NOTICE_S, WAITING_S
from rollout.local.run_one import run
from rollout.model.documents import policy_spec
from rollout.model.notice_kinds import EVERY_KIND
from rollout.model.rollout import Rollout
from rollout.model.status.notices import Notice
from rollout.model.status.vocabulary import Phase
from rollout.runtime.clock import CLOCK as WALL
from tests.dashboard.stores import HOUR_S
from tests.statuses import status_with
from tests.world import POLICY, Behaviour, World, policy


def targets(*events: tuple[str, ...] | None) -> dict:
    """The declaration of targets t0, t1, …, each with what it is told; None: everything."""
    return {
        "targets": [
            {"name": f"t{index}", "apprise": {"url": {"env": "CHAT"}}, **({"events": [*kinds]} if kinds else {})}
            for index, kinds in enumerate(events)
        ]
    }


EVERYTHING = targets(None)


def world(notifications=EVERYTHING, **options) -> World:
    changes = options.pop("changes", {})
    return World(policy(notifications=notifications, **changes), **options)


def kinds(of: World, target: str = "t0") -> list[str]:
    return [kind for kind, _ in of.notifier.messages.get(target, [])]


# what is told, and when


def test_a_release_that_is_promoted_is_told_step_by_step_each_once():
    made = world(rate=60.0)
    made.run(6 * HOUR_S, until="Draining", every_s=5.0)
    made.run(HOUR_S, until="Stable", every_s=5.0)
    assert kinds(made) == ["started", "stepPassed", "stepPassed", "stepPassed", "promoted"]
    messages = [message for _, message in made.notifier.messages["t0"]]
    assert "v1 to v2" in messages[0]
    assert [message.split(" (")[0] for message in messages[1:4]] == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert "v2 is promoted" in messages[4] and "tasks" in messages[4], "with the reason"


def test_a_release_that_is_rolled_back_is_told_at_once_and_once_it_is_effective():
    made = world(rate=60.0)
    made.behaviour["v2"] = Behaviour(tasks=0.4)
    made.run(HOUR_S, until="RolledBack", every_s=2.0)
    made.run(20)
    assert kinds(made)[0] == "started" and kinds(made)[-2:] == ["rollingBack", "rolledBack"]
    assert all("tasks: v2" in message for kind, message in made.notifier.messages["t0"] if kind == "rollingBack")


def test_an_approval_that_is_needed_is_told_and_a_pause_by_a_human_is_another_thing():
    steps = [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "approval": "required"}]
    made = world(changes={"canary": {"steps": steps, "bake": {"for": "5m"}}})
    made.run(HOUR_S, until="Paused")
    made.run(5)
    assert kinds(made)[-1] == "needsApproval"
    assert "waits for an approval" in made.notifier.messages["t0"][-1][1]
    made.command("approve")
    made.run(30)
    made.command("pause")
    made.run(10)
    assert kinds(made)[-1] == "paused" and "ada" in made.notifier.messages["t0"][-1][1]


def test_an_abort_is_told_as_a_rollback_with_whoever_gave_it():
    made = world()
    made.run(120)
    made.command("abort")
    made.run(60, until="RolledBack")
    made.run(5)
    assert kinds(made)[-1] == "rolledBack" and "aborted" in made.notifier.messages["t0"][-1][1]


def test_a_version_that_somebody_has_changed_is_told_once_for_each_change():
    made = world()
    made.workloads.made_of["v2"] = {"image agent": "a", "prompt": "p"}
    made.run(120)
    for image, prompt in (("b", "p"), ("b", "p"), ("c", "q")):
        made.workloads.made_of["v2"] = {"image agent": image, "prompt": prompt}
        made.run(40)
    drifts = [message for kind, message in made.notifier.messages["t0"] if kind == "drift"]
    assert len(drifts) == len(set(drifts)) == 2, drifts


def test_a_rollback_is_told_as_done_only_once_it_is():
    made = world()
    made.run(120)
    made.router.deaf = True
    made.command("abort")
    made.run(60)
    assert made.status.phase is Phase.ROLLING_BACK and made.router.share_of("v2") > 0
    assert "rollingBack" in kinds(made) and "rolledBack" not in kinds(made)
    made.router.deaf = False
    made.run(60, until="RolledBack")
    made.run(5)
    assert kinds(made).count("rolledBack") == 1 and made.router.share_of("v2") == 0


def test_a_version_that_another_one_replaces_has_its_end_told_too():
    made = world()
    made.run(120)
    made.declare(version="v3")
    made.run(120)
    told = made.notifier.messages["t0"]
    told = [(kind, message) for kind, message in told if kind != "stepPassed"]
    assert [kind for kind, _ in told] == ["started", "rollingBack", "rolledBack", "started"]
    assert told[-2][1] == "v2 was superseded: v3 is wanted" and "v1 to v3" in told[-1][1]


def test_a_release_that_goes_on_is_told():
    made = world()
    made.run(120)
    made.command("pause")
    made.run(10)
    made.command("resume")
    made.run(10)
    assert kinds(made)[-2:] == ["paused", "resumed"]


def test_each_is_told_with_the_version_and_the_weight_that_it_is_about():
    made = world(rate=60.0)
    made.notifier.down = True
    made.run(6 * HOUR_S, until="Draining", every_s=5.0)
    shown = {notice.kind: notice for plan in made.plans for notice in plan.status.notices}
    assert shown["promoted"].stable == "v1" and shown["promoted"].candidate == "v2"
    assert shown["stepPassed"].weight_bp == 5000 and "50 %" in shown["stepPassed"].message


def test_weights_that_somebody_else_has_changed_are_told():
    made = world()
    made.run(120)
    made.router.effective = SetWeight("v1", "v2", 7000)
    made.run(30)
    assert "drift" in kinds(made)


def test_a_target_is_told_only_what_it_asked_for():
    made = world(targets(("promoted",), ("started", "stepPassed"), None), rate=60.0)
    made.run(6 * HOUR_S, until="Draining", every_s=5.0)
    made.run(30)
    assert kinds(made, "t0") == ["promoted"]
    assert set(kinds(made, "t1")) == {"started", "stepPassed"}
    assert set(kinds(made, "t2")) == {"started", "stepPassed", "promoted"}


def test_where_nobody_is_to_be_told_nothing_is_written_down():
    made = World()
    made.run(200)
    assert made.status.notices == () and made.status.notified == () and made.notifier.messages == {}


# nobody waits


def test_a_release_goes_its_way_while_nobody_can_be_told():
    made, silent = World(rate=60.0, seed=3), world(rate=60.0, seed=3)
    silent.notifier.down = True
    for one in (made, silent):
        one.run(6 * HOUR_S, until="Draining", every_s=5.0)
    assert silent.clock.at - made.clock.at <= timedelta(seconds=10)
    assert silent.status.notices and kinds(silent) == []


def test_what_was_not_delivered_is_told_once_somebody_answers_in_the_order_of_events():
    made = world(rate=60.0)
    made.notifier.down = True
    made.run(300)
    made.notifier.down = False
    made.run(5)
    assert kinds(made)[:2] == ["started", "stepPassed"] and made.status.notices == ()


def test_after_an_hour_it_is_given_up_and_recorded():
    steps = [{"weight": "10%", "for": "5h"}]
    made = world(changes={"canary": {"steps": steps, "bake": {"for": "1m"}}}, rate=0.0)
    made.notifier.down = True
    made.run(DELIVERED_WITHIN_S + 60, every_s=10.0)
    assert made.status.notices == ()
    lost = [decision for plan in made.plans for decision in plan.decisions if decision.reason == "NotNotified"]
    assert [decision.message for decision in lost] == [
        "the notification of started was not delivered to t0: nobody answers"
    ]


def test_no_more_than_a_bound_wait_to_be_told():
    made = world()
    made.run(30)
    now = made.clock.at
    many = tuple(
        Notice(id=f"n{index}", kind="drift", at=now, deadline=now + timedelta(hours=1), pending=("t0",), message="m")
        for index in range(NOTICES_MAX + 5)
    )
    made.notifier.down = True
    rollout = made.status_store.rollout
    made.status_store.rollout = type(rollout)(rollout.metadata, rollout.spec, status_with(made.status, notices=many))
    made.reconcile()
    assert len(made.status.notices) == NOTICES_MAX and made.status.notices[-1].id == many[-1].id


def test_a_target_that_is_taken_out_of_the_policy_is_told_nothing_more():
    made = world(targets(None, None))
    made.notifier.down = True
    made.run(10)
    assert made.status.notices[0].pending == ("t0", "t1")
    fewer = policy(notifications=targets(None))
    made.policy = fewer
    made.status_store.rollout = type(made.status_store.rollout)(
        made.status_store.rollout.metadata,
        made.status_store.rollout.spec,
        status_with(made.status, policy=made.status.latest.policy.model_copy(update={"text": fewer.canonical()})),
    )
    made.reconcile()
    assert made.status.notices[0].pending == ("t0",)


def test_a_rollout_at_rest_is_looked_after_until_everybody_knows():
    made = world(rate=60.0)
    made.notifier.down = True
    made.run(6 * HOUR_S, until="Draining", every_s=5.0)
    made.run(HOUR_S, until="Stable", every_s=5.0)
    assert made.status.phase is Phase.STABLE and made.status.notices
    assert 0 < made.reconcile().requeue_after_s <= WAITING_S
    assert NOTICE_S < WAITING_S


def test_a_controller_that_dies_after_writing_it_down_leaves_it_to_the_next_one():
    made = world()
    made.notifier.down = True
    made.run(5)
    assert [notice.kind for notice in made.status.notices] == ["started"]
    ids = [notice.id for notice in made.status.notices]
    made.notifier = type(made.notifier)()  # another process: it remembers nothing
    made.reconcile()
    made.reconcile()
    assert kinds(made) == ["started"] and made.status.notices == () and made.status.notified == tuple(ids)


def foreground(made: World) -> SimpleNamespace:
    """A release in the foreground, as `run` has it."""
    ports = Ports(made.status_store, (), made.metrics, made.workloads, made.gatekeeper, WALL, notifier=made.notifier)
    return SimpleNamespace(
        ports=ports, policy_of=lambda _: made.policy, reconcile=lambda: SimpleNamespace(plan=made.plans[-1])
    )


def at_its_end(**options) -> World:
    """A release that has just ended, by the wall clock, of which people know nothing yet."""
    made = world(rate=60.0, **options)
    made.notifier.down = True
    made.run(6 * HOUR_S, until="Draining", every_s=5.0)
    notices = tuple(notice.model_copy(update={"at": WALL.now()}) for notice in made.status.notices)
    rollout = made.status_store.rollout
    made.status_store.rollout = Rollout(rollout.metadata, rollout.spec, status_with(made.status, notices=notices))
    return made


def test_a_release_in_the_foreground_ends_once_people_know_of_its_end():
    """Nobody comes after it to tell them."""
    made, asked = at_its_end(), []
    tell = made.notifier.deliveries

    def deliveries(rollout, notifications):
        asked.append(1)
        made.notifier.down = len(asked) < 3
        return tell(rollout, notifications)

    made.notifier.deliveries = deliveries
    assert run("agent", foreground(made), lambda _: None, lambda _: True) is not None
    assert "promoted" in kinds(made) and made.status.notices == ()


def test_while_people_are_told_nothing_is_planned_any_more():
    """A command that comes in then is for whoever carries the rollout out next."""
    made = at_its_end()
    made.notifier.down = False
    planned = len(made.plans)
    made.command("undo")
    run("agent", foreground(made), lambda _: None, lambda _: True)
    assert len(made.plans) == planned and made.status_store.pending, "the undo was taken by a process that ends"


def test_a_fault_while_people_are_told_is_no_fault_of_the_release():
    made = at_its_end()

    def fail(*_):
        raise KeyError("x")

    made.notifier.deliveries = fail
    assert run("agent", foreground(made), lambda _: None, lambda _: True) is not None


# what can be declared


@pytest.mark.parametrize(
    ("notifications", "fault"),
    [
        ({"targets": [{"name": "a"}]}, "needs exactly one of apprise, webhook, github; none is given"),
        (
            {"targets": [{"name": "a", "apprise": {"url": {"env": "A"}}, "webhook": {"url": "https://x/", "key": {"env": "K"}}}]},
            "are both given",
        ),
        ({"targets": [{"name": "a", "apprise": {"url": {}}}]}, "needs exactly one of secretKeyRef, env"),
        ({"targets": [*targets(None)["targets"], *targets(None)["targets"]]}, "is used by another target"),
        ({"link": "https://x/$rollout", **EVERYTHING}, "$rollout is not a name that this template knows"),
        ({"targets": [{**EVERYTHING["targets"][0], "events": ["started", "nonsense"]}]}, "events[1]"),
        ({"targets": [{"name": "a", "github": {"repository": "x", "token": {"env": "T"}}}]}, "repository"),
        ({"targets": [{"name": "a", "webhook": {"url": "https://user:secret@x/", "key": {"env": "K"}}}]}, "url"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_a_fault_with_its_place(notifications, fault):
    import yaml

    _, faults = policy_spec({**yaml.safe_load(POLICY), "notifications": notifications})
    assert any(fault in str(one) for one in faults), faults
    assert all(one.path.startswith("notifications") for one in faults)


def test_everything_is_told_unless_it_is_said_otherwise():
    declared = policy(notifications=EVERYTHING).notifications
    assert declared.targets[0].events == EVERY_KIND
