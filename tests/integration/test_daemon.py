"""The daemon with real Envoys: several rollouts at once, killed and resumed; no request lost; undo; previews."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time

import pytest

from tests.integration.agents import BLUE_GREEN, CANARY, LONG, Users, ask
from tests.integration.place import Place
from tests.integration.real import needs_envoy, processes_with, rollout
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy]


def test_several_rollouts_survive_a_daemon_that_is_killed_again_and_again(place):
    place.add("good", CANARY)
    place.add("bad", CANARY, failing=0.5)
    place.add("blue", BLUE_GREEN)
    users = []
    for name in place.listen:
        place.run("start", "v1", "--stable", "v1", "--detach", name=name)
    for name, address in place.listen.items():
        eventually(lambda address=address: ask_is_200(address), 120, f"Envoy of {name} is not up")
        users.append(place.stack.enter_context(Users(address, rate=40, threads=5)))
    for name in place.listen:
        place.run("start", "v2", "--detach", name=name)
    chance, killed = random.Random(7), 0
    for _ in range(6):
        time.sleep(chance.uniform(0.3, 1.5))
        for line in processes_with(f"daemon --state {place.state}"):
            subprocess.run(["kill", "-9", line.split()[0]], check=False)
            killed += 1
        eventually(lambda: not processes_with(f"daemon --state {place.state}"), 60)
        for name in place.listen:
            status = place.status(name)
            assert status["traffic"]["wantedBp"] <= allowed(status, name)
        place.daemon()
    assert killed >= 6
    eventually(lambda: all(over(place.status(name)) for name in place.listen), 300, "not all of them ended")
    ends = {name: (place.status(name)["result"], place.status(name)["stableVersion"]) for name in place.listen}
    assert ends == {"good": ("promoted", "v2"), "bad": ("rolled-back", "v1"), "blue": ("promoted", "v2")}
    assert [each.lost for each in users] == [[], [], []]
    history = json.loads(place.run("history", "bad", "-o", "json"))["items"]
    assert [each["result"] for each in history] == ["rolled-back"], "each release is told once, however often killed"


def ask_is_200(address: str) -> bool:
    try:
        return ask(address)[0] == 200
    except OSError:
        return False


def over(status: dict) -> bool:
    return status["phase"] in ("Stable", "RolledBack") and "result" in status


def allowed(status: dict, name: str) -> int:
    if status["phase"] in ("Baking", "Draining", "Stable"):
        return 10_000
    if status["phase"] in ("Preflight", "RollingBack", "RolledBack") or name == "blue":
        return 0
    return (2500, 5000)[status["step"]]


@pytest.mark.alone
def test_no_request_is_lost_at_200_a_second_by_a_switch_an_undo_or_a_restart(place):
    place.add("blue", BLUE_GREEN)
    place.run("start", "v1", "--stable", "v1", name="blue")
    with Users(place.listen["blue"], rate=200, threads=20) as users:
        eventually(lambda: users.by_version["v1"] > 200, why="nobody asks")
        daemon = place.daemon()
        place.run("start", "v2", "--detach", name="blue")
        eventually(lambda: place.status("blue")["phase"] == "Baking", 30)
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
        place.daemon()
        eventually(lambda: over(place.status("blue")), 30)
        assert place.status("blue")["stableVersion"] == "v2"
        eventually(lambda: users.by_version["v2"] > 200, why="nobody is answered by v2")
        place.run("undo", "blue", "--reason", "just to see")
        assert place.status("blue")["result"] == "undone" and place.status("blue")["stableVersion"] == "v1"
        asked_before = users.asked
        eventually(lambda: users.asked > asked_before + 100, why="nobody asks after the undo")
    assert users.lost == []


def test_a_preview_is_reached_by_header_and_listener_and_by_no_user(place):
    place.add("blue", BLUE_GREEN.replace("for: 3s", "for: 60s", 1))
    place.run("start", "v1", "--stable", "v1", name="blue")
    assert ask(place.preview["blue"])[0] == 503
    with Users(place.listen["blue"], rate=50) as users:
        place.run("start", "v2", "--detach", name="blue")
        eventually(lambda: place.status("blue")["reason"] == "Previewing", 30)
        assert ask(place.preview["blue"]) == (200, "v2")
        assert ask(place.listen["blue"], x_rollout_preview="v2") == (200, "v2")
        assert ask(place.listen["blue"], x_rollout_preview="v3") == (200, "v1")
        for _ in range(30):
            assert ask(place.listen["blue"]) == (200, "v1")
    place.run("abort", "blue")
    eventually(lambda: place.status("blue")["phase"] == "RolledBack", 10)
    assert ask(place.preview["blue"])[0] == 503
    assert users.lost == [] and set(users.by_version) == {"v1"}


def test_a_command_gate_tries_the_preview_and_its_no_stops_the_rollout(place):
    check = (
        "import os,sys,urllib.request as u; r=u.Request(os.environ['ROLLOUT_PREVIEW'],b'x'); "
        "said=u.urlopen(r).read().decode(); print('the preview says', said); sys.exit(said == 'v2')"
    )
    gate = f"""  gates:
    commands:
    - name: smoke
      run: [python3, -c, "{check}"]
      timeout: 20s
"""
    place.add("blue", BLUE_GREEN, more=gate)
    place.run("start", "v1", "--stable", "v1", name="blue")
    with Users(place.listen["blue"], rate=50) as users:
        told = place.run("start", "v2", name="blue", code=3)
    assert "smoke: failed: exit 1: the preview says v2" in told
    assert set(users.by_version) == {"v1"}


def test_two_daemons_never_share_a_place_and_start_follows_the_one_there_is(place):
    place.add("good", CANARY)
    place.run("start", "v1", "--stable", "v1", name="good")
    place.daemon()
    assert "already" in place.run("daemon", code=5)
    with Users(place.listen["good"], rate=100) as users:
        told = place.run("start", "v2", name="good")
    assert "v2 is promoted" in told and users.lost == []
    assert json.loads(place.run("history", "good", "-o", "json"))["items"][-1]["candidate"] == "v2"


def test_a_pipeline_waits_for_what_it_started(place):
    place.add("good", CANARY)
    place.add("bad", CANARY, failing=0.6)
    place.add("long", LONG)
    for name in place.listen:
        place.run("start", "v1", "--stable", "v1", name=name)
    with Users(place.listen["good"], rate=60), Users(place.listen["bad"], rate=60):
        for name in place.listen:
            place.run("start", "v2", "--detach", name=name)
        assert "(exit 124" in place.run("wait", "long", "--timeout", "1s", code=124)
        assert "v2 is promoted" in place.run("wait", "good", "--timeout", "240s")
        assert "(exit 3" in place.run("wait", "bad", "--timeout", "240s", code=3)
        assert "(exit 0" in place.run("wait", "good", "--timeout", "1s"), "it is over already"


def test_a_newer_version_declared_in_mid_flight_supersedes_through_the_daemon(place):
    place.add("good", LONG)
    place.run("start", "v1", "--stable", "v1", name="good")
    with Users(place.listen["good"], rate=50) as users:
        place.run("start", "v2", "--detach", name="good")
        eventually(lambda: place.status("good")["phase"] == "Observing", 30)
        place.run("start", "v3", "--detach", name="good")
        eventually(lambda: place.status("good").get("candidateVersion") == "v3", 30)
        eventually(lambda: place.status("good")["phase"] == "Observing", 30)
        assert json.loads(place.run("history", "good", "-o", "json"))["items"][-1]["result"] == "superseded"
        asked, _ = rollout_started(place, "v2", "good")
        place.run("start", "v3", "--detach", name="good")
        err = asked.communicate(timeout=300)[1]
        assert asked.returncode == 4 and "superseded by v3" in err, (asked.returncode, err)
        place.run("abort", "good")
        eventually(lambda: over(place.status("good")), 20)
    assert users.lost == []


def rollout_started(place: Place, version: str, name: str):
    """`rollout start` as a process that follows the daemon; returns it once it is heard."""
    words = ("start", version, "-f", str(place.directory / f"{name}.yaml"), "--state", str(place.state))
    asked = rollout(*words, cwd=place.directory)
    eventually(lambda: place.status(name).get("candidateVersion") == version, 30)
    return asked, place.status(name)


def test_a_daemon_that_ends_for_want_of_work_never_takes_a_rollout_with_it(place):
    """The moment between its last look and its end is when work must not be handed over."""
    place.add("good", LONG)
    place.run("start", "v1", "--stable", "v1", name="good")
    with Users(place.listen["good"], rate=50):
        for version, idle_s in (("v2", 0.0), ("v3", 4.7), ("v2", 5.2)):
            time.sleep(idle_s)
            place.run("start", version, "--detach", name="good")
            eventually(lambda: processes_with(f"daemon --state {place.state}"), 30, "nobody watches")
            eventually(lambda version=version: place.status("good").get("candidateVersion") == version, 10)
            place.run("abort", "good")
            eventually(lambda: over(place.status("good")), 20)
            assert place.status("good")["result"] == "aborted"


def test_a_daemon_started_by_detach_ends_when_nothing_is_under_way(place):
    place.add("bad", CANARY, failing=0.6)
    place.run("start", "v1", "--stable", "v1", name="bad")
    with Users(place.listen["bad"], rate=100):
        place.run("start", "v2", "--detach", name="bad")
        eventually(lambda: over(place.status("bad")), 40)
    assert place.status("bad")["result"] == "rolled-back"
    eventually(lambda: not processes_with(f"daemon --state {place.state}"), 20, "it stays for nothing")
