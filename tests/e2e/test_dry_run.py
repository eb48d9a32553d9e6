"""`nopea plan` and `nopea diff` ask the API server, so that what it refuses is seen before a merge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.commands import Said, say
from tests.e2e.waiting import eventually
from tests.e2e.world import Site

MAPS, DEPLOYMENTS = "v1 configmaps", "apps/v1 deployments"


def _plan(site: Site, folder: Path, files: Mapping[str, str]) -> Said:
    for name, text in files.items():
        (folder / name).write_text(text)
    options = (f"--folder={folder}", f"--namespace={site.namespace}", "--output=json")
    return say(site.cluster.lab, "plan", *options)


def _objects(said: Said) -> dict[str, dict[str, Any]]:
    return {each["object"].rpartition(" ")[2].rpartition("/")[2]: each for each in said.json["objects"]}


def _web(**spec: Any) -> dict[str, Any]:
    web = yamls.deployment("web")
    web["spec"].update(spec)
    return web


@pytest.mark.parametrize(
    ("spec", "code", "says"),
    [
        ({"replica": 3}, "NOPEA-K003", "replica"),
        ({"replicas": -1}, "NOPEA-K003", "replicas"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "NOPEA-K003", "selector"),
    ],
)
def test_what_the_api_server_refuses_is_an_error(
    site: Site, tmp_path: Path, spec: dict[str, Any], code: str, says: str
) -> None:
    """With the file, as a sync would report it; the others are planned, and nothing is written."""
    files = {"web.yaml": yamls.text(_web(**spec)), "map.yaml": yamls.text(yamls.config_map("map", a="b"))}

    said = _plan(site, tmp_path, files)

    assert said.code == 2, said
    found = _objects(said)
    assert (found["web"]["action"], found["web"]["reason"]) == ("refuse", "rejected by the API server")
    assert (found["web"]["problem"]["code"], found["web"]["problem"]["source"]) == (code, "web.yaml#1")
    assert says in found["web"]["problem"]["message"]
    assert found["map"]["action"] == "create"
    site.cluster.assert_gone(site.place(MAPS, "map"))


def test_an_immutable_field_of_a_live_object(site: Site) -> None:
    """It is known before the merge; with force the object is made again, which is no error."""
    files = {"web.yaml": yamls.text(_web())}
    repo = site.sync("shop", files)
    changed = _web(selector={"matchLabels": {"app": "new"}})
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "new"}
    repo.change(suspend=True)
    repo.git.commit({"web.yaml": yamls.text(changed)})
    arguments = ("diff", "shop", f"--namespace={site.namespace}", "-o", "json")

    (web,) = say(site.cluster.lab, *arguments).json["objects"]
    repo.change(force=True)
    (forced,) = say(site.cluster.lab, *arguments).json["objects"]

    assert web["problem"]["code"] == "NOPEA-K005"
    assert forced["problem"] is None


def test_what_comes_with_the_same_commit_is_no_error(site: Site, tmp_path: Path) -> None:
    """An object in a namespace that is created before it, which cannot be tried yet."""
    other = f"{site.namespace}-new"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    inside = yamls.config_map("inside", a="b")
    inside["metadata"]["namespace"] = other

    said = _plan(site, tmp_path, {"all.yaml": yamls.text(namespace, inside)})

    assert said.code == 1, said
    assert _objects(said)["inside"]["unchecked"] == "its namespace does not exist yet"


def test_a_namespace_that_nobody_creates_is_an_error(site: Site, tmp_path: Path) -> None:
    """The sync would fail with the same code."""
    inside = yamls.config_map("inside", a="b")
    inside["metadata"]["namespace"] = f"{site.namespace}-none"

    said = _plan(site, tmp_path, {"all.yaml": yamls.text(inside)})

    assert said.code == 2, said
    assert _objects(said)["inside"]["problem"]["code"] == "NOPEA-K006"


def test_a_kind_that_comes_with_the_same_commit(site: Site, tmp_path: Path) -> None:
    """An object of it is planned, and said to be not checked."""
    group = f"{site.namespace}.example"
    definition = yamls.definition("Lamp", group=group)
    lamp = yamls.custom("Lamp", "desk", group=group)

    said = _plan(site, tmp_path, {"all.yaml": yamls.text(definition, lamp)})

    assert said.code == 1, said
    assert _objects(said)["desk"]["unchecked"] == "its kind is not served yet"


def test_a_quota_is_asked_too(site: Site, tmp_path: Path) -> None:
    """It refuses the plan's object now, not after the merge."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"count/secrets": "0"}}}
    site.cluster.put(site.place("v1 resourcequotas", "none"), {**quota, "metadata": {"name": "none"}})

    def refused() -> None:
        said = _plan(site, tmp_path, {"s.yaml": yamls.text(yamls.secret("s", key="hunter2"))})
        assert said.code == 2, said
        assert _objects(said)["s"]["problem"]["code"] == "NOPEA-K012"
        assert "hunter2" not in said.out + said.err

    eventually(refused)
