"""Commit statuses as servers receive them: fakes of GitHub, GitLab and Gitea on loopback."""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.fakes.samples import COMMIT, problem, report, result_of
from tests.fakes.sink import Reply, Sink
from tests.fakes.transitions import History, synced
from tests.unit.notify.running import running_notifier

from nopea.core.git.networks import Networks
from nopea.core.git.source import Credentials, Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.status.report import Outcome, Result
from nopea.notify.commit_status import MAX_HOSTS, MAX_HOSTS_OF_NAMESPACE
from nopea.settings import NotifySettings

KEY = RepoKey("shop", "api")
SHA = COMMIT.id
CREATED = synced(result_of("web", Outcome.CREATED))
FAILED = report(Result.FAILED, problems=[problem(Code.FORBIDDEN)])
ON = NotifySettings(commit_status=True)
TOKEN = Credentials(token=Secret("tok-123456"))


def world(url: str, provider: str) -> History:
    """Return a repository with this URL."""
    return History(url=url, webhook={"secretRef": {"name": "hook"}, "provider": provider})


def warnings(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return the facts of the logged refusals."""
    found = [one for one in caplog.records if one.getMessage() == "commit status refused"]
    return [dict(one.__dict__["facts"]) for one in found]


async def test_github_gets_a_status() -> None:
    """`POST /repos/{owner}/{repo}/statuses/{sha}` has a Bearer token."""
    async with Sink(usual=Reply(status=201)) as server:
        url = server.url("/acme/shop.git")
        async with running_notifier(
            replace(ON, cluster="production", target_url="https://nopea.acme.example/"),
            remotes={KEY: Remote(url, TOKEN)},
        ) as notifier:
            notifier.on_transition(world(url, "github").did(CREATED))
            (arrived,) = await server.wait_for(1)
    assert arrived.path == f"/api/v3/repos/acme/shop/statuses/{SHA}"
    assert arrived.headers["authorization"] == "Bearer tok-123456"
    assert arrived.json == {
        "state": "success", "context": "nopea/production/shop/api",
        "description": "Applied 1 object at c0ffee0.", "target_url": "https://nopea.acme.example/",
    }  # fmt: skip


async def test_no_status_and_no_token_goes_where_git_may_not_go() -> None:
    """The host of a status is named by the GitRepository; the address of the connection counts."""
    async with Sink(usual=Reply(status=201)) as server:
        url = server.url("/acme/shop.git").replace("127.0.0.1", "localhost")
        given = {KEY: Remote(url, TOKEN)}
        async with running_notifier(ON, remotes=given, tenants=Networks.PRIVATE) as notifier:
            notifier.on_transition(world(url, "github").did(CREATED))
            await asyncio.sleep(0.2)
            assert len(notifier.outboxes) == 1
            await notifier.close(0.1)
    assert server.arrivals == []


async def test_gitlab_gets_a_status() -> None:
    """`POST /api/v4/projects/{path}/statuses/{sha}` has an encoded path and the status in the query."""
    async with Sink(usual=Reply(status=201)) as server:
        url = server.url("/acme/web/shop.git")
        async with running_notifier(ON, remotes={KEY: Remote(url, TOKEN)}) as notifier:
            notifier.on_transition(world(url, "gitlab").did(FAILED))
            (arrived,) = await server.wait_for(1)
    parts = urlsplit(arrived.path)
    assert parts.path == f"/api/v4/projects/acme%2Fweb%2Fshop/statuses/{SHA}"
    assert arrived.headers["authorization"] == "Bearer tok-123456"
    assert parse_qs(parts.query) == {
        "state": ["failed"], "name": ["nopea/shop/api"], "description": ["NOPEA-K002: it is wrong"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (TOKEN, "token tok-123456"),
        (
            Credentials(username="deploy", password=Secret("pw")),
            f"Basic {base64.b64encode(b'deploy:pw').decode()}",
        ),
    ],
    ids=["token", "password"],
)
async def test_gitea_gets_a_status(credentials: Credentials, header: str) -> None:
    """`POST /api/v1/repos/{owner}/{repo}/statuses/{sha}` has a token, or user and password."""
    async with Sink(usual=Reply(status=201)) as server:
        url = server.url("/acme/shop.git")
        async with running_notifier(ON, remotes={KEY: Remote(url, credentials)}) as notifier:
            notifier.on_transition(world(url, "gitea").did(CREATED))
            (arrived,) = await server.wait_for(1)
    assert arrived.path == f"/api/v1/repos/acme/shop/statuses/{SHA}"
    assert arrived.headers["authorization"] == header
    assert arrived.json["state"] == "success"


async def test_the_same_state_of_a_commit_is_sent_once() -> None:
    """Only a changed state of the commit is sent again."""
    async with Sink(usual=Reply(status=201)) as server:
        url = server.url("/acme/shop.git")
        repo = world(url, "github")
        async with running_notifier(ON, remotes={KEY: Remote(url, TOKEN)}) as notifier:
            for _ in range(3):
                notifier.on_transition(repo.did(CREATED))
            await server.wait_for(1)
            notifier.on_transition(repo.did(FAILED))
            notifier.on_transition(repo.did(FAILED))
            await server.wait_for(2)
        assert [one.json["state"] for one in server.taken] == ["success", "failure"]


@pytest.mark.parametrize(
    "remote",
    [None, Remote("https://other.acme.example/acme/shop.git", TOKEN), Remote("", Credentials())],
    ids=["no pass yet", "another URL's", "no token"],
)
async def test_no_token_is_sent_to_another_server(remote: Remote | None) -> None:
    """Credentials are sent only to the server of their own repository's URL."""
    async with Sink() as server:
        url = server.url("/acme/shop.git")
        if remote is not None and not remote.url:
            remote = Remote(url, Credentials(identity=Secret("key"), password=Secret("")))
        async with running_notifier(ON, remotes={KEY: remote} if remote else {}) as notifier:
            notifier.on_transition(world(url, "github").did(CREATED))
        assert server.arrivals == []


@pytest.mark.parametrize("answer", [401, 403, 404])
async def test_a_refused_token_is_not_sent_again(answer: int, caplog: pytest.LogCaptureFixture) -> None:
    """The log says once which right is missing; another token is tried."""
    caplog.set_level(logging.WARNING, logger="nopea")
    async with Sink(usual=Reply(status=answer)) as server:
        url = server.url("/acme/shop.git")
        repo, remotes = world(url, "github"), {KEY: Remote(url, TOKEN)}
        async with running_notifier(ON, remotes=remotes) as notifier:
            notifier.on_transition(repo.did(CREATED))
            await _until(lambda: bool(warnings(caplog)))
            notifier.on_transition(repo.did(FAILED))
            await asyncio.sleep(0.05)
            assert len(server.arrivals) == 1
            remotes[KEY] = Remote(url, Credentials(token=Secret("tok-654321")))
            notifier.on_transition(repo.did(replace(CREATED, commit=replace(COMMIT, id="d" * 40))))
            await _until(lambda: len(server.arrivals) == 2)
    first, *_ = warnings(caplog)
    assert (first["repo"], first["status"]) == (KEY, answer)
    assert "Commit statuses: write" in str(first["hint"])
    assert "tok-123456" not in caplog.text


async def test_a_commit_that_the_server_does_not_know_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A 422 concerns only this commit, so the next one is tried."""
    caplog.set_level(logging.WARNING, logger="nopea")
    async with Sink(usual=Reply(status=422)) as server:
        url = server.url("/acme/shop.git")
        repo = world(url, "gitea")
        async with running_notifier(ON, remotes={KEY: Remote(url, TOKEN)}) as notifier:
            notifier.on_transition(repo.did(CREATED))
            await _until(lambda: len(server.arrivals) == 1)
            notifier.on_transition(repo.did(FAILED))
            await _until(lambda: len(server.arrivals) == 2)
    assert len(warnings(caplog)) == 1


async def test_a_busy_server_is_retried() -> None:
    """This includes GitHub's 403 with Retry-After."""
    async with Sink(usual=Reply(status=201)) as server:
        server.replies.extend([Reply(status=500), Reply(status=403, headers={"Retry-After": "0"})])
        url = server.url("/acme/shop.git")
        async with running_notifier(ON, remotes={KEY: Remote(url, TOKEN)}) as notifier:
            notifier.on_transition(world(url, "github").did(CREATED))
            await server.wait_for(1)
        assert [one.status for one in server.arrivals] == [500, 403, 201]


async def test_an_unknown_server_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A debug line mentions spec.webhook.provider."""
    caplog.set_level(logging.DEBUG, logger="nopea")
    async with running_notifier(ON) as notifier:
        for _ in range(3):
            notifier.on_transition(History(url="https://git.acme.example/acme/shop").did(CREATED))
    lines = [one for one in caplog.records if one.getMessage() == "commit status not sent"]
    assert len(lines) == 1
    assert "spec.webhook.provider" in str(lines[0].__dict__["facts"]["why"])


async def test_a_server_that_is_down_does_not_delay_others() -> None:
    """Each host has its own queue."""
    async with Sink() as server:
        down, url = "http://127.0.0.1:9/acme/shop.git", server.url("/acme/shop.git")
        other = RepoKey("shop", "other")
        async with running_notifier(
            ON, remotes={other: Remote(down, TOKEN), KEY: Remote(url, TOKEN)}
        ) as notifier:
            lost = History(name="other", url=down, webhook={"secretRef": {"name": "h"}, "provider": "gitea"})
            notifier.on_transition(lost.did(CREATED))
            notifier.on_transition(world(url, "gitea").did(CREATED))
            await server.wait_for(1)
            assert len(notifier.outboxes) == 2
            await notifier.close(0)


async def test_one_namespace_does_not_use_up_the_queues() -> None:
    """The servers that it names later share one queue; another namespace's server has its own."""
    repositories = [RepoKey("greedy", f"r{number}") for number in range(2 * MAX_HOSTS)]
    remotes = {key: Remote(f"http://h{at}.invalid/a/b.git", TOKEN) for at, key in enumerate(repositories)}
    async with Sink() as server:
        url = server.url("/acme/shop.git")
        async with running_notifier(ON, remotes={**remotes, KEY: Remote(url, TOKEN)}) as notifier:
            for key, remote in remotes.items():
                lost = History(
                    name=key.name, namespace=key.namespace, url=remote.url,
                    webhook={"secretRef": {"name": "h"}, "provider": "gitea"},
                )  # fmt: skip
                notifier.on_transition(lost.did(CREATED))
            notifier.on_transition(world(url, "gitea").did(CREATED))
            await server.wait_for(1)

            # and that of the others, and that of KEY's server
            assert len(notifier.outboxes) == MAX_HOSTS_OF_NAMESPACE + 2
            await notifier.close(0)


async def _until(claim: object) -> None:
    """Wait until the condition holds."""
    assert callable(claim)
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
