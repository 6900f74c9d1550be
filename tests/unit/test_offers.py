"""What `init` says of the agents' metrics pages: KPIs that could be counted there, or what there is."""

from __future__ import annotations

import yaml
from typer.testing import CliRunner

from rollout.adapters.metrics.page import read_page
from rollout.adapters.metrics.queries import resolve
from rollout.cli.app import command_line
from rollout.cli.offers import offers
from rollout.model.api.kpi import Kpi
from tests.fakes.http import serving

PAGE = """\
# TYPE agent_tasks_started_total counter
agent_tasks_started_total{{version="{v}"}} 3
# TYPE agent_tasks_failed_total counter
agent_tasks_failed_total{{version="{v}"}} 1
http_requests_total{{version="{v}",code="200"}} 4
http_request_errors_total{{version="{v}"}} 1
turn_duration_seconds_bucket{{version="{v}",le="1.0"}} 1
turn_duration_seconds_bucket{{version="{v}",le="2.0"}} 2
turn_duration_seconds_bucket{{version="{v}",le="+Inf"}} 2
turn_duration_seconds_count{{version="{v}"}} 2
"""


def pages(**texts):
    return {version: read_page(text, version) for version, text in texts.items()}


def test_every_kpi_that_is_offered_can_be_written_into_a_policy_and_read():
    lines = offers(pages(v1=PAGE.format(v="v1"), v2=PAGE.format(v="v2")))
    kpis = [Kpi.model_validate(yaml.safe_load(line)[0]) for line in lines]
    queries, faults = resolve(kpis)
    assert faults == []
    assert {(query.counted, query.total) for query in queries} == {
        ('agent_tasks_failed_total{version="$version"}', 'agent_tasks_started_total{version="$version"}'),
        ('http_request_errors_total{version="$version"}', 'http_requests_total{version="$version"}'),
        (
            'turn_duration_seconds_bucket{version="$version",le="2.0"}',
            'turn_duration_seconds_count{version="$version"}',
        ),
    }


def test_what_only_one_page_has_is_not_offered():
    assert offers(pages(v1=PAGE.format(v="v1"), v2="up 1\n")) == []


def test_series_without_a_version_are_offered_without_that_label():
    text = "jobs_failed_total 1\njobs_started_total 2\n"
    (line,) = offers(pages(v1=text, v2=text))
    assert "bad: 'jobs_failed_total', total: 'jobs_started_total'" in line


def init(tmp_path, one, other):
    tmp_path.mkdir(exist_ok=True)
    arguments = [
        "init",
        "--name",
        "agent",
        "--stable",
        f"v1={one}",
        "--candidate",
        f"v2={other}",
        "--policy",
        "canary-quick",
    ]
    return CliRunner().invoke(command_line(), [*arguments, "--file", str(tmp_path / "rollout.yaml")])


def test_init_reads_both_pages_and_offers_what_they_count(tmp_path):
    with (
        serving(lambda *_: PAGE.format(v="v1")) as one,
        serving(lambda *_: PAGE.format(v="v2")) as other,
    ):
        done = init(tmp_path, f"http://{one}", f"http://{other}")
    assert done.exit_code == 0 and "http_request_errors_total" in done.stderr


def test_init_tells_what_the_pages_have_where_it_knows_no_kpi_and_a_page_that_it_cannot_read(tmp_path):
    with serving(lambda *_: "up 1\n") as one:
        done = init(tmp_path / "one", f"http://{one}", f"http://{one.replace('127.0.0.1', 'localhost')}")
        assert done.exit_code == 0 and "no KPI is known for what both pages have: up" in done.stderr
        gone = init(tmp_path / "two", f"http://{one}", "http://127.0.0.1:9")
        assert gone.exit_code == 0 and "the metrics page of v2 cannot be read yet" in gone.stderr
