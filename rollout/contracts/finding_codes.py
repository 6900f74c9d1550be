"""The closed set of what a check can find, each with the advice that goes with it."""

from __future__ import annotations

HINTS: dict[str, str] = {
    # the shape of the state
    "KEY_ADDED": "the old version drops it at its next turn: keep conversations on their version while both are in use",
    "REQUIRED_KEY_ADDED": "give it a default, or make it NotRequired",
    "KEY_REMOVED": "keep it, unused, for one release: the old version still needs it",
    "KEY_RENAMED": "write both names for one release, then drop the old one",
    "REQUIREDNESS": "what may be missing stays optional until no old conversation is left",
    "WIDENED": "two releases: first one that reads the new values, then one that writes them",
    "NARROWED": "keep accepting what was written before; narrow it once no such conversation is left",
    "TYPE_CHANGED": "add a new key of the new type and write both for one release",
    "UNION_CHANGED": "keep reading every variant that was ever written",
    "UNDECIDABLE": "nothing can be said for sure: simplify the schema, or count live conversations",
    "SCHEMA_TOO_LARGE": "the schemas are too large, or too entangled, to be compared: split them, or check by hand",
    "FOREIGN_REFERENCE": "references to other documents are never fetched: put what they name under $defs",
    # how it is kept
    "REDUCER_CHANGED": "what was accumulated may be replaced, or the other way round: use a new key",
    "REDUCER_UNKNOWN": "a lambda has no name to compare: use a named function",
    "CHANNEL_KIND": "keep the kind of channel, or use a new key",
    "CLASS_PATH": "keep an alias where the class was: its path is written into every checkpoint",
    "CLASS_FORM": "an object that was stored is made again of other fields: give new ones a default, keep the old ones",
    "ENUM_VALUE": "the stored value now means another member: never give a value to another name",
    "DEFAULT_CHANGED": "who has not written the key goes by the new default: write the key, or use a new one",
    "CLASS_KIND": "a class of another kind is read in another way: use a new name",
    "SERDE_ALLOWLIST": "declare the class in the state, or allow it, before strict decoding is switched on",
    "STATE_KIND": "the other kind of state checks, or does not check, what it loads",
    # where conversations wait
    "NODE_REMOVED": "keep a node of the old name that leads on: conversations that wait at it end without an error",
    "NODE_ADDED": "after a rollback conversations that wait at it end without an error: roll back early, or pin",
    "NODE_BECAME_SUBGRAPH": "give the subgraph a new name: it begins anew, and old answers are used again",
    "JOIN_CHANGED": "keep the sources of a join and their order: a half-full join is never completed",
    "STATIC_INTERRUPT_KEYSET": "use interrupt() instead, or keep the keys while anybody waits (langgraph issue 9001)",
    "INTERRUPT_ORDER": "ask new questions after the old ones: answers are handed out in order",
    "QUESTION_CHANGED": "whoever waits there runs the new code from its start: count live conversations, or wait",
    "APPROVAL_CHANGED": "a decision about a call of this tool is taken otherwise, or not at all",
    "TOOL_REMOVED": "keep a tool of the old name: a call of it that waits for a human fails",
    "TOOL_ADDED": "after a rollback a call of it that waits for a human fails: roll back early, or pin",
    "TOOL_ARGUMENTS": "keep taking what was called before: give new arguments a default",
    "INTERRUPT_UNKNOWN": "what is replayed here, and what it keeps, is not known: count live conversations",
    "WAY_CHANGED": "whoever waits there goes another way, past a step or through it twice: wait until nobody does",
    "START_CHANGED": "whoever waits there begins anew, and earlier answers are lost: wait until nobody does",
    "CHECKS_CHANGED": "what a class checks when it is made has changed: let it take what was stored before",
    "STORE_CHANGED": "conversations in the other store, or in another form, are not found, or cannot be read",
    "TASK_ORDER": "new tasks go last: old results are handed out in order",
    # everything around it
    "FRAMEWORK_CHANGED": "state of one framework is not read by another",
    "LIBRARY_SKEW": "checkpoints of the newer library may not be read by the older one: update in a release of its own",
    "FORMAT_VERSION": "release the reader of a format before its writer",
    "MIGRATOR_WRITE_BACK": "switch write-back off: merely reading a conversation rewrites it",
    "LIVE_CONVERSATIONS": "what is stored decides, whatever the contracts say",
    "MORE_FINDINGS": "rollout contract check shows them all",
    "NO_CONTRACT": "export one (rollout contract export) and say where it is, in spec.contract",
    "NO_TOPOLOGY": "a bare JSON Schema says nothing of nodes: export a whole contract (rollout contract export)",
}

UNSAFE = frozenset({"APPROVAL_CHANGED", "INTERRUPT_ORDER", "TASK_ORDER", "START_CHANGED"})
"""A human's answer to one question is taken for another: waived only by whoever says so in as many words."""
