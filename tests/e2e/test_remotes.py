"""Charts from a registry and a chart repository, and remote bases: fetched, followed, refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.downloads.charts import chart_archive, digest_of
from tests.downloads.conftest import LOGIN
from tests.downloads.registry import Registry, push_chart
from tests.downloads.repository import ChartRepository, failing
from tests.downloads.serving import Tls
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Json, Site
from tests.gitserver import GitServer

MAPS = "v1 configmaps"
LOCK = "Chart.lock"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """The certificate of the servers of this module."""
    return Tls.issued(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Registry]:
    """A registry that wants a login."""
    with Registry(tmp_path_factory.mktemp("registry"), tls=tls, login=LOGIN) as running:
        yield running


@pytest.fixture(scope="module")
def charts(tls: Tls) -> Iterator[ChartRepository]:
    """A chart repository."""
    with ChartRepository(tls=tls) as running:
        yield running


@pytest.fixture(scope="module")
def nopea(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Nopea]:
    """A controller that trusts the servers and may fetch bases from this host."""
    folder = tmp_path_factory.mktemp("nopea")
    (folder / "ca.crt").write_text(tls.ca_crt)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "ca.crt"))
        running = Nopea(
            kubeconfig=cluster.lab.kubeconfig, folder=folder, arguments=("--remote-bases=127.0.0.1",)
        )
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
        assert LOGIN.password not in running.log_text()
    finally:
        running.kill()


def _login(site: Site, registry: Registry) -> dict[str, str]:
    """Create the Secret as `kubectl create secret docker-registry` does, and return the reference."""
    auths = {registry.host: {"username": LOGIN.username, "password": LOGIN.password}}
    text = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    site.cluster.put(
        site.place("v1 secrets", "registry"),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "registry", "namespace": site.namespace},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": text},
        },
    )
    return {"name": "registry"}


def _data(site: Site, name: str) -> Json:
    data: Json = site.cluster.must_get(site.place(MAPS, name))["data"]
    return data


def _must_be(site: Site, name: str, **data: str) -> None:
    assert _data(site, name) | data == _data(site, name)


def test_a_chart_of_a_registry_is_followed(site: Site, registry: Registry) -> None:
    """Values are in Git; the next poll applies a new version in the range; the status says which it is."""
    name = f"{site.namespace}/web"
    digest = push_chart(registry, name, chart_archive("web", "1.0.0"), "1.0.0")
    helm = {
        "chart": registry.url(name),
        "version": "^1.0",
        "secretRef": _login(site, registry),
        "valuesFiles": ["prod.yaml"],
    }
    repo = site.sync("shop", {"prod.yaml": "message: from Git\n"}, helm=helm, interval="1s")
    _must_be(site, "shop-web", message="from Git", version="1.0.0")
    assert repo.status()["chart"] == {"source": registry.url(name), "version": "1.0.0", "digest": digest}
    live = site.cluster.must_get(site.place(MAPS, "shop-web"))["metadata"]
    assert live["annotations"]["nopea.io/source"] == f"{registry.url(name)}:1.0.0/templates/configmap.yaml#1"

    push_chart(registry, name, chart_archive("web", "2.0.0"), "2.0.0")
    push_chart(registry, name, chart_archive("web", "1.1.0"), "1.1.0")

    eventually(lambda: _must_be(site, "shop-web", version="1.1.0"), seconds=30)
    assert repo.status()["chart"]["version"] == "1.1.0"


def test_a_version_with_another_digest_is_refused_until_somebody_decides(
    site: Site, registry: Registry
) -> None:
    """What was applied stays, also against drift; spec.helm.digest takes the new content, and no other."""
    name = f"{site.namespace}/web"
    push_chart(registry, name, chart_archive("web", "1.0.0"), "1.0.0")
    helm: dict[str, Any] = {
        "chart": registry.url(name),
        "version": "1.0.0",
        "secretRef": _login(site, registry),
    }
    repo = site.sync("shop", {"README.md": ""}, helm=helm, interval="1s")
    known = repo.status()["chart"]

    evil = chart_archive("web", "1.0.0", {"values.yaml": "message: changed\n"})
    digest = push_chart(registry, name, evil, "1.0.0")

    repo.wait_failed("NOPEA-R028")
    _must_be(site, "shop-web", message="Hello from web")
    assert repo.status()["chart"] == known
    assert digest in repo.condition("Fetched")["message"]
    assert repo.condition("Ready")["status"] == "True"
    site.cluster.merge(site.place(MAPS, "shop-web"), {"data": {"message": "by hand"}})
    eventually(lambda: _must_be(site, "shop-web", message="Hello from web"), seconds=30)
    repo.change(helm={**helm, "digest": digest})
    repo.wait_synced()
    _must_be(site, "shop-web", message="changed")

    repo.change(helm={**helm, "digest": known["digest"]})
    repo.wait_failed("NOPEA-R028")


def test_while_a_repository_is_away_drift_is_reverted(site: Site, charts: ChartRepository) -> None:
    """Ready stays True, Fetched says what is wrong."""
    chart = chart_archive("away", "1.0.0")
    charts.add(chart)
    helm = {"chart": f"{charts.url}/away"}
    repo = site.sync("shop", {"README.md": ""}, helm=helm, interval="1s")
    assert repo.status()["chart"]["digest"] == digest_of(chart)
    charts.answers[charts.index_path] = failing(503)
    try:
        repo.wait_failed("NOPEA-R025")
        assert repo.condition("Ready")["status"] == "True"
        site.cluster.merge(site.place(MAPS, "shop-away"), {"data": {"message": "changed"}})
        eventually(lambda: _must_be(site, "shop-away", message="Hello from away"), seconds=30)
    finally:
        del charts.answers[charts.index_path]
    repo.wait_synced()


def test_dependencies_come_by_the_lock(site: Site, charts: ChartRepository) -> None:
    """A chart in Git, with a dependency that Chart.lock fixes; only that version is fetched."""
    charts.add(chart_archive("cache", "1.0.0"))
    charts.add(chart_archive("cache", "1.1.0"))
    wanted = [{"name": "cache", "version": "^1.0", "repository": charts.url}]
    locked = [{"name": "cache", "version": "1.0.0", "repository": charts.url}]
    hashed = json.dumps([wanted, locked], separators=(",", ":"))
    files = {
        "chart/Chart.yaml": json.dumps(
            {"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": wanted}
        ),
        "chart/Chart.lock": json.dumps(
            {
                "dependencies": locked,
                "digest": digest_of(hashed.encode()),
                "generated": "2026-01-01T00:00:00Z",
            }
        ),
        "chart/values.yaml": "cache: {message: from the parent}\n",
    }
    repo = site.sync("shop", files, path="chart", interval="1s")

    _must_be(site, "shop-cache", version="1.0.0", message="from the parent")
    before = charts.requests.copy()
    site.cluster.merge(site.place(MAPS, "shop-cache"), {"data": {"message": "changed"}})
    repo.wait_event("DriftHealed")
    assert charts.requests == before, "a locked dependency is fetched once"

    repo.git.commit({path: text for path, text in files.items() if not path.endswith(LOCK)})
    failed = repo.wait_failed("NOPEA-R016")
    assert "cache" in failed["status"]["errors"][0]["message"]


def test_remote_bases_are_built(site: Site, charts: ChartRepository, git_server: GitServer) -> None:
    """A folder of another repository at a tag, and a file; a push to a branch is followed."""
    del git_server
    platform = site.origin(
        "platform",
        {
            "base/kustomization.yaml": "resources: [web.yaml, ../more]\n",
            "base/web.yaml": yamls.text(yamls.config_map("web", colour="blue")),
            "more/kustomization.yaml": "resources: [api.yaml]\n",
            "more/api.yaml": yamls.text(yamls.config_map("api", colour="blue")),
        },
    )
    charts.files["/v1/install.yaml"] = yamls.text(yamls.config_map("installed", a="b")).encode()
    overlay = f"""
namePrefix: prod-
resources:
  - {site.url("platform")}//base?ref=main
  - {charts.origin}/v1/install.yaml
"""
    repo = site.sync("shop", {"kustomization.yaml": overlay}, interval="1s", pruneLimit="100%")

    _must_be(site, "prod-web", colour="blue")
    _must_be(site, "prod-api", colour="blue")
    _must_be(site, "prod-installed", a="b")
    live = site.cluster.must_get(site.place(MAPS, "prod-web"))["metadata"]
    assert live["annotations"]["nopea.io/source"] == f"{site.url('platform')}@main/base/web.yaml#1"

    platform.commit(
        {
            "base/kustomization.yaml": "resources: [web.yaml]\n",
            "base/web.yaml": yamls.text(yamls.config_map("web", colour="green")),
        }
    )
    eventually(lambda: _must_be(site, "prod-web", colour="green"), seconds=30)
    eventually(lambda: site.cluster.assert_gone(site.place(MAPS, "prod-api")), seconds=30)
    repo.wait_synced()


def test_a_base_cannot_read_the_repository_that_uses_it(site: Site) -> None:
    """Neither by a path out of it nor by a generator; the user's Secret stays where it is."""
    site.origin(
        "evil",
        {
            "base/kustomization.yaml": "configMapGenerator:\n"
            "  - {name: loot, files: [../../../../../secret.txt]}\n",
        },
    )
    files = {
        "kustomization.yaml": f"resources: ['{site.url('evil')}//base?ref=main']\n",
        "secret.txt": "hunter2",
    }
    site.origin("shop", files)
    repo = site.follow("shop")

    repo.wait_failed("NOPEA-R008")

    always(lambda: _no_maps(site), seconds=1)


def test_a_host_that_is_not_allowed_is_refused_by_name(site: Site) -> None:
    """With the file and the line that name it, and the way out."""
    files = {"kustomization.yaml": "resources:\n  - github.com/acme/platform//base?ref=v1\n"}
    site.origin("shop", files)
    repo = site.follow("shop")

    error = repo.wait_failed("NOPEA-R006")["status"]["errors"][0]

    assert error["source"] == "kustomization.yaml:2"
    assert "github.com" in error["message"]
    assert "--remote-bases" in error["hint"]


def _no_maps(site: Site) -> None:
    names = [each["metadata"]["name"] for each in site.cluster.list(site.place(MAPS))]
    assert [name for name in names if name != "kube-root-ca.crt"] == []
