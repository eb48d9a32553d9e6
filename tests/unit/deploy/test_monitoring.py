"""The dashboard and the rules in deploy/monitoring are valid and use existing metrics and labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.promql import Names, names_in

from nopea.metrics import catalogue
from nopea.metrics.catalogue import Type
from nopea.settings import Settings

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
RULES: dict[str, Any] = yaml.safe_load((MONITORING / "rules.yaml").read_text(encoding="utf-8"))
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]
OF_THE_SCRAPE = {"instance", "job", "le"}
VARIABLES = {"datasource": "prometheus", "namespace": None, "repository": None}


def series() -> dict[str, set[str]]:
    """Return the series names that a query may use, with their labels."""
    known: dict[str, set[str]] = {}
    for metric in catalogue.ALL:
        histogram = metric.type is Type.HISTOGRAM
        for end in ("_bucket", "_sum", "_count") if histogram else ("",):
            known[metric.name + end] = {*metric.labels}
    return known


SERIES = series()


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard, without its rows."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every query with its place; variables of the dashboard are replaced by values."""
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def variable_queries() -> list[tuple[str, str, str]]:
    """Return name, metric and label of each variable that is filled by a query."""
    found = []
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            parts = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])
            assert parts, variable["name"]
            found.append((variable["name"], parts[1], parts[2]))
    return found


@pytest.mark.parametrize(("place", "expression"), list(expressions()))
def test_every_query_uses_existing_metrics_and_labels(place: str, expression: str) -> None:
    """Metrics and labels of a query are in the catalogue."""
    found: Names = names_in(expression)

    assert found.metrics, place
    assert found.metrics.keys() <= SERIES.keys()
    for metric, labels in found.metrics.items():
        assert labels <= SERIES[metric] | OF_THE_SCRAPE, metric
    assert found.grouping <= set().union(*(SERIES[metric] for metric in found.metrics)) | OF_THE_SCRAPE


def test_every_variable_uses_an_existing_label() -> None:
    """The metric of a variable has the label."""
    for _, metric, label in variable_queries():
        assert label in SERIES[metric]


def test_the_tokenizer_finds_unknown_names() -> None:
    """The tokenizer that the other tests use finds metrics, labels and unclosed brackets."""
    found = names_in('sum by (nosuch) (rate(acme_total{colour=~"r.*"}[5m])) / on (job) other > 2')

    assert found.metrics == {"acme_total": {"colour"}, "other": set()}
    assert found.grouping == {"nosuch", "job"}
    with pytest.raises(ValueError, match="not closed"):
        names_in("sum(acme_total")


def test_every_own_metric_is_used() -> None:
    """Every metric except those of the process is in the dashboard or in an alert."""
    used = {name for _, expression in expressions() for name in names_in(expression).metrics}
    used |= {metric for _, metric, _ in variable_queries()}
    used |= {name.removesuffix("_bucket") for name in used}

    assert {metric.name for metric in catalogue.ALL if metric not in catalogue.PROCESS} <= used


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_is_complete(alert: dict[str, Any]) -> None:
    """An alert has an expression, a duration, a severity, a summary, a description and a runbook link."""
    assert set(alert) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Nopea[A-Za-z]+", alert["alert"])
    assert re.fullmatch(r"\d+[smh]", alert["for"])
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(isinstance(text, str) and text for text in alert["annotations"].values())


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_the_labels_in_an_alert_text_are_in_its_result(alert: dict[str, Any]) -> None:
    """A label that the expression aggregates away would be empty in the text."""
    found = names_in(alert["expr"])
    texts = " ".join(alert["annotations"].values())
    used = set(re.findall(r"\$labels\.(\w+)", texts))
    aggregated = re.match(r"sum by \(([^)]*)\)", alert["expr"])
    there = (
        {label.strip() for label in aggregated[1].split(",")}
        if aggregated
        else set.intersection(*(SERIES[metric] for metric in found.metrics if metric in SERIES))
    )
    assert used <= there


def test_alerts_have_unique_names() -> None:
    """Prometheus treats two alerts with the same name as one."""
    names = [alert["alert"] for alert in ALERTS]
    assert len(names) == len(set(names))


def test_the_operators_rules_are_the_same() -> None:
    """The file prometheus-rule.yaml contains the rules of rules.yaml."""
    wrapped = yaml.safe_load((MONITORING / "prometheus-rule.yaml").read_text(encoding="utf-8"))

    assert (wrapped["apiVersion"], wrapped["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert wrapped["spec"] == RULES


def test_the_monitor_finds_the_pod() -> None:
    """Labels, port and path of the monitor match; the Service does not serve metrics."""
    service = yaml.safe_load((ROOT / "deploy" / "base" / "service.yaml").read_text(encoding="utf-8"))
    deployment = yaml.safe_load((ROOT / "deploy" / "base" / "deployment.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]
    ports = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
    monitor = yaml.safe_load((MONITORING / "pod-monitor.yaml").read_text(encoding="utf-8"))
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert ports[endpoint["port"]] == Settings().probe_port
    assert endpoint["path"] == "/metrics"
    assert [one["targetPort"] for one in service["spec"]["ports"]] == ["webhooks"]


def test_the_pod_is_annotated_for_scrapes() -> None:
    """The annotations contain the port on which the process listens."""
    deployment = yaml.safe_load((ROOT / "deploy" / "base" / "deployment.yaml").read_text(encoding="utf-8"))

    assert deployment["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(Settings().probe_port),
        "prometheus.io/path": "/metrics",
    }


def test_kustomization_names_files_that_exist() -> None:
    """The kustomization contains a monitor, the rules and the dashboard."""
    kustomization = yaml.safe_load((MONITORING / "kustomization.yaml").read_text(encoding="utf-8"))
    files = [*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"]]

    assert files == ["pod-monitor.yaml", "prometheus-rule.yaml", "dashboard.json"]
    assert all((MONITORING / file).is_file() for file in files)


def test_the_dashboard_uses_the_selected_data_source() -> None:
    """No panel refers to a fixed data source."""
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}

    assert list(variables) == list(VARIABLES)
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(DASHBOARD)))
    assert used == set(variables)


def test_the_dashboard_is_laid_out() -> None:
    """Ids are unique, and panels fit into Grafana's 24 columns and do not overlap."""
    all_panels = DASHBOARD["panels"]
    cells: set[tuple[int, int]] = set()
    for panel in all_panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, panel["title"]
        cells |= mine
    assert len({panel["id"] for panel in all_panels}) == len(all_panels)
    assert all(panel["description"] for panel in panels())
    assert DASHBOARD["schemaVersion"] >= 38
    assert "id" not in DASHBOARD


def test_tables_name_their_columns() -> None:
    """Grafana's default names are `Value #A` and the names of labels."""
    for panel in (panel for panel in panels() if panel["type"] == "table"):
        columns = panel["transformations"][-1]["options"]
        values = {f"Value #{target['refId']}" for target in panel["targets"]}
        values = values if len(values) > 1 else {"Value"}
        assert values <= columns["renameByName"].keys() | columns["excludeByName"].keys(), panel["title"]
        assert all(name[0].isupper() for name in columns["renameByName"].values())
