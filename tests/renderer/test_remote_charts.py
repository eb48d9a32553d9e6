"""Charts that are fetched archives, and dependencies that Chart.lock names."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from tests.renderer.child import Renderer
from tests.renderer.test_helm import CHART, HELM, archive, config_map

PLACE = ".git/remotes/1/shop-1.2.3.tgz"
STORE = ".git/remotes/2/store-1.4.0.tgz"
CHARTS = "https://charts.example"
KEY = f"{CHARTS}|store|1.4.0"
WANTED = [{"name": "store", "version": "1.x", "repository": CHARTS}]
LOCKED = [{"name": "store", "version": "1.4.0", "repository": CHARTS}]
HEAD = "apiVersion: v2\nname: shop\nversion: 1.2.3\n"
STORE_FILES = {
    "store/Chart.yaml": "apiVersion: v2\nname: store\nversion: 1.4.0\n",
    "store/templates/a.yaml": config_map("{{ .Chart.Name }}", "{{ .Values.size }}"),
}


def render_args(chart: str = PLACE, **helm: Any) -> dict[str, Any]:
    """Return the parts of a request for a chart."""
    return {"kind": "helm", "helm": {**HELM, "chart": chart, **helm}}


def locked(
    wanted: list[dict[str, Any]] = WANTED, lock: list[dict[str, Any]] = LOCKED, *, digest: str | None = None
) -> dict[str, str | bytes]:
    """Return a folder with a chart that lacks its dependencies, and the lock that Helm would write."""
    text = json.dumps([wanted, lock], separators=(",", ":"))
    digest = digest or "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    return {
        "chart/Chart.yaml": f"{HEAD}dependencies: {json.dumps(wanted)}\n",
        "chart/Chart.lock": f"dependencies: {json.dumps(lock)}\ndigest: {digest}\n"
        "generated: '2026-01-02T03:04:05Z'\n",
        "chart/templates/a.yaml": config_map("shop", "x"),
    }


def packed_chart(files: dict[str, str | bytes]) -> dict[str, str]:
    """Return the files of the folder chart/ as they are in an archive of it."""
    return {
        name.replace("chart/", "shop/", 1): text if isinstance(text, str) else text.decode()
        for name, text in files.items()
        if name.startswith("chart/")
    }


def test_an_archive_renders_as_the_folder_that_was_packed(renderer: Renderer) -> None:
    """With values files of the user's repository; sources are the archive and the file in it."""
    helm: dict[str, Any] = {"valuesFiles": ["values/prod.yaml"]}
    files = {"values/prod.yaml": CHART["values/prod.yaml"], PLACE: archive(packed_chart(CHART))}

    rendered = renderer.render(files, **render_args(**helm))

    assert rendered.objects == renderer.render(CHART, **render_args("chart", **helm)).objects
    assert rendered.sources == [
        (f"{PLACE}/crds/coins.yaml", 0),
        (f"{PLACE}/templates/app.yaml", 0),
        (f"{PLACE}/templates/app.yaml", 1),
    ]
    assert rendered.read == [PLACE, "values/prod.yaml"]


def test_an_archive_is_asked_for(renderer: Renderer) -> None:
    """That the whole repository was given says nothing about it; it may turn out to be missing."""
    assert renderer.ask({}, **render_args())["need"] == [PLACE]

    error = renderer.refuse({}, **render_args(), missing=[PLACE])

    assert (error["kind"], error["file"]) == ("missing_file", PLACE)


def test_a_subchart_in_an_archive_names_its_file(renderer: Renderer) -> None:
    """By the names that Helm gives: a folder, an archive in the archive, and an alias."""
    files = {
        "shop/Chart.yaml": HEAD + "dependencies:\n- {name: store, version: 1.x, alias: cellar}\n",
        "shop/charts/queue/Chart.yaml": "apiVersion: v2\nname: queue\nversion: 1.0.0\n",
        "shop/charts/queue/templates/a.yaml": config_map("queue", "x"),
        "shop/charts/store/Chart.yaml": STORE_FILES["store/Chart.yaml"],
        "shop/charts/store/templates/a.yaml": STORE_FILES["store/templates/a.yaml"],
    }

    rendered = renderer.render({PLACE: archive(files)}, **render_args())

    assert [source for source, _ in rendered.sources] == [
        f"{PLACE}/charts/cellar/templates/a.yaml", f"{PLACE}/charts/queue/templates/a.yaml",
    ]  # fmt: skip


def test_an_error_in_an_archive_names_its_file_and_line(renderer: Renderer) -> None:
    """As in a folder; with secrets among the values, what the chart's author wrote is told still."""
    files = {"shop/Chart.yaml": HEAD, "shop/templates/a.yaml": "a: 1\n{{ fail `set a password` }}"}

    for private in (False, True):
        error = renderer.refuse({PLACE: archive(files)}, **render_args(), private=private)
        assert (error["kind"], error["file"], error["line"]) == ("template", f"{PLACE}/templates/a.yaml", 2)
        assert error["detail"] == "set a password"


@pytest.mark.parametrize("repository", [CHARTS, "http://charts.example", "oci://registry.example/charts"])
def test_a_dependency_that_is_locked_is_asked_for(renderer: Renderer, repository: str) -> None:
    """With the exact version of the lock, all at once; what charts/ has is not asked for."""
    wanted = [
        {"name": name, "version": "1.x", "repository": repository, "condition": f"{name}.enabled"}
        for name in ("queue", "store", "cache")
    ]
    lock = [
        {"name": name, "version": "1.4.0", "repository": repository} for name in ("queue", "store", "cache")
    ]
    files = locked(wanted, lock)
    files["chart/charts/queue/Chart.yaml"] = "apiVersion: v2\nname: queue\nversion: 1.0.0\n"

    answer = renderer.ask(files, **render_args("chart", valuesFiles=["gone.yaml"]), folders=["chart"])
    complete = renderer.ask(files, **render_args("chart"))

    place = {"kind": "chart", "repository": repository, "version": "1.4.0", "file": "chart/Chart.yaml"}
    items = [{**place, "name": name} for name in ("store", "cache")]
    assert [{**item, "line": 0} for item in complete["fetch"]] == [{**item, "line": 0} for item in items]
    assert answer["need"] == ["gone.yaml"]
    assert answer["fetch"] == complete["fetch"]


def test_the_line_of_a_dependency_is_told(renderer: Renderer) -> None:
    """The chart's own name is not taken for it."""
    files = locked()
    block = "dependencies:\n- version: 1.x\n  name: store\n  repository: https://charts.example\n"
    files["chart/Chart.yaml"] = "apiVersion: v2\nname: store-shop\nversion: 1.2.3\n" + block

    assert renderer.ask(files, **render_args("chart"))["fetch"][0]["line"] == 6


def test_a_fetched_dependency_renders_as_one_in_charts(renderer: Renderer) -> None:
    """Under its aliases too; its objects name the archive and the file in it."""
    wanted = [*WANTED, {**WANTED[0], "alias": "cellar"}]
    files = locked(wanted, LOCKED * 2)
    store = archive(STORE_FILES)
    arguments = render_args("chart", values={"store": {"size": "1"}, "cellar": {"size": "2"}})

    fetched = renderer.render({**files, STORE: store}, **arguments, remotes={KEY: STORE})
    vendored = renderer.render({**files, "chart/charts/store-1.4.0.tgz": store}, **arguments)

    assert fetched.objects == vendored.objects
    assert len(fetched.objects) == 3
    assert [source for source, _ in fetched.sources] == [
        f"{STORE}/templates/a.yaml", f"{STORE}/templates/a.yaml", "chart/templates/a.yaml",
    ]  # fmt: skip
    assert STORE in fetched.read
    assert renderer.ask(files, **arguments, remotes={KEY: STORE})["need"] == [STORE]


def test_an_archive_has_dependencies_by_its_own_lock(renderer: Renderer) -> None:
    """The item names the archive; its subchart's source is the other archive."""
    files: dict[str, str | bytes] = {PLACE: archive(packed_chart(locked()))}

    (item,) = renderer.ask(files, **render_args())["fetch"]
    files[STORE] = archive(STORE_FILES)
    rendered = renderer.render(files, **render_args(), remotes={KEY: STORE})

    assert (item["name"], item["file"]) == ("store", f"{PLACE}/Chart.yaml")
    assert [source for source, _ in rendered.sources] == [
        f"{STORE}/templates/a.yaml", f"{PLACE}/templates/a.yaml",
    ]  # fmt: skip


def test_a_lock_of_helm_2_is_taken(renderer: Renderer) -> None:
    """Its digest is of the dependencies alone, and counts for charts of that time only."""
    text = json.dumps({"dependencies": WANTED}, separators=(",", ":"))
    files = locked(digest="sha256:" + hashlib.sha256(text.encode()).hexdigest())

    assert renderer.refuse(files, **render_args("chart"))["kind"] == "missing_dependency"
    files["chart/Chart.yaml"] = HEAD.replace("v2", "v1")
    files["chart/requirements.yaml"] = f"dependencies: {json.dumps(WANTED)}\n"
    files["chart/requirements.lock"] = files.pop("chart/Chart.lock")
    assert renderer.ask(files, **render_args("chart"))["fetch"][0]["version"] == "1.4.0"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (locked(digest="sha256:0"), "Chart.lock does not fit"),
        (locked([*WANTED, {**WANTED[0], "name": "other"}]), "Chart.lock does not fit"),
        (locked([{**WANTED[0], "version": "2.x"}]), "Chart.lock does not fit"),
        (locked(lock=[{**LOCKED[0], "repository": "s3://charts"}]), "Chart.lock does not fit"),
        (locked([{**WANTED[0], "repository": "@mine"}]), "alias @mine"),
        (locked([{**WANTED[0], "repository": "alias:mine"}]), "alias alias:mine"),
        (locked([{**WANTED[0], "repository": "s3://charts"}]), "charts/ lacks"),
        ({**locked(), "chart/Chart.lock": ""}, "charts/ lacks"),
        ({name: text for name, text in locked().items() if name != "chart/Chart.lock"}, "charts/ lacks"),
    ],
)
def test_what_no_lock_names_is_not_asked_for(
    renderer: Renderer, files: dict[str, str | bytes], message: str
) -> None:
    """The error says why."""
    error = renderer.refuse(files, **render_args("chart"))

    assert error["kind"] == "missing_dependency"
    assert message in error["message"]
    assert error["names"]
    assert error["file"] == "chart/Chart.yaml"


@pytest.mark.parametrize(
    "head",
    [
        "apiVersion: v2\nname: store\nversion: 2.0.0\n",
        "apiVersion: v2\nname: other\nversion: 1.4.0\n",
    ],
)
def test_another_chart_than_was_locked_is_refused(renderer: Renderer, head: str) -> None:
    """Helm would install it beside the dependency, or drop it in silence."""
    files = {**locked(), STORE: archive({"store/Chart.yaml": head})}

    error = renderer.refuse(files, **render_args("chart"), remotes={KEY: STORE})

    assert (error["kind"], error["file"]) == ("missing_dependency", "chart/Chart.yaml")


@pytest.mark.parametrize("reference", ["file://../.git/remotes/1", "file://../../../../shared"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_no_chart_names_files_of_another(renderer: Renderer, reference: str, is_packed: bool) -> None:
    """Neither the user's what was fetched, nor a fetched one the user's."""
    chart = locked([{**WANTED[0], "repository": reference}])
    other: dict[str, str | bytes] = {
        "shared/Chart.yaml": STORE_FILES["store/Chart.yaml"],
        ".git/remotes/1/Chart.yaml": HEAD,
    }
    files = {**other, PLACE: archive(packed_chart(chart))} if is_packed else {**other, **chart}

    error = renderer.refuse(files, **render_args(PLACE if is_packed else "chart"))

    assert error["kind"] == ("missing_dependency" if is_packed else "outside")


def test_a_values_file_is_the_users(renderer: Renderer) -> None:
    """Not of something that was fetched."""
    files = {PLACE: archive(packed_chart(CHART))}

    error = renderer.refuse(files, **render_args(valuesFiles=[PLACE]))

    assert error["kind"] == "outside"


def test_what_was_fetched_is_no_file_of_a_chart_at_the_root(renderer: Renderer) -> None:
    """A chart may be the whole repository."""
    files = {name.removeprefix("chart/"): text for name, text in locked().items()}
    files["templates/a.yaml"] = config_map(
        "a", '{{ range $name, $_ := .Files.Glob "**" }}{{ $name }} {{ end }}'
    )
    files[STORE] = archive({"store/Chart.yaml": STORE_FILES["store/Chart.yaml"]})

    (found,) = renderer.render(files, **render_args(""), remotes={KEY: STORE}).objects

    assert found["data"]["value"] is None
