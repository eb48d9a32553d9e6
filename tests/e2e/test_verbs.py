"""`nopea tree`, `logs`, `export`, `--watch` and `--wait` on a real API server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from tests.e2e import yamls
from tests.e2e.commands import Said, say, say_on_a_terminal
from tests.e2e.kubelet import kubelet
from tests.e2e.process import PROGRAM
from tests.e2e.waiting import eventually
from tests.e2e.world import Site

MAPS, LEASES, PODS = "v1 configmaps", "coordination.k8s.io/v1 leases", "v1 pods"
WEB = {"web.yaml": yamls.text(yamls.config_map("web", a="b"))}


def _say(site: Site, *arguments: str) -> Said:
    return say(site.cluster.lab, *arguments, f"--namespace={site.namespace}")


class Watched:
    """A command that runs until the test ends it, and the lines that it has printed."""

    def __init__(self, site: Site, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-W", "error", "-c", PROGRAM, *arguments, f"--namespace={site.namespace}"],
            env={**os.environ, "KUBECONFIG": str(site.cluster.lab.kubeconfig)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(iter(stream.readline, ""))

    def wait_line(self, pattern: str) -> str:
        """Return the first line that matches, once it is there."""

        def found() -> str:
            line = next((line for line in self.lines if re.search(pattern, line)), None)
            assert line is not None, self.lines
            return line

        return eventually(found, seconds=30)

    def end(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        self._reader.join()
        assert not any("Traceback" in line for line in self.lines), self.lines
        return code


@contextmanager
def _watched(site: Site, *arguments: str) -> Iterator[Watched]:
    watched = Watched(site, *arguments)
    try:
        yield watched
    finally:
        if watched.process.poll() is None:
            assert watched.end() == 130


def test_a_watch_shows_each_change(site: Site) -> None:
    """A line for a new GitRepository, one for a change, the news of a sync; Ctrl-C ends it."""
    repo = site.sync("shop", WEB)
    with (
        _watched(site, "get", "--watch") as table,
        _watched(site, "status", "-w") as status,
        _watched(site, "events", "-w") as events,
    ):
        table.wait_line("^shop +True")
        status.wait_line("1 GitRepository: 1 fine")
        events.wait_line("Synced")
        repo.git.commit({"web.yaml": yamls.text(yamls.config_map("web", a="c"))})
        repo.sync_and_wait()
        events.wait_line("Changed +Applied .*configured ConfigMap")
        repo.change(suspend=True)
        status.wait_line("1 GitRepository: 0 fine, 1 suspended")
        table.wait_line("^shop .*[Ss]uspended")

    assert sum(line.startswith("NAME ") for line in table.lines) == 1
    told = [line for line in events.lines if "Changed" in line]
    assert len(told) == 1, told


def test_heal_waits_and_short_names_are_understood(site: Site) -> None:
    """`cm/web` is the ConfigMap; when the command ends, it is as Git declares."""
    site.sync("shop", WEB, healPolicy="manual")
    site.cluster.put(site.place(MAPS, "web"), yamls.config_map("web", a="changed"), manager="somebody")

    def is_drifted() -> None:
        assert "drifted" in _say(site, "status").out

    eventually(is_drifted)
    said = _say(site, "heal", "shop", "cm/web", "--wait")

    assert (said.code, "✓ GitRepository" in said.out) == (0, True), said
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"a": "b"}
    wrong = _say(site, "heal", "shop", "cm/wbe")
    assert (wrong.code, "Did you mean ConfigMap" in wrong.err) == (3, True), wrong


def test_what_is_exported_can_be_applied(site: Site) -> None:
    """After the GitRepository is gone, its manifest brings it back as it was."""
    repo = site.sync("shop", WEB, deletionPolicy="Orphan")
    before = repo.get()

    said = _say(site, "export", "shop", "--secrets")
    (document,) = yaml.safe_load_all(said.out)

    assert (said.code, document["spec"]) == (0, before["spec"])
    site.cluster.delete(repo.place)
    eventually(lambda: site.cluster.assert_gone(repo.place))
    site.cluster.put(repo.place, document)
    assert repo.get()["spec"] == before["spec"]
    repo.wait_synced()


def test_the_log_of_one_repository(site: Site, tmp_path: Path) -> None:
    """The lines of the Pod that holds the Lease, of one repository only, as they come."""
    site.sync("shop", WEB)
    name, key = f"node-{site.namespace}", f"{site.namespace}/shop"
    lease = {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "nopea"},
        "spec": {"holderIdentity": "nopea-7d9f"},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nopea-7d9f"},
        "spec": {
            "nodeName": name, "automountServiceAccountToken": False,
            "containers": [{"name": "nopea", "image": "nopea"}],
        },
    }  # fmt: skip
    with kubelet(site.cluster.lab, name, tmp_path) as node:
        site.cluster.put(site.place(LEASES, "nopea"), lease)
        assert "nopea-7d9f is not a Pod" in _say(site, "logs", "shop").err
        site.cluster.put(site.place(PODS, "nopea-7d9f"), pod)
        node.write(b'{"time": "T1", "level": "info", "message": "sync finished", "repo": "other/shop"}')
        failed = (
            f'{{"time": "T2", "level": "warning", "message": "sync failed", "repo": "{key}", "objects": 3}}'
        )
        node.write(failed.encode())

        once = _say(site, "logs", "shop", "--since", "10m")
        with _watched(site, "logs", "shop", "--follow", "-o", "json") as log:
            log.wait_line("T2")
            node.write(f'{{"time": "T3", "message": "sync finished", "repo": "{key}"}}'.encode())
            log.wait_line("T3")

    assert once.out == "T2       warning  sync failed  objects=3\n", once
    assert f"/containerLogs/{site.namespace}/nopea-7d9f/nopea?sinceSeconds=600" in node.asked
    assert not any("T1" in line for line in log.lines)
    site.cluster.delete(site.place(PODS, "nopea-7d9f"))
    site.cluster.delete(site.place(LEASES, "nopea"))


def test_kubectl_finds_the_plugin(site: Site) -> None:
    """`kubectl nopea` is the same program, and its usage lines say so."""
    kubectl = str(site.cluster.lab.kubectl)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [kubectl, "nopea", "sync", "--nothing"],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, "Usage: kubectl nopea sync" in done.stderr) == (2, True), done


def test_a_crashing_workload(pods_site: Site) -> None:
    """`sync --wait` fails, `--no-health` does not; the tree goes down to the Pod and fits 80 columns."""
    files = {
        "crash.yaml": yamls.text(yamls.crashing("crash")),
        "web.yaml": yamls.text(yamls.deployment("web")),
    }
    pods_site.sync("bad", files)

    waited = _say(pods_site, "sync", "bad", "--wait", "--timeout", "60s")
    tree = _say(pods_site, "tree", "bad")
    narrow = say_on_a_terminal(pods_site.cluster.lab, "tree", "bad", f"--namespace={pods_site.namespace}")

    assert (waited.code, "is synced, but not healthy: apps/Deployment" in waited.err) == (1, True), waited
    assert _say(pods_site, "sync", "bad", "--wait", "--no-health").code == 0
    kinds = re.findall(r"(ReplicaSet|Pod) (crash|web)-", tree.out)
    assert sorted(kinds) == [
        ("Pod", "crash"),
        ("Pod", "web"),
        ("ReplicaSet", "crash"),
        ("ReplicaSet", "web"),
    ], tree
    (line,) = re.findall(r".*Pod crash-.*", tree.out)
    assert "Unhealthy" in line
    assert "CrashLoopBackOff" in line
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", narrow.out).splitlines()
    assert max(map(len, lines)) <= 80, lines
