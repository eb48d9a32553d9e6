"""Variables and encrypted files: what users keep out of Git gets into the objects, and nowhere else."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Repo, Site

MAPS, SECRETS = "v1 configmaps", "v1 secrets"
DATA = Path(__file__).parents[2] / "renderer" / "testdata"
CLEAR = "hunter2-plain"
SOON = 15.0
"""Seconds; without a watch it would take 30, and a poll an hour."""
SOPS = {"decryption": {"provider": "sops", "secretRef": {"name": "sops-keys"}}}


def _data(site: Site, kind: str, name: str) -> Json:
    data: Json = site.cluster.must_get(site.place(kind, name)).get("data") or {}
    return data


def _must_be(site: Site, name: str, **data: str) -> None:
    assert _data(site, MAPS, name) == data


def _put(site: Site, kind: str, name: str, **data: str) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}
    path = f"/api/v1/namespaces/{site.namespace}/{kind.lower()}s"
    answer = site.cluster.lab.request("POST", path, body)
    assert answer.status == 201, answer.body


def _put_keys(site: Site, file: str = "shop.agekey") -> None:
    key = base64.b64encode((DATA / file).read_bytes()).decode()
    _put(site, "Secret", "sops-keys", **{"shop.agekey": key})


def _assert_woken(nopea: Nopea, repo: Repo, *, times: int) -> None:
    """Fail until so many syncs, which a changed input started, have ended: their objects come first.

    The watch event of an object that was just applied may come to the same sync.
    """
    syncs = nopea.logs("sync finished", repo=repo.log_key)
    woken = [each["triggers"] for each in syncs if "input change" in each["triggers"]]
    assert len(woken) == times, syncs
    assert all({*triggers} <= {"input change", "object change"} for triggers in woken), syncs


def _web() -> dict[str, str]:
    """Return a repository with a variable in a plain manifest, and in an overlay."""
    text = yamls.text(yamls.config_map("web", colour="${colour}", size="${size:=1m}", literal="$${colour}"))
    return {
        "plain/web.yaml": text,
        "overlay/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: over-\n",
        "overlay/web.yaml": text,
    }


@pytest.mark.parametrize(("path", "name"), [("plain", "web"), ("overlay", "over-web")])
def test_variables_of_the_spec_and_of_the_cluster_are_replaced(site: Site, path: str, name: str) -> None:
    """A change in the cluster is applied by the next sync."""
    _put(site, "ConfigMap", "cluster", colour="blue", size="2m")
    references = [{"kind": "ConfigMap", "name": "cluster"}]
    repo = site.sync("shop", _web(), path=path, substituteFrom=references, substitute={"size": "3m"})
    _must_be(site, name, colour="blue", size="3m", literal="${colour}")

    site.cluster.merge(site.place(MAPS, "cluster"), {"data": {"colour": "green"}})
    repo.sync_and_wait()

    _must_be(site, name, colour="green", size="3m", literal="${colour}")


def test_a_change_in_the_cluster_is_applied_at_once(site: Site, nopea: Nopea) -> None:
    """Without a commit, a request or a poll, and without Git; an optional object that comes counts too."""
    _put(site, "ConfigMap", "cluster", colour="blue")
    references = [
        {"kind": "ConfigMap", "name": "cluster"},
        {"kind": "Secret", "name": "more", "optional": True},
    ]
    repo = site.sync("shop", _web(), path="plain", substituteFrom=references, interval="1h")
    shutil.rmtree(repo.git.path)

    site.cluster.merge(site.place(MAPS, "cluster"), {"data": {"colour": "green"}})
    eventually(lambda: _must_be(site, "web", colour="green", size="1m", literal="${colour}"), seconds=SOON)
    _put(site, "Secret", "more", size=base64.b64encode(b"4m").decode())
    eventually(lambda: _must_be(site, "web", colour="green", size="4m", literal="${colour}"), seconds=SOON)

    assert repo.condition("Fetched")["status"] == "True"
    eventually(lambda: _assert_woken(nopea, repo, times=2))


def test_a_variable_that_is_not_set_is_named(site: Site) -> None:
    """Nothing is applied."""
    site.origin("shop", _web())
    repo = site.follow("shop", path="plain", substitute={})

    (error,) = repo.wait_failed("NOPEA-R023")["status"]["errors"]

    assert "colour" in error["message"]
    assert error["source"].startswith("plain/web.yaml")
    site.cluster.assert_gone(site.place(MAPS, "web"))


def test_a_missing_reference_is_named(site: Site) -> None:
    """It is applied as soon as it is there. Deleting it again is reported, and drift is still reverted."""
    site.origin("shop", _web())
    references = [{"kind": "ConfigMap", "name": "cluster"}]
    repo = site.follow("shop", path="plain", substituteFrom=references, interval="1h")
    (error,) = repo.wait_failed("NOPEA-S008")["status"]["errors"]
    assert (error["object"]["kind"], error["object"]["name"]) == ("ConfigMap", "cluster")

    _put(site, "ConfigMap", "cluster", colour="blue")
    eventually(lambda: _must_be(site, "web", colour="blue", size="1m", literal="${colour}"), seconds=SOON)
    repo.wait_synced()
    site.cluster.delete(site.place(MAPS, "cluster"))
    repo.wait_failed("NOPEA-S008", seconds=SOON)
    site.cluster.merge(site.place(MAPS, "web"), {"data": {"colour": "red"}})
    repo.wait_event("DriftHealed")
    _must_be(site, "web", colour="blue", size="1m", literal="${colour}")


def _encrypted(site: Site, path: str, **spec: object) -> Repo:
    files: dict[str, str | bytes] = {
        "plain/secret.yaml": (DATA / "secret.yaml").read_bytes(),
        "plain/web.yaml": yamls.text(yamls.config_map("web", a="b")),
        "overlay/kustomization.yaml": "resources: [secret.yaml]\n",
        "overlay/secret.yaml": (DATA / "secret.yaml").read_bytes(),
    }
    site.origin("shop", files)
    return site.follow("shop", path=path, **spec)


def _clear(site: Site) -> list[str]:
    """Return the values of all Secrets that the repository applied."""
    secrets = site.cluster.list(site.place(SECRETS))
    ours = [one for one in secrets if "nopea.io/repository" in one["metadata"].get("labels", {})]
    return [base64.b64decode(text).decode() for one in ours for text in one["data"].values()]


@pytest.mark.parametrize("path", ["plain", "overlay"])
def test_an_encrypted_secret_is_applied_decrypted(site: Site, path: str) -> None:
    """The plaintext is in the Secret, and in nothing else that users read."""
    _put_keys(site)

    repo = _encrypted(site, path, **SOPS)
    repo.wait_synced()

    assert _clear(site) == [CLEAR]
    said = f"{repo.get()} {repo.events()}"
    assert CLEAR not in said
    assert base64.b64encode(CLEAR.encode()).decode() not in said
    assert "AGE-SECRET-KEY" not in said


def test_a_key_that_comes_later_decrypts_at_once(site: Site, nopea: Nopea) -> None:
    """Nopea may watch Secrets here."""
    repo = _encrypted(site, "plain", **SOPS, interval="1h")
    repo.wait_failed("NOPEA-S008")

    _put_keys(site)

    repo.wait_synced(seconds=SOON)
    assert _clear(site) == [CLEAR]
    eventually(lambda: _assert_woken(nopea, repo, times=1))


@pytest.mark.parametrize(
    ("code", "key", "spec"),
    [("NOPEA-M016", "", {}), ("NOPEA-R021", "stranger.agekey", SOPS), ("NOPEA-S008", "", SOPS)],
)
def test_what_cannot_be_decrypted_is_not_applied(
    site: Site, code: str, key: str, spec: dict[str, object]
) -> None:
    """Never the ciphertext in its place."""
    if key:
        _put_keys(site, key)
    repo = _encrypted(site, "plain", **spec)

    repo.wait_failed(code)

    assert _clear(site) == []
