"""`nopea create` with real Git servers, a real API server and a running controller."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.commands import SECONDS, Said, say
from tests.e2e.process import PROGRAM
from tests.e2e.waiting import eventually
from tests.e2e.world import Site
from tests.git.sshd import SshServer, make_key
from tests.gitserver import Access, GitServer, Origin

TOKEN = "s3cr3t-t0ken-of-acme"
MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: %s}
data: {from: git}
"""


def create(site: Site, *arguments: str, stdin: str = "") -> Said:
    """Run the command in the site's namespace; no output may have the token."""
    said = say(site.cluster.lab, "create", "web", "-n", site.namespace, *arguments, stdin=stdin)
    assert TOKEN not in said.out + said.err
    return said


def secret(site: Site, name: str = "web-git") -> dict[str, str]:
    """Return the decoded values of a Secret."""
    found = site.cluster.must_get(site.place("v1 secrets", name))
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def repository(site: Site) -> dict[str, Any] | None:
    """Return the GitRepository, if it was created."""
    site.names.append("web")
    return site.cluster.get(site.place("nopea.io/v1alpha1 gitrepositories", "web"))


def test_a_public_repository_is_applied(site: Site) -> None:
    """No Secret is made; what is new is told before, what was applied afterwards."""
    site.origin("web", {"deploy/a.yaml": MAP % "a", "deploy/b.yaml": MAP % "b", "c.yaml": MAP % "c"})

    said = create(site, f"--url={site.url('web')}", "--path=deploy")

    assert said.code == 0, said.out + said.err
    first, second, third, fourth = said.out.splitlines()
    assert first == "✓ 127.0.0.1 asks for no login."
    assert second.startswith("✓ main is at ")
    assert second.endswith('"Change": 2 objects in deploy: 2 new, 0 taken over, 0 refused (dry run).')
    assert third == f"✓ Created GitRepository {site.namespace}/web."
    assert fourth.startswith("✓ Applied 2 objects, all healthy after ")
    found = repository(site)
    assert found is not None
    assert found["spec"]["path"] == "deploy"
    assert "secretRef" not in found["spec"]
    site.cluster.must_get(site.place("v1 configmaps", "a"))
    site.cluster.assert_gone(site.place("v1 configmaps", "c"))


@pytest.mark.parametrize("kind", ["Basic", "Bearer"])
def test_the_secret_is_what_the_server_asks_for(site: Site, tmp_path: Path, kind: str) -> None:
    """A token becomes a password where the server wants Basic, as GitHub does."""
    user = "x-access-token"
    access = Access(username=user, password=TOKEN) if kind == "Basic" else Access(token=TOKEN)
    Origin(tmp_path / "web.git").commit({"a.yaml": MAP % "a"})
    with GitServer(tmp_path, access=access) as server:
        url = server.url("web.git")
        without = create(site, f"--url={url}")
        wrong = create(site, f"--url={url}", "--token-stdin", stdin="wrong\n")
        none_made = repository(site)

        said = create(site, f"--url={url}", "--token-stdin", stdin=f"{TOKEN}\n")

        assert without.code == wrong.code == 3
        assert f"127.0.0.1 asks for a login ({kind})." in without.err
        assert "NOPEA-G002" in wrong.err
        assert none_made is None
        assert said.code == 0, said.out + said.err
        expected = {"username": user, "password": TOKEN} if kind == "Basic" else {"token": TOKEN}
        assert secret(site) == expected


def test_existing_objects_are_taken_over_only_with_consent(site: Site) -> None:
    """The difference is shown; without a terminal --yes is needed."""
    site.cluster.put(
        site.place("v1 configmaps", "a"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"from": "kubectl"}},
    )
    site.origin("web", {"a.yaml": MAP % "a", "b.yaml": MAP % "b"})

    asked = create(site, f"--url={site.url('web')}")
    before = repository(site)
    agreed = create(site, f"--url={site.url('web')}", "--yes")

    assert asked.code == 1
    assert "2 objects: 1 new, 1 taken over, 0 refused (dry run)." in asked.out
    assert "+  from: git" in asked.out
    assert "--yes agrees" in asked.err
    assert before is None
    assert agreed.code == 0, agreed.err
    assert site.cluster.must_get(site.place("v1 configmaps", "a"))["data"] == {"from": "git"}


def test_what_is_refused_ends_it(site: Site) -> None:
    """By the API server, or because a file cannot be read: nothing is created."""
    site.origin("web", {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nsneaky: 1\n"})

    said = create(site, f"--url={site.url('web')}")

    assert said.code == 1
    assert "1 refused (dry run)" in said.out
    assert "Nothing was created." in said.err
    assert repository(site) is None


def test_nothing_that_exists_is_changed(site: Site, tmp_path: Path) -> None:
    """Neither a GitRepository nor a Secret of somebody else."""
    site.origin("web", {"a.yaml": MAP % "a"})
    lab = site.cluster.lab
    lab.run_kubectl("-n", site.namespace, "create", "secret", "generic", "web-git", "--from-literal=a=b")
    Origin(tmp_path / "web.git").commit({"a.yaml": MAP % "a"})
    with GitServer(tmp_path, access=Access(username="x-access-token", password=TOKEN)) as server:
        taken = create(site, f"--url={server.url('web.git')}", "--token-stdin", stdin=TOKEN)
    assert create(site, f"--url={site.url('web')}").code == 0

    again = create(site, f"--url={site.url('web')}")

    assert (taken.code, again.code) == (3, 3)
    assert f"Secret {site.namespace}/web-git exists already." in taken.err
    assert f"GitRepository {site.namespace}/web exists already." in again.err
    assert secret(site) == {"a": "b"}
    repository(site)


def test_wrong_input_is_told_before_anything_is_sent(site: Site) -> None:
    """Logins in URLs, options that exclude each other, a namespace that is missing, a bad spec."""
    url = f"--url={site.url('web')}"
    for wrong in (["--branch=a", "--tag=b"], ["--username=me"], ["--show-secrets"], ["--password-stdin"]):
        assert create(site, url, *wrong).code == 2
    for wrong, text in (
        ([f"--url=https://me:{TOKEN}@git.example/web"], "--url has a login"),
        ([url, "--interval=soon"], "interval"),
        ([url, "--ssh-key=/etc/hostname"], "SSH keys are for SSH URLs."),
        (["--url=git@git.example:web"], "An SSH URL needs a key."),
        ([url, "--token-stdin"], "is empty"),
        (["--url=http://127.0.0.1:1/web"], "cannot be reached"),
        ([url, "-n", "nowhere"], "Namespace nowhere does not exist."),
    ):
        said = create(site, *wrong)
        assert said.code == 3, said
        assert text in said.err
    assert repository(site) is None


def test_export_prints_what_would_be_created(site: Site, tmp_path: Path) -> None:
    """Values only if they are asked for; the cluster is not needed."""
    Origin(tmp_path / "web.git").commit({"a.yaml": MAP % "a"})
    with GitServer(tmp_path, access=Access(username="x-access-token", password=TOKEN)) as server:
        options = (f"--url={server.url('web.git')}", "--token-stdin", "--export", "--interval=1m", "--tag=v1")
        masked = create(site, *options, "--kubeconfig=/nonexistent", stdin=TOKEN)
        shown = say(site.cluster.lab, "create", "web", *options, "--show-secrets", stdin=TOKEN)

    assert masked.code == 0, masked.err
    made, declared = yaml.safe_load_all(masked.out)
    assert made["metadata"] == {"name": "web-git", "namespace": site.namespace}
    expected = {"ref": {"tag": "v1"}, "interval": "1m", "secretRef": {"name": "web-git"}}
    assert declared["spec"] == {"url": server.url("web.git"), **expected}
    values = next(yaml.safe_load_all(shown.out))["data"]
    assert base64.b64decode(values["password"]).decode() == TOKEN
    assert base64.b64encode(TOKEN.encode()).decode() not in masked.out
    assert repository(site) is None


def test_an_ssh_server_is_known_before_it_is_asked(site: Site, tmp_path: Path) -> None:
    """Without a terminal its key must be given; another key than the one shown is refused."""
    server = SshServer(tmp_path / "sshd")
    origin = Origin(tmp_path / "web.git")
    origin.commit({"a.yaml": MAP % "a"})
    server.authorize(make_key(tmp_path / "me"))
    hosts, others = tmp_path / "hosts", tmp_path / "others"
    hosts.write_text(server.known_hosts)
    make_key(tmp_path / "liar")
    kind, key = (tmp_path / "liar.pub").read_text().split()[:2]
    others.write_text(f"[127.0.0.1]:{server.port} {kind} {key}\n")
    options = (f"--url={server.url(origin.path)}", f"--ssh-key={tmp_path / 'me'}")
    with server:
        unknown = create(site, *options)
        lied = create(site, *options, f"--known-hosts={others}")
        said = create(site, *options, f"--known-hosts={hosts}")

    shown = ["ssh-keygen", "-l", "-f", "/dev/stdin"]
    said_by_openssh = subprocess.run(shown, input=server.host_key, text=True, capture_output=True, check=True)
    fingerprint = said_by_openssh.stdout.split()[1]
    assert (unknown.code, lied.code) == (3, 3)
    assert f"127.0.0.1 shows the host key ssh-ed25519 {fingerprint}" in unknown.err
    assert "NOPEA-G006" in lied.err
    assert said.code == 0, said.out + said.err
    assert secret(site)["known_hosts"] == server.known_hosts
    repository(site)


def test_a_deploy_key_is_waited_for(site: Site, tmp_path: Path) -> None:
    """The public key is shown; the private one goes to the Secret only."""
    server = SshServer(tmp_path / "sshd")
    origin = Origin(tmp_path / "web.git")
    origin.commit({"a.yaml": MAP % "a"})
    server.authorize()
    hosts = tmp_path / "hosts"
    hosts.write_text(server.known_hosts)
    lab = site.cluster.lab
    options = (
        "-n",
        site.namespace,
        f"--url={server.url(origin.path)}",
        "--deploy-key",
        f"--known-hosts={hosts}",
    )
    with server:
        late = say(lab, "create", "web", *options, "--timeout=2s")
        before = repository(site)
        out = tmp_path / "out"
        thread = threading.Thread(target=_run, args=(site, out, options), daemon=True)
        thread.start()

        server.authorize(f"{eventually(lambda: _public_key(out))}\n")
        thread.join(SECONDS)

    assert late.code == 1
    assert "The server does not accept the key yet." in late.err
    assert "The new key is not kept: remove it from the repository" in late.err
    assert before is None
    assert "✓ Applied 1 object, all healthy" in out.read_text()
    identity = secret(site)["identity"]
    assert identity.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert identity.splitlines()[2] not in out.read_text()
    repository(site)


def test_a_server_that_is_down_for_a_moment_does_not_cost_the_key(site: Site, tmp_path: Path) -> None:
    """The user may have added it already."""
    server = SshServer(tmp_path / "sshd")
    origin = Origin(tmp_path / "web.git")
    origin.commit({"a.yaml": MAP % "a"})
    hosts, out = tmp_path / "hosts", tmp_path / "out"
    hosts.write_text(server.known_hosts)
    url = f"--url={server.url(origin.path)}"
    options = ("-n", site.namespace, url, "--deploy-key", f"--known-hosts={hosts}")
    with socket.create_server(("127.0.0.1", server.port)) as down:
        thread = threading.Thread(target=_run, args=(site, out, options), daemon=True)
        thread.start()
        down.settimeout(SECONDS)
        down.accept()[0].close()
    server.authorize(f"{eventually(lambda: _public_key(out))}\n")
    with server:
        thread.join(SECONDS)

    assert "✓ Applied 1 object, all healthy" in out.read_text()
    repository(site)


def test_the_right_to_create_secrets_is_enough(site: Site, tmp_path: Path) -> None:
    """Who may create Secrets in a namespace may often not read them."""
    Origin(tmp_path / "web.git").commit({"a.yaml": MAP % "a"})
    with GitServer(tmp_path, access=Access(username="x-access-token", password=TOKEN)) as server:
        url = f"--url={server.url('web.git')}"
        said = create(site, url, "--no-wait", "--token-stdin", _maker(site, tmp_path), stdin=TOKEN)

    assert said.code == 0, said.out + said.err
    assert secret(site)["password"] == TOKEN
    assert repository(site) is not None


def test_what_stays_is_told_with_how_to_remove_it(site: Site, tmp_path: Path) -> None:
    """The GitRepository is refused at the last moment, and the user may not delete the Secret."""
    Origin(tmp_path / "web.git").commit({"a.yaml": MAP % "a"})
    maker = _maker(site, tmp_path)
    with (
        _refused_unless_dry(site),
        GitServer(tmp_path, access=Access(username="x-access-token", password=TOKEN)) as server,
    ):
        said = create(site, f"--url={server.url('web.git')}", "--token-stdin", maker, stdin=TOKEN)

    assert said.code == 3
    assert "not today" in said.err
    assert f"`kubectl -n {site.namespace} delete secret web-git` removes it" in said.err
    assert secret(site)["password"] == TOKEN
    assert repository(site) is None


def _maker(site: Site, folder: Path) -> str:
    """Return the option for an account that may create Secrets, and neither read nor delete them."""
    lab, name = site.cluster.lab, site.namespace
    for arguments in (
        ("serviceaccount", "maker"),
        ("role", "maker", "--verb=create,get,patch", "--resource=gitrepositories,configmaps"),
        ("role", "logins", "--verb=create", "--resource=secrets"),
        ("rolebinding", "maker", "--role=maker", f"--serviceaccount={name}:maker"),
        ("rolebinding", "logins", "--role=logins", f"--serviceaccount={name}:maker"),
    ):
        lab.run_kubectl("-n", name, "create", *arguments)
    kubeconfig = folder / "kubeconfig"
    lab.write_kubeconfig(kubeconfig, token=lab.run_kubectl("-n", name, "create", "token", "maker").strip())
    return f"--kubeconfig={kubeconfig}"


@contextmanager
def _refused_unless_dry(site: Site) -> Iterator[None]:
    """Have the API server refuse each new GitRepository of the site that is not a dry run."""
    lab, name = site.cluster.lab, site.namespace
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    rule = {"apiGroups": ["nopea.io"], "apiVersions": ["*"], "resources": ["gitrepositories"]}
    policy = {
        "matchConstraints": {"resourceRules": [{**rule, "operations": ["CREATE"]}]},
        "validations": [{"expression": "request.dryRun", "message": "not today"}],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here},
    }
    for kind, spec in (("ies", policy), ("ybindings", binding)):
        made = lab.request("POST", f"{policies}{kind}", {"metadata": {"name": name}, "spec": spec})
        assert made.status == 201, made.body
    probe = {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {"generateName": "probe-"},
        "spec": {"url": "https://git.example/a", "suspend": True},
    }
    path = f"/apis/nopea.io/v1alpha1/namespaces/{name}/gitrepositories"

    def refused() -> bool:
        assert lab.request("POST", path, probe).status == 422
        return True

    try:
        eventually(refused)
        yield
    finally:
        for kind in ("ybindings", "ies"):
            lab.request("DELETE", f"{policies}{kind}/{name}")


def _public_key(out: Path) -> str:
    """Return the key that the command has printed."""
    lines = [line.strip() for line in out.read_text().splitlines() if "ssh-ed25519" in line]
    assert lines, out.read_text()
    return lines[0]


def _run(site: Site, out: Path, options: tuple[str, ...]) -> None:
    with out.open("w") as file:
        subprocess.run(
            [sys.executable, "-u", "-c", PROGRAM, "create", "web", *options],
            env={**os.environ, "KUBECONFIG": str(site.cluster.lab.kubeconfig)},
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=SECONDS, check=False,
        )  # fmt: skip
