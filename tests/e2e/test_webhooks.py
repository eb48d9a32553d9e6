"""Webhooks to a real controller: a push is applied at once although the interval is an hour."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.hooks import deliver
from tests.e2e.process import Nopea
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.fakes.deliveries import SECRET, push

from nopea.core.trigger import Trigger

OWN = "the secret of one repository"
HOOK = {"secretRef": {"name": "hook"}}
CONFIG_MAPS = "v1 configmaps"
SLOWEST_SECONDS = 10.0
"""The limit for a busy machine; the test prints the actual durations."""


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The process-wide secret, as a mounted file."""
    file = tmp_path_factory.mktemp("secret") / "token"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.fixture(scope="module")
def nopea(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, secret_file: Path) -> Iterator[Nopea]:
    """A controller with a process-wide secret; it must stop with exit code 0 and without a traceback."""
    running = Nopea(
        kubeconfig=cluster.lab.kubeconfig,
        folder=tmp_path_factory.mktemp("nopea"),
        arguments=(f"--webhook-secret-file={secret_file}",),
    )
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
        assert SECRET not in running.log_text()
        assert OWN not in running.log_text()
    finally:
        running.kill()


def _config(version: str, name: str = "web") -> str:
    return yamls.text(yamls.config_map(name, version=version))


def _follow(site: Site, name: str, files: dict[str, str], **spec: object) -> Repo:
    """Sync a repository that is polled once an hour."""
    return site.sync(name, files, interval="1h", **spec)


def _secret(site: Site, token: str) -> None:
    body: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hook"},
        "data": {"token": base64.b64encode(token.encode()).decode()},
    }
    site.cluster.put(site.place("v1 secrets", "hook"), body)


def _version(site: Site, name: str = "web") -> str:
    return str(site.cluster.must_get(site.place(CONFIG_MAPS, name))["data"]["version"])


def _passes(nopea: Nopea, repo: Repo) -> list[list[str]]:
    """Return the triggers of each sync of a repository."""
    return [line["triggers"] for line in nopea.logs("sync finished", repo=repo.log_key)]


def _address(repo: Repo) -> str:
    return f"/webhook/{repo.log_key}"


def _refusals(nopea: Nopea, repo: Repo) -> set[tuple[int, str]]:
    """Return the statuses and codes of the refused deliveries to a repository, from the log."""
    lines = nopea.logs("webhook refused", address=_address(repo))
    return {(line["status"], line["code"]) for line in lines}


def test_a_push_is_applied_within_two_seconds(site: Site, nopea: Nopea) -> None:
    """The fastest of three pushes is in the cluster within two seconds."""
    repo = _follow(site, "shop", {"web.yaml": _config("0")})
    took, answered = [], []
    for version in "123":
        began = time.monotonic()
        commit = repo.git.commit({"web.yaml": _config(version)})
        sent_at = time.monotonic()
        answer = deliver(nopea, _address(repo), push(url=site.url("shop"), commit=commit))
        answered.append(time.monotonic() - sent_at)
        assert (answer.status, answer.body) == (202, {"woken": [repo.log_key]})
        while _version(site) != version:
            assert time.monotonic() - began < SLOWEST_SECONDS
            time.sleep(0.01)
        took.append(time.monotonic() - began)

    print(f"\npush to cluster: {', '.join(f'{one:.2f}' for one in took)} s; "  # noqa: T201
          f"answered in {', '.join(f'{one * 1000:.0f}' for one in answered)} ms")  # fmt: skip
    assert min(took) < 2
    status = repo.wait_synced(repo.git.tip())["status"]
    assert {entry["trigger"] for entry in status["history"][:3]} == {Trigger.WEBHOOK.value}


def test_a_push_to_a_monorepo_syncs_only_affected_repositories(site: Site, nopea: Nopea) -> None:
    """The process-wide webhook selects repositories by the changed paths; others do not sync."""
    files = {"web/web.yaml": _config("1", "web"), "jobs/jobs.yaml": _config("1", "jobs")}
    site.origin("mono", files)
    web, jobs = (
        site.follow(name, url=site.url("mono"), path=name, interval="1h") for name in ("web", "jobs")
    )
    for repo in (web, jobs):
        repo.wait_synced()
    before = len(_passes(nopea, jobs))
    commit = site.origin("mono").commit({**files, "web/web.yaml": _config("2", "web")})

    answer = deliver(nopea, "/webhook", push(url=site.url("mono"), commit=commit, paths=["web/web.yaml"]))

    assert (answer.status, answer.body) == (202, {"woken": [web.log_key]})
    web.wait_synced(commit)
    assert _version(site, "web") == "2"
    assert _passes(nopea, web)[-1] == ["webhook"]
    assert len(_passes(nopea, jobs)) == before
    assert nopea.logs("webhook received", address="/webhook")[-1]["woken"] == [web.log_key]


def test_a_repositorys_own_secret_replaces_the_process_wide_one(site: Site, nopea: Nopea) -> None:
    """Only the repository's own secret is accepted; a changed one takes effect without a restart."""
    _secret(site, OWN)
    repo = _follow(site, "shop", {"web.yaml": _config("1")}, webhook=HOOK)
    commit = repo.git.commit({"web.yaml": _config("2")})
    url = site.url("shop")

    assert deliver(nopea, _address(repo), push(url=url, commit=commit)).status == 401
    assert deliver(nopea, "/webhook", push(url=url, commit=commit)).body == {"ignored": "other repository"}
    assert deliver(nopea, _address(repo), push(url=url, commit=commit, secret=OWN)).status == 202
    repo.wait_synced(commit)
    assert _version(site) == "2"

    _secret(site, "a new secret")

    def taken() -> None:
        assert deliver(nopea, _address(repo), push(url=url, secret="a new secret")).status == 202

    eventually(taken, seconds=5)
    assert deliver(nopea, _address(repo), push(url=url, secret=OWN)).status == 401
    assert _refusals(nopea, repo) == {(401, "NOPEA-W002")}


def test_a_missing_secret_refuses_all_deliveries(site: Site, nopea: Nopea) -> None:
    """The process-wide secret does not replace a missing Secret of the repository; only the log names it."""
    repo = _follow(site, "shop", {"web.yaml": _config("1")}, webhook=HOOK)

    answer = deliver(nopea, _address(repo), push(url=site.url("shop")))
    unknown = deliver(nopea, f"{_address(repo)}-x", push(url=site.url("shop")))

    assert (answer.status, answer.body["code"]) == (401, "NOPEA-W002")
    assert answer.body["message"] == "The delivery could not be authenticated."
    assert unknown == answer
    assert _refusals(nopea, repo) == {(401, "NOPEA-W005")}
    line = nopea.logs("webhook refused", address=_address(repo))[-1]
    assert line["problem"] == f"Secret {site.namespace}/hook does not exist."
    assert nopea.logs("webhook refused", address=f"{_address(repo)}-x")[-1]["code"] == "NOPEA-W006"


def test_forged_and_irrelevant_deliveries_start_no_sync(site: Site, nopea: Nopea) -> None:
    """A wrong signature, a deleted branch or another branch does not apply the new commit."""
    repo = _follow(site, "shop", {"web.yaml": _config("1")})
    commit = repo.git.commit({"web.yaml": _config("2")})
    url, before = site.url("shop"), _passes(nopea, repo)

    assert deliver(nopea, _address(repo), push(url=url, commit=commit, secret="wrong")).status == 401
    assert deliver(nopea, _address(repo), push(url=url, commit=commit).tampered()).status == 401
    assert deliver(nopea, _address(repo), push(url=url, deleted=True)).status == 200
    assert deliver(nopea, _address(repo), push(url=url, ref="refs/heads/next")).status == 200
    assert _refusals(nopea, repo) == {(401, "NOPEA-W002")}

    def untouched() -> None:
        assert _version(site) == "1"
        assert _passes(nopea, repo) == before

    always(untouched, seconds=1.5)


def test_a_repeated_delivery_and_one_without_a_new_commit_start_no_sync(site: Site, nopea: Nopea) -> None:
    """A duplicate is ignored by its delivery id; one without a new commit only polls Git."""
    repo = _follow(site, "shop", {"web.yaml": _config("1")})
    sent = push(url=site.url("shop"), delivery="d-1")
    before = _passes(nopea, repo)

    assert deliver(nopea, _address(repo), sent).status == 202
    assert deliver(nopea, _address(repo), sent).body == {"ignored": "duplicate"}

    def untouched() -> None:
        assert _passes(nopea, repo) == before

    always(untouched, seconds=3)  # the second poll is after 2 s
