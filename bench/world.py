"""The environment of a benchmark: Git repositories served over HTTP, and a controller process to measure."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pygit2

from nopea.core.api.crds import git_repository_crd, inventory_crd
from nopea_lab.lab import Lab

NAMESPACE = "bench"
READY_SECONDS = 30.0

MANIFESTS = {
    "config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{mode: fast}}\n",
    "account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}}}\n",
    "service.yaml": (
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"
        "spec:\n  selector: {{app: {name}}}\n  ports: [{{port: 80, protocol: TCP}}]\n"
    ),
    "deployment.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n"
        "spec:\n  replicas: 0\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n"
        "    metadata: {{labels: {{app: {name}}}}}\n"
        "    spec:\n      containers: [{{name: web, image: registry.acme.example/web:1}}]\n"
    ),
}


Form = Literal["plain", "kustomize", "helm"]


def files_of(form: Form, name: str) -> dict[str, str]:
    """Return the files of a repository whose four objects are plain, in an overlay, or in a chart."""
    if form == "plain":
        return {path: text.format(name=name) for path, text in MANIFESTS.items()}
    if form == "kustomize":
        files = {f"base/{path}": text.format(name=name) for path, text in MANIFESTS.items()}
        base = f"resources: [{', '.join(MANIFESTS)}]\n"
        overlay = "resources: [base]\nlabels: [{pairs: {tier: prod}}]\n"
        return {**files, "base/kustomization.yaml": base, "kustomization.yaml": overlay}
    files = {f"templates/{path}": text.format(name="{{ .Release.Name }}") for path, text in MANIFESTS.items()}
    return {**files, "Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n", "values.yaml": "{}\n"}


def make_repositories(root: Path, count: int, form: Form = "plain") -> list[str]:
    """Create bare repositories of four objects each and return their names."""
    author = pygit2.Signature("bench", "bench@acme.example", 1_700_000_000, 0)
    names = [f"{'app' if form == 'plain' else form}-{number:04d}" for number in range(count)]
    for name in names:
        repository = pygit2.init_repository(str(root / f"{name}.git"), bare=True, initial_head="main")
        index = pygit2.Index()
        for path, text in files_of(form, name).items():
            blob = repository.create_blob(text.encode())
            index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
        tree = index.write_tree(repository)
        repository.create_commit("refs/heads/main", author, author, "first", tree, [])
    return names


@contextlib.contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serve the repositories from a separate process; yield the URL to which a repository's name is added."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.serve", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(timeout=10)


@contextlib.contextmanager
def controller(lab: Lab, folder: Path, *, port: int) -> Iterator[int]:
    """Run `nopea run` until the context ends; yield its process id once it is ready."""
    log = folder / "nopea.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "nopea", "run", "--apply-as-controller", "--git-networks=any"),
                *("--kubeconfig", str(lab.kubeconfig)),
                *("--host", "127.0.0.1", "--probe-port", str(port), "--port", "0"),
                *("--cache-dir", str(folder / "cache"), "--log-format", "json"),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_ready(port, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def definitions() -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions that the controller needs."""
    return [git_repository_crd(), inventory_crd()]


def _wait_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass  # it is still starting
        finally:
            connection.close()
        time.sleep(0.05)
    raise SystemExit(f"nopea run was not ready in {READY_SECONDS:.0f} s; its log is {log}")
