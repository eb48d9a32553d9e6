"""`nopea plan` before a merge: other refs, Markdown, limited rights, and what the difference shows."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e import yamls
from tests.e2e.commands import Said, say
from tests.e2e.world import Cluster, Site

MAPS, SECRETS, DEPLOYMENTS = "v1 configmaps", "v1 secrets", "apps/v1 deployments"
PASSWORD = "correct-horse-battery-staple"


def _nopea(site: Site, *arguments: str) -> Said:
    return say(site.cluster.lab, *arguments, "-n", site.namespace)


def _write(folder: Path, files: Mapping[str, str]) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return str(folder)


def _web(**spec: Any) -> str:
    web = yamls.deployment("web")
    web["spec"].update(spec)
    return yamls.text(web)


def test_a_branch_is_planned_before_it_is_merged(site: Site) -> None:
    """What it changes, creates and deletes; the exit code says that there is something to do."""
    files = {"web.yaml": _web(replicas=2), "old.yaml": yamls.text(yamls.config_map("old"))}
    repo = site.sync("shop", files, pruneLimit="100%")
    commit = repo.git.commit(
        {"web.yaml": _web(replicas=3), "new.yaml": yamls.text(yamls.config_map("new", a="b"))}, branch="more"
    )

    said = _nopea(site, "plan", "shop", "--ref", "more")
    main = _nopea(site, "plan", "shop")

    assert (main.code, main.out.splitlines()[-1]) == (0, "2 unchanged"), main
    assert said.code == 1, said
    title, *lines, total = said.out.splitlines()
    merge = f"more at {commit[:12]} merged into main at {repo.git.tip()[:12]}"
    assert title == f"GitRepository {site.namespace}/shop: {merge}"
    assert total == "1 to create, 1 to change, 1 to delete"
    assert [line for line in lines if line.startswith(("    -", "    +"))] == [
        "    +apiVersion: v1",
        "    +kind: ConfigMap",
        "    +metadata:",
        "    +  name: new",
        f"    +  namespace: {site.namespace}",
        "    +data:",
        "    +  a: b",
        "    -  replicas: 2",
        "    +  replicas: 3",
    ]
    assert site.cluster.must_get(site.place(DEPLOYMENTS, "web"))["spec"]["replicas"] == 2
    site.cluster.assert_gone(site.place(MAPS, "new"))


def test_what_was_merged_meanwhile_is_not_taken_back(site: Site) -> None:
    """A branch is planned as a merge of it; with a conflict, as it is, and the first line says so."""
    before = {"web.yaml": _web(replicas=2)}
    banner = {"banner.yaml": yamls.text(yamls.config_map("banner"))}
    repo = site.sync("shop", before, pruneLimit="100%")
    repo.git.commit({"web.yaml": _web(replicas=3)}, branch="more")
    repo.git.commit({"web.yaml": _web(replicas=4)}, branch="other")
    repo.git.commit(before | banner)
    repo.sync_now()
    repo.wait_synced(repo.git.tip())

    merged, as_it_is = (_nopea(site, "plan", "shop", "--ref", ref) for ref in ("more", "refs/heads/more"))
    document = json.loads(_nopea(site, "plan", "shop", "--ref", "more", "-o", "json").out)
    repo.git.commit({"web.yaml": _web(replicas=3)} | banner)
    conflict = _nopea(site, "plan", "shop", "--ref", "other")

    assert merged.out.splitlines()[-1] == "1 to change, 1 unchanged"
    assert as_it_is.out.splitlines()[-1] == "1 to change, 1 to delete"
    assert (document["commit"], document["mergedInto"]) == (
        repo.git.tip("more"), repo.status()["lastAppliedCommit"],
    )  # fmt: skip
    assert "as it is, because Nopea cannot merge it into main at" in conflict.out.splitlines()[0]
    assert conflict.out.splitlines()[-1] == "1 to change, 1 to delete"


def test_a_comment_for_a_pull_request(site: Site, tmp_path: Path) -> None:
    """What the API server refuses comes first; a Secret's values are never in it."""
    changed = yamls.secret("key", password=f"{PASSWORD}-2")
    repo = site.sync("shop", {"key.yaml": yamls.text(yamls.secret("key", password=PASSWORD))})
    files = {"key.yaml": yamls.text(changed), "web.yaml": _web(replica=3)}
    repo.git.commit(files, branch="more")

    outputs = [
        _nopea(site, "plan", "shop", "--ref", "more", "-o", output) for output in ("markdown", "text", "json")
    ]
    folder = _nopea(site, "plan", "-f", _write(tmp_path / "files", files), "--for", "shop", "-o", "markdown")

    for said in (*outputs, folder):
        assert said.code == 2, said
        for value in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()[:20]):
            assert value not in said.out + said.err
    text = outputs[0].out
    assert text.startswith("### Nopea plan: 1 to change, 1 refused\n")
    assert "<details open><summary>❌ refused: <code>apps/Deployment " in text
    assert "NOPEA-K003" in text
    assert text.index("NOPEA-K003") < text.index("-  password: '*** (before)'") < text.index("*** (after)")


def test_who_may_only_read_gets_the_computed_plan(site: Site, tmp_path: Path) -> None:
    """It is said once for each kind what was not asked, and nothing fails."""
    files = {"map.yaml": yamls.text(yamls.config_map("map", a="1"))}
    repo = site.sync("shop", files)
    repo.git.commit(
        {
            "map.yaml": yamls.text(yamls.config_map("map", a="2")),
            "more.yaml": yamls.text(yamls.config_map("more", a="1"), yamls.deployment("web")),
        },
        branch="more",
    )
    kubeconfig = _reader(site.cluster, site.namespace, tmp_path)

    said = _nopea(site, "plan", "shop", "--ref", "more", "--kubeconfig", str(kubeconfig))

    assert said.code == 1, said
    assert '    -  a: "1"\n    +  a: "2"\n' in said.out
    assert said.out.endswith(
        "You may not apply objects of kind ConfigMap: 2 objects not checked.\n"
        "You may not apply objects of kind apps/Deployment: 1 object not checked.\n"
        "2 to create, 1 to change\n"
    )


def _reader(cluster: Cluster, namespace: str, folder: Path) -> Path:
    """Return the kubeconfig of an account that may only read, in the whole cluster."""
    name = f"reader-{secrets.token_hex(4)}"
    cluster.put(
        f"rbac.authorization.k8s.io/v1 clusterroles /{name}",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}],
        },
    )
    lab = cluster.lab
    lab.run_kubectl("create", "serviceaccount", name, "-n", namespace)
    lab.run_kubectl(
        "create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount={namespace}:{name}"
    )
    kubeconfig = folder / "kubeconfig"
    lab.write_kubeconfig(kubeconfig, token=lab.run_kubectl("-n", namespace, "create", "token", name).strip())
    return kubeconfig


def test_an_adoption_shows_what_it_removes(site: Site, tmp_path: Path) -> None:
    """Also what kubectl has set and the folder omits; who set it is named. Defaults are no difference."""
    lab = site.cluster.lab
    live = yamls.deployment("web")
    live["spec"] |= {"replicas": 2, "minReadySeconds": 5}
    lab.run_kubectl("apply", "-n", site.namespace, "-f", "-", stdin=yamls.text(live))

    said = _nopea(site, "plan", "-f", _write(tmp_path / "files", {"web.yaml": _web(replicas=3)}))

    assert said.code == 1, said
    assert [line.strip() for line in said.out.splitlines() if line.startswith(("    -", "    +"))] == [
        "-  replicas: 2",
        "+  replicas: 3",
        "-  minReadySeconds: 5",
    ]
    assert ".spec.minReadySeconds: 5 by kubectl" in said.out
    assert "removed by the adoption" in said.out


def test_the_computed_plan_is_that_of_the_server(site: Site) -> None:
    """For a change of a list, a file and a scalar, `--no-server` shows the same lines."""
    before = yamls.config_map("conf", conf="a\nb\nc\n", gone="1")
    repo = site.sync("shop", {"web.yaml": _web(replicas=2), "conf.yaml": yamls.text(before)})
    web = yamls.deployment("web", image="registry.example/web:2")
    web["spec"]["replicas"] = 2
    repo.git.commit(
        {
            "web.yaml": yamls.text(web),
            "conf.yaml": yamls.text(yamls.config_map("conf", conf="a\nB\nc\n", new="2")),
        },
        branch="more",
    )

    asked = _nopea(site, "plan", "shop", "--ref", "more")
    computed = _nopea(site, "plan", "shop", "--ref", "more", "--no-server")

    assert "    -    b\n    +    B\n" in asked.out
    assert computed == asked
    for line in ("-        image: registry.example/web:1", "+        image: registry.example/web:2"):
        assert line in asked.out


def test_deletions_that_the_guard_holds_back_share_one_message(site: Site) -> None:
    """They are refused, so the exit code is 2."""
    files = {f"m{number}.yaml": yamls.text(yamls.config_map(f"m{number}")) for number in range(7)}
    repo = site.sync("shop", files)
    repo.change(suspend=True)
    repo.git.commit({"m6.yaml": files["m6.yaml"]})

    said = _nopea(site, "diff", "shop")

    assert said.code == 2, said
    assert said.out.count("NOPEA-K013") == 1
    assert said.out.count("pruning refused") == 6
    assert said.out.splitlines()[-1] == "6 refused"


def test_drift_that_is_reverted_has_its_author(site: Site) -> None:
    """The difference says what goes, the line above who wrote it."""
    repo = site.sync("shop", {"web.yaml": _web(replicas=2)}, suspend=None)
    repo.change(suspend=True)
    site.cluster.lab.run_kubectl("scale", "deployment", "web", "-n", site.namespace, "--replicas=7")

    said = _nopea(site, "diff", "shop")

    assert said.code == 1, said
    assert ".spec.replicas: 7 by kubectl (Update/scale)" in said.out
    assert "; becomes 2\n" in said.out
    assert "    -  replicas: 7\n    +  replicas: 2\n" in said.out
