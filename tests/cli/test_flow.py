"""`nopea create` and `uninstall` at a terminal: what is asked, and what an answer means."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import UNINSTALL_SECONDS
from tests.e2e.commands import Said
from tests.e2e.process import PROGRAM
from tests.e2e.waiting import eventually
from tests.e2e.world import Site
from tests.git.sshd import SshServer, make_key
from tests.gitserver import Access, GitServer, Origin

from nopea_lab.lab import Lab

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {from: git}\n"
HOST = "Is it the one that the host publishes? [y/N]"
OVER = "Take over these objects? [y/N]"


def answer(lab: Lab, folder: Path, answers: str, *arguments: str, prompt: str) -> Said:
    """Run `nopea` with a terminal as its standard input, on which the answers are typed after the prompt."""
    out, err = folder / "out", folder / "err"
    master, slave = pty.openpty()
    with out.open("w") as out_file, err.open("w") as err_file:
        running = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM, *arguments],
            env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
            stdin=slave,
            stdout=out_file,
            stderr=err_file,
        )
    try:
        eventually(lambda: _asked(out, err, prompt))
        os.write(master, answers.encode())
        code = running.wait(UNINSTALL_SECONDS)
    finally:
        running.kill()
        running.wait()
        os.close(slave)
        os.close(master)
    return Said(code, out.read_text(), err.read_text())


def _asked(out: Path, err: Path, prompt: str) -> None:
    assert prompt in out.read_text() + err.read_text()


def test_a_host_key_is_confirmed(site: Site, tmp_path: Path) -> None:
    """A no creates nothing; a yes is kept in the Secret."""
    ssh = SshServer(tmp_path / "sshd")
    origin = Origin(tmp_path / "web.git")
    origin.commit({"a.yaml": MAP})
    ssh.authorize(make_key(tmp_path / "me"))
    key = f"--ssh-key={tmp_path / 'me'}"
    command = ("create", "web", "-n", site.namespace, f"--url={ssh.url(origin.path)}", key, "--no-wait")
    place = site.place("nopea.io/v1alpha1 gitrepositories", "web")
    site.names.append("web")
    with ssh:
        declined = answer(site.cluster.lab, tmp_path, "n\n", *command, prompt=HOST)
        before = site.cluster.get(place)
        agreed = answer(site.cluster.lab, tmp_path, "y\n", *command, prompt=HOST)

    assert declined.code == 3
    assert "The host key is not confirmed." in declined.err
    assert before is None
    assert agreed.code == 0, agreed.err
    assert site.cluster.must_get(place)["spec"]["secretRef"] == {"name": "web-git"}


def test_taking_over_is_a_question(site: Site, tmp_path: Path) -> None:
    """The default is no."""
    site.cluster.put(
        site.place("v1 configmaps", "a"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"from": "kubectl"}},
    )
    site.origin("web", {"a.yaml": MAP})
    command = ("create", "web", "-n", site.namespace, f"--url={site.url('web')}")
    site.names.append("web")

    declined = answer(site.cluster.lab, tmp_path, "\n", *command, prompt=OVER)
    agreed = answer(site.cluster.lab, tmp_path, "y\n", *command, prompt=OVER)

    assert declined.code == 1
    assert agreed.code == 0, agreed.err


def test_a_typed_token_is_not_shown(site: Site, tmp_path: Path) -> None:
    """Neither while it is typed nor later."""
    Origin(tmp_path / "web.git").commit({"a.yaml": MAP})
    site.names.append("web")
    with GitServer(tmp_path, access=Access(token="s3cr3t")) as server:
        url = f"--url={server.url('web.git')}"
        command = ("create", "web", "-n", site.namespace, url, "--token-stdin", "--no-wait")
        said = answer(site.cluster.lab, tmp_path, "s3cr3t\n", *command, prompt="Token: ")

    assert said.code == 0, said.err
    assert "s3cr3t" not in said.out + said.err


def test_a_removal_can_be_declined(bare_lab: Lab, tmp_path: Path) -> None:
    """Nothing is deleted."""
    bare_lab.run_kubectl("create", "namespace", "nopea-system")

    declined = answer(bare_lab, tmp_path, "n\n", "uninstall", prompt="[y/N]")
    still_there = bare_lab.request("GET", "/api/v1/namespaces/nopea-system").status
    agreed = answer(bare_lab, tmp_path, "y\n", "uninstall", prompt="[y/N]")

    assert (declined.code, still_there) == (1, 200)
    assert "Namespace nopea-system, with everything in it" in declined.out
    assert agreed.code == 0, agreed.err
