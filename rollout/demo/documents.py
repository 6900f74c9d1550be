"""What the demo's user would have written: the rollout, and a policy in a hurry."""

from __future__ import annotations

from collections.abc import Mapping

_ROLLOUT = """\
# The rollout of the demo, as one would write it for real agents on a machine.
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{name: support-agent}}
spec:
  version: {stable}                # in use now; `rollout start VERSION` releases another
  backends:
    endpoints:
{endpoints}
  routes:
  - envoy: {{listen: "{listen}", preview: "{preview}"}}
  metrics: {{scrape: {{path: /metrics}}}}
{conversations}
  contract: {{http: {{path: /.well-known/agent-state-contract}}}}   # each version tells what it reads and writes
  stateStore: {{sqlite: {{path: threads.sqlite}}}}                  # the agents' own conversations, only ever read
  policyRef: {{name: demo}}
---
# A policy in a hurry: the steps are seconds where real ones are minutes. See policies/ for policies to copy.
apiVersion: rollout.dev/v1alpha1
kind: RolloutPolicy
metadata: {{name: demo}}
spec:
{strategy}
  kpis:
  - name: task-success
    preset: agent-tasks
    margin: {{relative: 10%, absolute: 1%}}
    promotionMargin: {{relative: 50%, absolute: 5%}}
    weight: 3
  - name: errors
    preset: envoy/errors
    margin: {{relative: 10%, absolute: 0.5%}}
    promotionMargin: {{relative: 50%, absolute: 3%}}
    weight: 4
  - name: latency
    preset: envoy/slow-requests
    with: {{slowerThan: 500ms}}
    margin: {{relative: 10%, absolute: 1%}}
    promotionMargin: {{relative: 50%, absolute: 4%}}
    weight: 2
  gates:
    state: {{require: full}}
  evidence: {{falseRollback: 5%, falsePromotion: 5%, sampleEvery: 1s, warmUp: 2s}}
"""

PIN_COOKIE = "agent-version"

SPLIT = "  conversations: {pinBy: {header: x-thread-id}, turns: 4}"

PINNED = f"""\
  conversations:
    pinBy: {{header: x-thread-id}}
    pin: {{cookie: {PIN_COOKIE}}}   # set by Envoy: a started conversation stays on its version
    census: {{gauge: 'agent_conversations_open{{version="$version"}}'}}
    turns: 4"""

STRATEGIES = {
    "canary": """\
  canary:
    steps:
    - {weight: 10%, for: 6s}
    - {weight: 25%, for: 6s}
    - {weight: 50%, for: 10s, until: evidence, atMost: 100s}
    bake: {for: 5s}
    standby: {for: 10m}""",
    "blueGreen": """\
  blueGreen:
    preview: {for: 15s}
    bake: {for: 10s, atMost: 100s}
    standby: {for: 10m}""",
}


def document(
    stable: str, ports: Mapping[str, int], listen: str, preview: str, strategy: str, *, pinned: bool = False
) -> str:
    """Return both documents.

    Args:
        ports: where each version listens on loopback.
        pinned: whether a started conversation stays on its version.
    """
    endpoints = "\n".join(
        f'    - {{version: {version}, url: "http://127.0.0.1:{port}"}}' for version, port in ports.items()
    )
    return _ROLLOUT.format(
        stable=stable,
        endpoints=endpoints,
        listen=listen,
        preview=preview,
        conversations=PINNED if pinned else SPLIT,
        strategy=STRATEGIES[strategy],
    )
