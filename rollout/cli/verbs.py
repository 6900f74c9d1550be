"""The verbs of the command line: which module has each, what it does in a line, and how it is used.

`rollout --help` is written from here alone: it imports none of them. A test holds the lines equal to the docstrings.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CliVerb:
    """One verb.

    Attributes:
        module: where it stands, under `rollout.cli.commands`.
        examples: command lines, each with what it does after a ``#``.
    """

    name: str
    module: str
    summary: str
    examples: tuple[str, ...]


RELEASING = (
    CliVerb(
        "init",
        "init",
        "Write a commented rollout.yaml and a policy.",
        (
            "rollout init  # asks for each value",
            "rollout init --name support-agent --stable v1=http://127.0.0.1:9001 --candidate v2=http://127.0.0.1:9002",
        ),
    ),
    CliVerb(
        "start",
        "start",
        "Release VERSION: shift traffic to it, then promote it or roll it back.",
        (
            "rollout start v2  # on this machine, in the foreground",
            "rollout start v2 -n agents --wait  # in a cluster, until it is over",
            "rollout start v2 -n agents --image registry.example.com/agent:2.0  # makes the Deployment and Service too",
        ),
    ),
    CliVerb(
        "wait",
        "wait",
        "Wait until the wanted version is promoted (exit 0) or its release ends otherwise (exit 3 or 4).",
        (
            "rollout wait --timeout 2h  # in a pipeline",
            "rollout wait support-agent -n agents --on-pause fail",
            "rollout wait --for drained=v1  # until no conversation of v1 is open",
        ),
    ),
)
SEEING = (
    CliVerb(
        "status",
        "show",
        "Show a rollout: its weight, its evidence, and what it waits for.",
        (
            "rollout status --watch  # until it is over",
            "rollout status support-agent -n agents --verbose  # with the statistics",
            "rollout status -o json",
        ),
    ),
    CliVerb(
        "list",
        "show",
        "List all rollouts of this machine, or of a cluster.",
        ("rollout list", "rollout list -A  # of all namespaces of the cluster"),
    ),
    CliVerb(
        "explain",
        "show",
        "List the decisions of a rollout, each with its numbers.",
        ("rollout explain", "rollout explain --release 3  # of a release in `rollout history`"),
    ),
    CliVerb(
        "history",
        "history",
        "List the releases of a rollout that are over, the newest last.",
        ("rollout history", "rollout history support-agent -n agents -o json"),
    ),
    CliVerb(
        "diff",
        "diff",
        "Compare what the Deployments of two versions are made of: images, environment, ConfigMaps, Secrets.",
        ("rollout diff v1 v2 -n agents",),
    ),
    CliVerb(
        "dashboard",
        "dashboard",
        "Show the rollouts in a browser: live, with their evidence, and with actions in your name.",
        ("rollout dashboard", "rollout dashboard -A --context production"),
    ),
)
STEERING = (
    CliVerb(
        "approve",
        "steer",
        "Give the approval that a step waits for, or let one move pass that waits for a window or for capacity.",
        ('rollout approve --reason "checked with the on-call engineer"', "rollout approve support-agent -n agents"),
    ),
    CliVerb(
        "promote",
        "steer",
        "Pass the current step, or the bake, without its evidence.",
        ('rollout promote --reason "fixes the outage"',),
    ),
    CliVerb(
        "pause",
        "steer",
        "Pause the release at its current weight. Harm is still judged.",
        ("rollout pause", "rollout pause support-agent -n agents"),
    ),
    CliVerb("resume", "steer", "Continue a paused release.", ("rollout resume",)),
    CliVerb(
        "abort",
        "steer",
        "Send all new conversations back to the stable version. Works at any time.",
        ("rollout abort", 'rollout abort support-agent -n agents --reason "users complain"'),
    ),
    CliVerb(
        "retry",
        "steer",
        "Release a failed or frozen version again, with half its falseRollback.",
        ("rollout retry",),
    ),
    CliVerb(
        "undo",
        "steer",
        "Return to the previous version after a promotion: at once during standby, later by the policy's undo.",
        ("rollout undo", 'rollout undo support-agent -n agents --reason "costs too much"'),
    ),
    CliVerb(
        "drain",
        "drain",
        "Wait until none of VERSION's conversations is open, and show how many are. With --then: end the drain now.",
        ("rollout drain v1", "rollout drain v1 --then handOver  # conversations go on with the stable version"),
    ),
)
CHECKING = (
    CliVerb(
        "lint",
        "lint",
        "Check Rollout and RolloutPolicy files. Print every fault with its place and its remedy (exit 2).",
        ("rollout lint", "rollout lint rollout.yaml policies/"),
    ),
    CliVerb(
        "contract",
        "contract",
        "State contracts: export them, and check whether versions go together.",
        (
            "rollout contract export agent.graph:graph --version v2 -o v2.json",
            "rollout contract check v1.json v2.json",
        ),
    ),
)
RUNNING = (
    CliVerb(
        "daemon",
        "daemon",
        "Run all rollouts of this machine, or of a cluster. Decisions are logged to stderr.",
        (
            "rollout daemon  # all rollouts of this machine",
            "rollout daemon -n agents --dashboard 127.0.0.1:3200",
            "rollout daemon -A --allow-host prometheus.monitoring",
        ),
    ),
    CliVerb(
        "router",
        "router",
        "See, stop or prepare the Envoy of a rollout.",
        ("rollout router status", "rollout router stop"),
    ),
    CliVerb(
        "crd",
        "crd",
        "Print the definitions of Rollout and RolloutPolicy, for `kubectl apply --server-side -f -`.",
        ("rollout crd | kubectl apply --server-side -f -",),
    ),
    CliVerb(
        "schema",
        "schema",
        "Print the JSON Schema of Rollout and RolloutPolicy files, for editors; or of what -o json prints.",
        ("rollout schema > rollout.schema.json", "rollout schema output"),
    ),
    CliVerb(
        "demo",
        "demo",
        "Run a demo on this machine: agents, Envoy, users and the controller. Without options, a guided tour.",
        ("rollout demo", "rollout demo --candidate worse"),
    ),
)

SECTIONS: dict[str, tuple[CliVerb, ...]] = {
    "Release": RELEASING,
    "See": SEEING,
    "Steer": STEERING,
    "Check": CHECKING,
    "Set up and run": RUNNING,
}
"""The verbs by what they are for, in the order of the help."""

VERBS: dict[str, CliVerb] = {verb.name: verb for verbs in SECTIONS.values() for verb in verbs}

SUBCOMMANDS: dict[str, tuple[str, ...]] = {
    "contract export": (
        "rollout contract export agent.graph:graph --version v2 -o v2.json",
        "rollout contract export langgraph.json --store postgres",
    ),
    "contract check": (
        "rollout contract check v1.json v2.json",
        "rollout contract check v1.json v2.json --require backward -o json",
    ),
    "router status": ("rollout router status",),
    "router stop": ("rollout router stop",),
    "router setup": ("rollout router setup  # for an Envoy of your own",),
}
"""Examples of the commands of a verb."""


def examples_of(command: str) -> tuple[str, ...]:
    """Return the examples of a command, named without `rollout`."""
    return VERBS[command].examples if command in VERBS else SUBCOMMANDS.get(command, ())
