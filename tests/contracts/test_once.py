"""Each thing is told once, and what is left out changes no verdict."""

from hypothesis import given
from hypothesis import strategies as st

from rollout.contracts.check import verdict
from rollout.contracts.finding_codes import HINTS
from rollout.contracts.once import once
from rollout.model.agent_state import Axis, Finding, Severity

CODES = [
    "KEY_ADDED",
    "KEY_REMOVED",
    "KEY_RENAMED",
    "TYPE_CHANGED",
    "NARROWED",
    "WIDENED",
    "DEFAULT_CHANGED",
    "NODE_REMOVED",
]
POINTERS = ["/state/reader/properties/a", "/state/reader/properties/a/type", "/state/writer/properties/b", "/nodes/a"]

findings = st.lists(
    st.builds(
        lambda code, axis, severity, pointer, old: Finding(
            code=code, direction=axis, severity=severity, pointer=pointer, old=old, new="b", hint=HINTS[code]
        ),
        st.sampled_from(CODES), st.sampled_from(list(Axis)), st.sampled_from(list(Severity)), st.sampled_from(POINTERS),
        st.sampled_from(["a", "c"]),
    ),
    max_size=12,
)  # fmt: skip


def found(code, axis, severity, pointer, old="a", new="b") -> Finding:
    return Finding(code=code, direction=axis, severity=severity, pointer=pointer, old=old, new=new, hint=HINTS[code])


@given(findings)
def test_no_verdict_changes_by_what_is_left_out(many):
    before, after = verdict(many), verdict(once(many))
    assert (before.backward, before.forward, before.hop) == (after.backward, after.forward, after.hop)
    assert set(once(once(many))) == set(once(many))


def test_a_renamed_key_is_not_lost_as_well():
    renamed = found("KEY_RENAMED", Axis.BACKWARD, Severity.BREAK, "/state/reader/properties/b")
    lost = found("KEY_REMOVED", Axis.HOP, Severity.RISK, "/state/writer/properties/a")
    assert once([renamed, lost]) == [renamed]


def test_a_key_of_another_type_is_not_narrower_as_well():
    retyped = found("TYPE_CHANGED", Axis.BACKWARD, Severity.BREAK, "/state/reader/properties/a/type")
    narrower = found("NARROWED", Axis.BACKWARD, Severity.RISK, "/state/reader/properties/a/format")
    assert once([retyped, narrower]) == [retyped]


def test_several_types_of_one_place_are_one_finding():
    pointer = "/state/reader/properties/a/type"
    many = [
        found("TYPE_CHANGED", Axis.BACKWARD, Severity.BREAK, pointer, old=old, new="string")
        for old in ("array", "null")
    ]
    (one,) = once(many)
    assert (one.old, one.new) == ("array, null", "string")
