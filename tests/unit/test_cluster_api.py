"""Requests to the Kubernetes API: what is sent, what is refused, what is not waited for."""

from __future__ import annotations

import time

import pytest

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.merge_patch import merge_patch
from rollout.errors import ClusterUnavailable, Conflict, Forbidden, InvalidInput, NotFound, Rejected
from tests.fakes import patches
from tests.fakes.cluster import FakeCluster
from tests.fakes.resources import Refusal
from tests.fakes.server import kubeconfig
from tests.fakes.widgets import STRANGER, WIDGET, http, widget


@pytest.fixture
def cluster():
    return FakeCluster()


def test_objects_are_written_read_and_changed_over_http(cluster, tmp_path):
    with http(cluster, tmp_path) as api:
        made = api.create(WIDGET, "default", widget())
        assert api.get(WIDGET, "default", "a") == made
        after = api.merge(WIDGET, "default", "a", {"spec": {"weight": 5}})
        assert after["spec"]["weight"] == 5 and after["metadata"]["generation"] == 2
        operations = [
            {"op": "test", "path": "/spec/weight", "value": 5},
            {"op": "replace", "path": "/spec/weight", "value": 6},
        ]
        assert api.patch(WIDGET, "default", "a", operations)["spec"]["weight"] == 6
        assert api.merge(WIDGET, "default", "a", {"status": {"x": 1}}, sub="status")["status"] == {"x": 1}
    assert set(cluster.owners["example.dev", "widgets", "default", "a"]) == {"rollout-test"}


def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.api.PAGE_SIZE", 3)
    with http(cluster, tmp_path) as api:
        for number in range(8):
            api.create(WIDGET, "default", widget(f"w{number}"))
        found, version = api.list_all(WIDGET, None)
    assert [each["metadata"]["name"] for each in found] == [f"w{number}" for number in range(8)]
    assert {each["kind"] for each in found} == {"Widget"} and version == str(cluster.version)


@pytest.mark.parametrize(
    ("act", "error", "word"),
    [
        (lambda api: api.get(WIDGET, "default", "none"), NotFound, "not found"),
        (lambda api: api.list_all(STRANGER, None), NotFound, "the kind is not installed"),
        (lambda api: api.create(WIDGET, "default", widget()), Conflict, "already exists"),
        (lambda api: api.create(WIDGET, "default", widget("b", weight=500)), Rejected, "spec.weight"),
        (
            lambda api: api.merge(
                WIDGET, "default", "a", {"metadata": {"resourceVersion": "1"}, "spec": {"weight": 1}}
            ),
            Conflict,
            "modified",
        ),
        (
            lambda api: api.patch(WIDGET, "default", "a", [{"op": "test", "path": "/spec/weight", "value": 9}]),
            Rejected,
            "rejected",
        ),
    ],
)
def test_every_refusal_is_an_error_of_ours_with_the_servers_words(cluster, tmp_path, act, error, word):
    with http(cluster, tmp_path) as api:
        api.create(WIDGET, "default", widget())
        with pytest.raises(error, match=word):
            act(api)


def test_unknown_fields_are_refused_where_people_write_them(cluster, tmp_path):
    with http(cluster, tmp_path, strict=True) as api, pytest.raises(Rejected, match="unknown field"):
        api.create(WIDGET, "default", widget(colour="red"))


def test_who_is_not_known_or_not_allowed_is_told_so(cluster, tmp_path):
    with http(cluster, tmp_path, token="wrong") as api, pytest.raises(Forbidden, match="renew the credentials"):
        api.get(WIDGET, "default", "a")
    cluster.allowed = lambda verb, resource, place: False
    with http(cluster, tmp_path) as api, pytest.raises(Forbidden, match="cannot list"):
        api.list_all(WIDGET, None)


def fail(code, reason="Down", headers=None):
    def fault(method, path):
        raise Refusal(code, reason, "the server is unwell", None, headers)

    return fault


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_a_server_that_is_unwell_is_unavailable_and_may_ask_for_patience(cluster, tmp_path, code):
    cluster.fault = fail(code, headers={"Retry-After": "7"})
    with http(cluster, tmp_path) as api, pytest.raises(ClusterUnavailable, match="unwell") as told:
        api.get(WIDGET, "default", "a")
    assert type(told.value) is ClusterUnavailable and told.value.retry_after_s == 7


def test_a_server_that_says_nothing_is_not_waited_for(cluster, tmp_path):
    with http(cluster, tmp_path, timeout_s=0.3) as api:
        cluster.silent, began = True, time.monotonic()
        with pytest.raises(ClusterUnavailable, match="no answer"):
            api.get(WIDGET, "default", "a")
        assert time.monotonic() - began < 15
        cluster.silent = False


def test_an_answer_that_was_lost_says_that_the_write_may_have_happened(cluster, tmp_path):
    with http(cluster, tmp_path) as api:
        cluster.fault = lambda method, path: "after"
        with pytest.raises(ClusterUnavailable, match="no answer"):
            api.create(WIDGET, "default", widget())
        cluster.fault = None
        assert api.get(WIDGET, "default", "a")["spec"]["version"] == "v1"


def test_what_is_no_kubernetes_is_told_in_words(tmp_path):
    from tests.unit.test_cli import page

    with page("<html>login</html>") as port:
        configuration, _ = configured(kubeconfig(tmp_path / "k", f"http://127.0.0.1:{port}"))
        with pytest.raises(ClusterUnavailable, match="is this a Kubernetes API|page"):
            HttpApi(configuration, agent="x").get(WIDGET, "default", "a")


def test_a_kubeconfig_that_cannot_be_used_is_a_fault_with_a_remedy(tmp_path):
    (tmp_path / "broken").write_text("{")
    for path in (tmp_path / "none", tmp_path / "broken"):
        with pytest.raises(InvalidInput, match="--kubeconfig"):
            configured(path)
    with pytest.raises(InvalidInput, match="cannot be used"):
        configured(kubeconfig(tmp_path / "k", "http://127.0.0.1:1"), "no-such-context")


def test_a_merge_patch_makes_one_object_into_the_other():
    from hypothesis import given, settings
    from hypothesis import strategies as st

    leaves = st.one_of(st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
    objects = st.recursive(
        st.dictionaries(st.text(max_size=2), leaves, max_size=4),
        lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=10,
    )

    @settings(max_examples=200, deadline=None)
    @given(before=objects, after=objects)
    def holds(before, after):
        patch = merge_patch(before, after)
        assert patches.merge(before, patch) == after
        assert (patch == {}) == (repr_of(before) == repr_of(after))

    def repr_of(value):
        import json

        return json.dumps(value, sort_keys=True)

    holds()
