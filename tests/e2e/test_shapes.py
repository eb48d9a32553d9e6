"""A repository changes its shape: links, submodules, encrypted files, other tools. Nothing is lost by it."""

from __future__ import annotations

import pytest
from tests.e2e import yamls
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Site

LINK, SUBMODULE = "120000", "160000"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"


def _map(name: str, **data: str) -> str:
    return yamls.text(yamls.config_map(name, colour="blue", **data))


BEFORE = {"apps/base/a.yaml": _map("a"), "apps/b.yaml": _map("b")}


def _live(site: Site, *names: str) -> list[str]:
    """Return which of these ConfigMaps exist."""
    return [name for name in names if site.cluster.get(site.place("v1 configmaps", name))]


def _data(site: Site, name: str) -> Json:
    data: Json = site.cluster.must_get(site.place("v1 configmaps", name))["data"]
    return data


def _must_be(site: Site, name: str, **data: str) -> None:
    assert _data(site, name) | data == _data(site, name)


def test_a_folder_that_becomes_a_link_keeps_its_objects(site: Site) -> None:
    """What the link leads to is applied, from the path of the link; a deleted file is pruned through it."""
    repo = site.sync("shop", {**BEFORE, "apps/base/c.yaml": _map("c")}, path="apps", pruneLimit="100%")
    links = {"apps/base": LINK}
    after = {"apps/b.yaml": _map("b"), "apps/base": "../base", "base/a.yaml": _map("a", new="yes")}

    repo.git.commit({**after, "base/c.yaml": _map("c")}, modes=links)
    repo.sync_and_wait()

    assert _data(site, "a")["new"] == "yes"
    annotations = site.cluster.must_get(site.place("v1 configmaps", "a"))["metadata"]["annotations"]
    assert annotations["nopea.io/source"] == "apps/base/a.yaml#1"
    assert _live(site, "a", "b", "c") == ["a", "b", "c"]
    commit = repo.git.commit(after, modes=links)
    repo.sync_and_wait()
    repo.wait_synced(commit)
    assert _live(site, "a", "b", "c") == ["a", "b"]


@pytest.mark.parametrize(
    ("code", "path", "content", "file_mode"),
    [
        ("NOPEA-M012", "apps/base", "../gone", LINK),
        ("NOPEA-M012", "apps/base", "../../base", LINK),
        ("NOPEA-M012", "apps/base", ".", LINK),
        ("NOPEA-M014", "apps/base", "1" * 40, SUBMODULE),
        ("NOPEA-M014", "apps/base/a.yaml/notes.txt", "x", "100644"),
        ("NOPEA-M006", "apps/base/a.yaml", "", "100644"),
        ("NOPEA-M008", "apps/base/a.yaml", b"\x7fELF\xff\xfe", "100644"),
        ("NOPEA-M009", "apps/base/a.yaml", LFS, "100644"),
        ("NOPEA-M015", "apps/base/kustomization.yaml", "resources: []\n", "100644"),
        ("NOPEA-M016", "apps/base/a.yaml", b"\0GITCRYPT\0\x01\xff", "100644"),
    ],
)
def test_what_turns_into_something_else_is_an_error_and_deletes_nothing(
    site: Site, code: str, path: str, content: str | bytes, file_mode: str
) -> None:
    """The problem names the place, and the rest is applied."""
    repo = site.sync("shop", BEFORE, path="apps", pruneLimit="100%")

    repo.git.commit({"apps/b.yaml": _map("b", new="yes"), path: content}, modes={path: file_mode})
    (error,) = repo.sync_and_wait()["errors"]

    assert error["code"] == code
    assert error["source"].startswith("apps/base")
    assert _live(site, "a", "b") == ["a", "b"]
    assert _data(site, "b")["new"] == "yes"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("kustomization.yaml", "NOPEA-R002"),
        ("Kustomization", "NOPEA-R002"),
        ("Chart.yaml", "NOPEA-R015"),
    ],
)
def test_a_folder_of_a_tool_that_cannot_be_rendered_is_refused_whole(
    site: Site, name: str, code: str
) -> None:
    """Nothing of it is applied or deleted; the commit before stays in force, until the file is excluded."""
    repo = site.sync("shop", BEFORE, path="apps", pruneLimit="100%")
    after = {"apps/c.yaml": _map("c"), "apps/b.yaml": _map("b", new="yes")}
    commit = repo.git.commit({**after, f"apps/{name}": "x: 1\n"})

    (error,) = repo.sync_and_wait()["errors"]

    assert (error["code"], error["source"].partition(":")[0]) == (code, f"apps/{name}")
    assert repo.condition("Stalled")["status"] == "True"
    assert _live(site, "a", "b", "c") == ["a", "b"]
    assert "new" not in _data(site, "b")
    site.cluster.merge(site.place("v1 configmaps", "b"), {"data": {"colour": "red"}})
    eventually(lambda: _must_be(site, "b", colour="blue"))

    repo.change(exclude=[name])

    repo.wait_synced(commit)
    assert _live(site, "a", "b", "c") == ["b", "c"]


def test_an_ignore_file_may_be_a_link(site: Site) -> None:
    """What it excludes is not applied, neither through the link nor when the link is broken."""
    files = {"apps/secret.yaml": _map("a"), "apps/b.yaml": _map("b"), "shared": "secret.yaml\n"}
    repo = site.origin("shop")
    repo.commit({**files, "apps/.nopeaignore": "../shared"}, modes={"apps/.nopeaignore": LINK})
    shop = site.follow("shop", path="apps")
    shop.wait_synced()
    assert _live(site, "a", "b") == ["b"]

    repo.commit({**files, "apps/.nopeaignore": "../moved"}, modes={"apps/.nopeaignore": LINK})
    (error,) = shop.sync_and_wait()["errors"]

    assert (error["code"], error["source"]) == ("NOPEA-M012", "apps/.nopeaignore")
    assert _live(site, "a", "b") == ["b"]


def test_an_encrypted_object_is_never_applied_as_it_is(site: Site) -> None:
    """A definition whose schema is open would take the ciphertext and the block of SOPS."""
    group = f"{site.namespace}.acme.example"
    definition = yamls.definition("Widget", group=group)
    (version,) = definition["spec"]["versions"]
    version["schema"]["openAPIV3Schema"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    cipher = "ENC[AES256_GCM,data:3q2+7w==,iv:AA==,tag:AA==,type:str]"
    widget = {
        "apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "web"},
        "spec": {"password": cipher}, "sops": {"mac": cipher, "version": "3.9.0"},
    }  # fmt: skip
    files = {"kind.yaml": yamls.text(definition), "web.yaml": yamls.text(widget), "b.yaml": _map("b")}
    site.origin("shop", files)

    repo = site.follow("shop")

    repo.wait_failed("NOPEA-M016")
    assert repo.status()["errors"][0]["source"] == "web.yaml:1"
    assert _live(site, "b") == ["b"]
    widgets = eventually(lambda: site.cluster.list(site.place(f"{group}/v1 widgets")))  # once it is stored
    assert widgets == []
    site.cluster.delete(f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{group}")
