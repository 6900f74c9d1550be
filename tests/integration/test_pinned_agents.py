"""Real LangGraph agents that know nothing of pins, behind a real Envoy that pins their conversations by a cookie."""

from __future__ import annotations

import time

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.demo.stage import stage
from rollout.demo.words import GOODBYE
from tests.integration.real import needs_envoy, needs_langgraph, rollout
from tests.integration.talks import Talks
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy, needs_langgraph]

POLICY = """
spec:
  canary:
    steps: [{weight: 50%, for: 25s}]
    bake: {for: 5s}
  kpis:
  - {name: tasks, preset: agent-tasks, margin: {relative: 10%, absolute: 4%}, promotionMargin: {relative: 50%, absolute: 20%}}
  evidence: {sampleEvery: 1s, warmUp: 1s}
"""


def status_of(built):
    row = SqliteStore(built.state).get("support-agent")
    assert row is not None
    return row.rollout.status


def start(built, version, *more):
    return rollout("start", version, *more, "-f", str(built.file), "--state", str(built.state), cwd=built.directory)


def run(built, *words, code=0):
    done = rollout(*words, "--state", str(built.state), cwd=built.directory)
    out, err = done.communicate(timeout=300)
    assert done.returncode == code, err
    return out + err


@pytest.fixture
def built():
    with stage() as made:
        made.agents({"v1": "good", "v2": "good", "v3": "good"})
        made.declare(pinned=True)
        documents = made.file.read_text()
        made.file.write_text(documents[: documents.rindex("\nspec:")] + POLICY)
        try:
            yield made
        finally:
            for words in (("abort",), ("router", "stop")):
                rollout(*words, "--state", str(made.state), cwd=made.directory).communicate(timeout=180)


def test_200_conversations_of_real_agents_stay_whole_through_a_promotion_a_kill_and_a_rollback(built):
    first = start(built, "v1", "--stable", "v1")
    _, err = first.communicate(timeout=180)
    assert first.returncode == 0, err
    with Talks(built.address, talkers=30, bye=GOODBYE, chooses_id=False, pause_s=0.5) as talks:
        controller = start(built, "v2")
        eventually(lambda: status_of(built).phase == "Observing", 120, "v2 gets no weight")
        half_at = time.monotonic()
        controller.kill()
        controller.communicate()
        eventually(lambda: time.monotonic() > half_at + 3, 10)
        controller = start(built, "v2")
        eventually(lambda: status_of(built).phase == "Baking", 240, "v2 is not promoted")
        everything_at = time.monotonic()
        _, err = controller.communicate(timeout=240)
        assert controller.returncode == 0, err
        assert built.approve_refunds() == {"v1"}, "who waits for a human goes on where they began"
        assert "v1 is drained" in run(built, "drain", "v1", "--timeout", "4m")
        controller = start(built, "v3")
        eventually(lambda: sum(version == "v3" for _, version in list(talks.began)) > 10, 120, "nobody talks to v3")
        run(built, "abort")
        aborted_at = time.monotonic()
        controller.communicate(timeout=60)
        eventually(lambda: sum(at > aborted_at for at, _ in list(talks.began)) > 30, 120)
        assert status_of(built).pins.versions == ("v3",), "it keeps those that it has"
    assert talks.lost == []
    assert len(talks.whole) >= 200 and talks.hopped == []
    assert {version for at, version in talks.began if at > aborted_at} == {"v2"}, "new ones begin on stable"
    half = [version for at, version in talks.began if half_at < at < everything_at - 1]
    share = half.count("v2") / len(half)
    # At 50 % of n conversations, four standard deviations: 2 / sqrt(n).
    assert abs(share - 0.5) < 2 / len(half) ** 0.5, f"{share:.0%} of {len(half)} began on v2"
