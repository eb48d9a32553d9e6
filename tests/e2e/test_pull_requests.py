"""Plans as comments on pull requests, by a controller that has only the rights of tenants' accounts."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.forge import CommentedForge
from tests.e2e.hooks import Answer, deliver
from tests.e2e.process import Nopea
from tests.e2e.tenancy import Tenant, least_rights, neighbour, tenant
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Repo
from tests.fakes.deliveries import Sent, pull_request, push
from tests.gitserver import Access, GitServer
from tests.unit.core.webhooks.sent import SECRET, gitea, github_pull_request, gitlab, gitlab_merge_request

TOKEN = "acme-git-token"
MAPS = "v1 configmaps"
PASSWORD = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def forge(git_server: GitServer) -> Iterator[CommentedForge]:
    """The server with the pull requests."""
    with CommentedForge(git_server.root, access=Access(username="deploy", password=TOKEN)) as opened:
        yield opened


@pytest.fixture(scope="module")
def nopea(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """A controller that comments plans."""
    folder = tmp_path_factory.mktemp("nopea")
    arguments = (
        "--pull-request-plans",
        "--cluster-name=lab",
        "--allow-http-credentials",
    )
    with least_rights(cluster.lab, folder, *arguments) as running:
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
        for secret in (SECRET, TOKEN, PASSWORD):
            assert secret not in running.log_text()


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str, nopea: Nopea) -> Iterator[Tenant]:
    """A namespace of a tenant, with the token for the forge."""
    del nopea
    made = tenant(cluster, git_server, namespace)
    cluster.put(
        made.place("v1 secrets", "git"),
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": namespace},
            "stringData": {"username": "deploy", "password": TOKEN},
        },
    )  # fmt: skip
    cluster.put(made.place("v1 secrets", "hook"), yamls.secret("hook", token=SECRET))
    yield made
    made.clear()


@pytest.fixture
def number() -> int:
    """The number of a pull request, which no other test has."""
    return secrets.randbelow(2**31) + 1


@pytest.fixture
def opened(site: Tenant, nopea: Nopea, number: int) -> Callable[..., Answer]:
    """Return `opened(repo, commit, **facts)`, which delivers that the pull request has a commit."""

    def open_(repo: Repo, commit: str, **facts: Any) -> Answer:
        sent = pull_request(url=site.url("shop"), number=number, commit=commit, secret=SECRET, **facts)
        return deliver(nopea, f"/webhook/{repo.log_key}", sent)

    return open_


def _follow(site: Tenant, forge: CommentedForge, *, provider: str = "github", **spec: Any) -> Repo:
    repo = site.follow(
        "shop",
        url=forge.url(f"{site.namespace}/shop.git"),
        secretRef={"name": "git"},
        webhook={"secretRef": {"name": "hook"}, "provider": provider},
        planPullRequests=True,
        **site.fields(**spec),
    )
    repo.wait_synced()
    return repo


def _comment(forge: CommentedForge, number: int, *, edits: int = 0) -> str:
    comments = forge.discussions.of(number)
    assert [each.edits for each in comments] == [edits], comments
    return comments[0].body


def _files(**data: str) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map("web", **data))}


def test_a_pull_request_is_planned_and_its_comment_updated(
    site: Tenant, forge: CommentedForge, number: int, opened: Callable[..., Answer]
) -> None:
    """What a merge would create, change and delete, and may not; nothing is done. A new commit updates it."""
    origin = site.origin("shop", {**_files(colour="red"), "old.yaml": yamls.text(yamls.config_map("old"))})
    repo = _follow(site, forge, pruneLimit="100%")
    before = site.cluster.list(site.place(MAPS))
    elsewhere = yamls.text(yamls.config_map("web", namespace="kube-system", a="b"))
    new = {"new.yaml": yamls.text(yamls.config_map("new")), "elsewhere.yaml": elsewhere}
    commit = origin.commit({**_files(colour="green"), **new}, branch="more")

    applied = origin.tip()
    answer = opened(repo, commit)

    assert (answer.status, answer.body) == (202, {"planned": [repo.log_key]})
    text = eventually(lambda: _comment(forge, number))
    marker, heading, *rest = text.split("\n")
    assert marker == f"<!-- nopea-plan lab/{site.namespace}/shop -->"
    assert heading == "### Nopea plan: 1 to create, 1 to change, 1 to delete, 1 refused"
    merge = f"more at {commit[:12]} merged into main at {origin.tip()[:12]}"
    assert f"GitRepository {site.namespace}/shop in lab: {merge}" in "".join(rest)
    assert "-  colour: red" in rest
    assert "+  colour: green" in rest
    assert "refused: <code>ConfigMap kube-system/web</code>" in text
    assert f"system:serviceaccount:{site.namespace}:deployer" in text

    # What was merged into main meanwhile is neither taken back nor left out.
    old = {"old.yaml": yamls.text(yamls.config_map("old"))}
    origin.commit({**_files(colour="red"), **old, "other.yaml": yamls.text(yamls.config_map("other"))})
    again = origin.commit(_files(colour="red"), branch="more")
    assert opened(repo, again, action="synchronize").status == 202
    text = eventually(lambda: _comment(forge, number, edits=1), seconds=90)

    assert "### Nopea plan: 1 to create, 1 to delete, 1 unchanged" in text
    assert again[:12] in text
    assert site.cluster.list(site.place(MAPS)) == before
    assert repo.status()["lastAppliedCommit"] == applied
    sent = [header for _, path, header in forge.discussions.requests if f"/{number}/" in path]
    assert set(sent) == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("provider", ["gitlab", "gitea"])
def test_other_servers_have_other_requests(
    site: Tenant, forge: CommentedForge, nopea: Nopea, number: int, provider: str
) -> None:
    """GitLab's merge requests have notes."""
    origin = site.origin("shop", _files(colour="red"))
    repo = _follow(site, forge, provider=provider)
    commit = origin.commit(_files(colour="green"), branch="more")

    assert deliver(nopea, f"/webhook/{repo.log_key}", _sent(provider, number, commit)).status == 202
    assert "+  colour: green" in eventually(lambda: _comment(forge, number))

    paths = [path for _, path, _ in forge.discussions.requests if f"/{number}/" in path]
    api = "/api/v4/projects" if provider == "gitlab" else "/api/v1/repos"
    assert all(path.startswith(api) for path in paths)


def test_a_rendering_is_planned_beside_that_of_the_sync(
    site: Tenant, forge: CommentedForge, number: int, opened: Callable[..., Answer]
) -> None:
    """With variables of a ConfigMap; what is applied is not rendered again because of it."""
    site.cluster.put(
        site.place(MAPS, "vars"), yamls.config_map("vars", namespace=site.namespace, city="Bern")
    )
    kustomization = "resources: [web.yaml]\nnamePrefix: {}-\n"
    files = {**_files(colour="red"), "kustomization.yaml": kustomization.format("one")}
    origin = site.origin("shop", files)
    repo = _follow(site, forge, substituteFrom=[{"kind": "ConfigMap", "name": "vars"}], pruneLimit="100%")
    changed = {**_files(colour="in ${city}"), "kustomization.yaml": kustomization.format("two")}
    commit = origin.commit(changed, branch="more")

    assert opened(repo, commit).status == 202
    text = eventually(lambda: _comment(forge, number))

    assert "### Nopea plan: 1 to create, 1 to delete" in text
    assert "+  colour: in Bern" in text
    assert f"ConfigMap {site.namespace}/two-web" in text
    repo.sync_and_wait()
    assert site.cluster.must_get(site.place(MAPS, "one-web"))["data"] == {"colour": "red"}
    site.cluster.assert_gone(site.place(MAPS, "two-web"))


def test_a_fork_and_another_base_have_no_plan(
    site: Tenant, forge: CommentedForge, number: int, opened: Callable[..., Answer]
) -> None:
    """A stranger's manifests are not planned with the rights of the tenant."""
    origin = site.origin("shop", _files(colour="red"))
    repo = _follow(site, forge)
    commit = origin.commit(_files(colour="green"), branch="more")

    assert opened(repo, commit, is_fork=True).body == {"ignored": "pull request of a fork"}
    assert opened(repo, commit, base="next").body == {"ignored": "other ref or paths"}
    always(lambda: _none(forge, number), seconds=2)


def test_nothing_secret_is_in_a_comment(
    site: Tenant, forge: CommentedForge, number: int, opened: Callable[..., Answer]
) -> None:
    """Neither values of Secrets, nor live values of objects that belong to nobody or to somebody else."""
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    origin = site.origin("shop", {**_files(a="1"), "key.yaml": yamls.text(yamls.secret("key", a=PASSWORD))})
    repo = _follow(site, forge)
    for name in ("theirs", "nobodys"):
        theirs = yamls.config_map(name, namespace=site.namespace, live=f"{PASSWORD}-{name}")
        if name == "theirs":
            theirs["metadata"]["labels"] = {"nopea.io/repository": f"{site.namespace}.other"}
        site.cluster.put(site.place(MAPS, name), theirs)
    files = {
        **_files(a="2"),
        "key.yaml": yamls.text(yamls.secret("key", a="another", b="one")),
        "more.yaml": yamls.text(*(yamls.config_map(name, live="mine") for name in ("theirs", "nobodys"))),
    }
    commit = origin.commit(files, branch="more")

    assert opened(repo, commit).status == 202
    text = eventually(lambda: _comment(forge, number))

    for value in (PASSWORD, encoded, base64.b64encode(b"another").decode()):
        assert value not in text
    assert "Secret" in text
    assert f"ConfigMap {site.namespace}/theirs" in text
    assert f"ConfigMap {site.namespace}/nobodys</code> adopted" in text


def test_a_rendering_with_secrets_is_not_made(
    site: Tenant, forge: CommentedForge, number: int, opened: Callable[..., Answer]
) -> None:
    """Its variables could be printed; the comment says what to do instead."""
    site.cluster.put(site.place("v1 secrets", "vars"), yamls.secret("vars", password=PASSWORD))
    origin = site.origin("shop", _files(a="1"))
    repo = _follow(site, forge, substituteFrom=[{"kind": "Secret", "name": "vars"}])
    commit = origin.commit(_files(a="${password}"), branch="more")

    assert opened(repo, commit).status == 202
    text = eventually(lambda: _comment(forge, number))

    assert PASSWORD not in text
    assert "### Nopea plan: nothing can be planned" in text
    assert f"nopea plan shop -n {site.namespace} --ref BRANCH" in text


def test_a_plan_that_changes_nothing_is_no_new_comment(
    site: Tenant, forge: CommentedForge, nopea: Nopea, number: int, opened: Callable[..., Answer]
) -> None:
    """A monorepo has many GitRepositories. A marker of somebody else is not touched."""
    origin = site.origin("shop", _files(colour="red"))
    repo = _follow(site, forge)
    forged = forge.discussions.add(number, f"<!-- nopea-plan lab/{repo.log_key} -->\nmine", author="mallory")
    commit = origin.commit({**_files(colour="red"), "README.md": "hello"}, branch="more")

    assert opened(repo, commit).status == 202

    def planned() -> None:
        assert nopea.logs("pull request planned", repo=repo.log_key, comment="none")

    eventually(planned)
    assert forge.discussions.of(number) == [forged]
    assert (forged.body.endswith("mine"), forged.edits) == (True, 0)


def test_a_server_that_is_down_gets_its_comment_later(
    site: Tenant, forge: CommentedForge, nopea: Nopea, number: int, opened: Callable[..., Answer]
) -> None:
    """Syncs continue meanwhile; a refusal is an Event with what to grant."""
    origin = site.origin("shop", _files(colour="red"))
    repo = _follow(site, forge, interval="1h")
    commit = origin.commit(_files(colour="green"), branch="more")
    forge.discussions.status = 503
    try:
        assert opened(repo, commit).status == 202

        def tried() -> None:
            assert [path for _, path, _ in forge.discussions.requests if path.endswith("/user")]
            assert nopea.logs("pull request waits", repo=repo.log_key)

        eventually(tried)
        pushed = origin.commit(_files(colour="blue"))
        sent = push(url=site.url("shop"), commit=pushed, secret=SECRET)
        assert deliver(nopea, f"/webhook/{repo.log_key}", sent).status == 202
        repo.wait_synced(pushed)
    finally:
        forge.discussions.status = 0
    assert "-  colour: blue" in eventually(lambda: _comment(forge, number), seconds=120)

    forge.discussions.status = 403
    try:
        assert opened(repo, origin.commit(_files(colour="black"), branch="more")).status == 202
        event = repo.wait_event("PullRequestPlanFailed", seconds=90)
    finally:
        forge.discussions.status = 0
    assert event["note"].startswith("NOPEA-N002: No plan is commented: http://127.0.0.1:")
    assert "Pull requests: write" in event["note"]


def test_another_tenant_has_its_own_pull_requests(
    site: Tenant, forge: CommentedForge, number: int, opened: Callable[..., Answer]
) -> None:
    """An object in another tenant's namespace is refused, whether it exists or not."""
    with neighbour(site, "other") as other:
        place = other.place(MAPS, "theirs")
        other.cluster.put(place, yamls.config_map("theirs", namespace=other.namespace, live=PASSWORD))
        origin = site.origin("shop", _files(colour="red"))
        repo = _follow(site, forge)
        theirs = [yamls.config_map(name, namespace=other.namespace, a="b") for name in ("theirs", "none")]
        commit = origin.commit({**_files(colour="red"), "more.yaml": yamls.text(*theirs)}, branch="more")

        assert opened(repo, commit).status == 202
        text = eventually(lambda: _comment(forge, number))

        assert "2 refused, 1 unchanged" in text
        assert PASSWORD not in text
        assert other.cluster.get(other.place(MAPS, "none")) is None


def _none(forge: CommentedForge, number: int) -> None:
    assert forge.discussions.of(number) == []


def _sent(provider: str, number: int, commit: str) -> Sent:
    """Return a delivery of another provider."""
    if provider == "gitlab":
        body = gitlab_merge_request(iid=number, last_commit={"id": commit})
        signed = gitlab(body, event="Merge Request Hook")
    else:
        request = github_pull_request("synchronized", number=number)
        request["pull_request"]["head"]["sha"] = commit
        signed = gitea(request, event="pull_request")
    return Sent({**signed.headers, "Content-Type": "application/json"}, signed.body)
