"""Commit statuses: when they are sent, to which URL and with which content."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.fakes.samples import COMMIT, problem, report, result_of
from tests.fakes.transitions import History, synced

from nopea.core.health.condition import HealthSummary
from nopea.core.notify.commit_status import (
    CommitStatus,
    State,
    StatusRequest,
    commit_status,
    request_of,
)
from nopea.core.notify.failures import HOLD_SECONDS
from nopea.core.notify.rate_limit import AlertState
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, ReconcileReport, Result

SHA = COMMIT.id
CREATED = synced(result_of("web", Outcome.CREATED))


def failed(*codes: Code) -> ReconcileReport:
    """Return the report of a sync that failed with these codes."""
    return report(Result.FAILED, problems=[problem(code, source="deploy/web.yaml:14") for code in codes])


def world(url: str = "https://github.com/acme/shop.git", provider: str = "", **spec: object) -> History:
    """Return a repository with this URL."""
    webhook = {"webhook": {"secretRef": {"name": "hook"}, "provider": provider}} if provider else {}
    return History(url=url, **webhook, **spec)


def status_at(url: str, provider: str = "") -> CommitStatus | None:
    """Return the commit status of a first sync."""
    return commit_status(world(url, provider).did(CREATED))


def asked(url: str, provider: str = "", *, target_url: str = "") -> StatusRequest:
    """Return the request of a first sync."""
    status = status_at(url, provider)
    assert status is not None
    return request_of(status, context="nopea/shop/api", target_url=target_url)


# When


def test_a_commit_that_is_applied_succeeds() -> None:
    """The description says what was applied."""
    status = commit_status(world().did(CREATED))
    assert status is not None
    assert (status.commit, status.state, status.description) == (
        SHA, State.SUCCESS, "Applied 1 object at c0ffee0.",
    )  # fmt: skip
    assert (status.alert_state, status.sent_once) == (AlertState.EVENT, True)


def test_a_sync_without_changes_sends_nothing() -> None:
    """A restart does not set statuses for all repositories again."""
    repo = world()
    repo.did(CREATED)
    assert commit_status(repo.did(synced())) is None


def test_a_problem_that_a_user_must_correct_is_a_failure() -> None:
    """The description contains the first such problem, its place, and the number of other problems."""
    status = commit_status(world().did(failed(Code.API_BUSY, Code.YAML_SYNTAX, Code.FORBIDDEN)))
    assert status is not None
    assert status.state is State.FAILURE
    assert status.description == "NOPEA-M001 deploy/web.yaml:14: it is wrong (and 2 more)"


def test_a_lasting_transient_problem_is_an_error() -> None:
    """Until it has lasted for a while, the commit is pending: it is tried again."""
    repo = world()
    first = commit_status(repo.did(failed(Code.API_UNREACHABLE)))
    repo.now += timedelta(seconds=HOLD_SECONDS)
    last = commit_status(repo.did(failed(Code.API_UNREACHABLE)))
    assert (first and first.state, last and last.state) == (State.PENDING, State.ERROR)


def test_a_commit_is_pending_until_its_objects_are_healthy() -> None:
    """With `spec.wait`, success means that the objects are healthy, and failure that they are not."""
    repo = world(wait=True)
    rollout = HealthSummary(status="Unknown", reason="Progressing", message="0 of 2 Pods are ready.")
    states = [
        commit_status(repo.did(synced(result_of("web", Outcome.CREATED), health=rollout))),
        commit_status(repo.healthy("False", "Deployment shop/web: CrashLoopBackOff")),
        commit_status(repo.healthy("True")),
        commit_status(repo.healthy("True", "3 objects are healthy.")),
    ]
    assert [each and (each.state, each.commit[:7]) for each in states] == [
        (State.PENDING, "c0ffee0"),
        (State.FAILURE, "c0ffee0"),
        (State.SUCCESS, "c0ffee0"),
        None,
    ]
    without = world()
    without.did(synced())
    assert commit_status(without.healthy("False")) is None


def test_a_problem_with_the_git_server_is_not_sent() -> None:
    """Problems with the Git server say nothing about a commit."""
    repo = world()
    for code in (Code.GIT_NOT_FOUND, Code.DEPENDENCY_NOT_READY):
        assert [commit_status(repo.did(failed(code))) for _ in range(5)] == [None] * 5


def test_success_after_failures_is_sent_without_changes() -> None:
    """Otherwise the commit would keep the status failed."""
    repo = world()
    repo.did(CREATED)
    repo.did(failed(Code.FORBIDDEN))
    status = commit_status(repo.did(synced()))
    assert status is not None
    assert status.state is State.SUCCESS


def test_a_long_description_is_truncated() -> None:
    """GitHub accepts 140 characters; the number of other problems is kept."""
    problems = [problem(Code.FORBIDDEN, "x" * 500), problem(Code.INVALID)]
    status = commit_status(world().did(report(Result.FAILED, problems=problems)))
    assert status is not None
    assert len(status.description) == 140
    assert status.description.endswith("… (and 1 more)")


@pytest.mark.parametrize("result", [Result.SUPERSEDED, Result.SUSPENDED, Result.DELETED])
def test_other_results_send_nothing(result: Result) -> None:
    """A superseded or suspended sync and a deletion do not set a status."""
    repo = world()
    assert commit_status(repo._step(repo.status, report(result))) is None


# Where


@pytest.mark.parametrize(
    ("url", "provider", "wanted"),
    [
        ("https://github.com/acme/shop.git", "", f"https://api.github.com/repos/acme/shop/statuses/{SHA}"),
        ("git@github.com:acme/shop.git", "", f"https://api.github.com/repos/acme/shop/statuses/{SHA}"),
        ("ssh://git@ssh.github.com:443/acme/shop", "",
         f"https://api.github.com/repos/acme/shop/statuses/{SHA}"),
        ("https://github.acme.example:8443/acme/shop/", "",
         f"https://github.acme.example:8443/api/v3/repos/acme/shop/statuses/{SHA}"),
        ("ssh://git@git.acme.example:2222/acme/shop.git", "github",
         f"https://git.acme.example/api/v3/repos/acme/shop/statuses/{SHA}"),
        ("http://127.0.0.1:3000/acme/shop.git", "github",
         f"http://127.0.0.1:3000/api/v3/repos/acme/shop/statuses/{SHA}"),
        ("https://codeberg.org/acme/shop.git", "", f"https://codeberg.org/api/v1/repos/acme/shop/statuses/{SHA}"),
        ("https://git.acme.example/forge/acme/shop.git", "gitea",
         f"https://git.acme.example/forge/api/v1/repos/acme/shop/statuses/{SHA}"),
        ("https://gitea.acme.example/acme/a b?.git", "",
         f"https://gitea.acme.example/api/v1/repos/acme/a%20b/statuses/{SHA}"),
    ],
)  # fmt: skip
def test_the_urls_of_github_and_gitea(url: str, provider: str, wanted: str) -> None:
    """The API is on the repository's host, and uses http only if the repository's URL does."""
    request = asked(url, provider)
    assert request.url == wanted
    assert json.loads(request.body) == {
        "state": "success", "context": "nopea/shop/api", "description": "Applied 1 object at c0ffee0.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "provider", "start"),
    [
        ("https://gitlab.com/acme/web/shop.git", "", "https://gitlab.com/api/v4/projects/acme%2Fweb%2Fshop/"),
        ("git@altssh.gitlab.com:acme/shop.git", "", "https://gitlab.com/api/v4/projects/acme%2Fshop/"),
        ("https://gitlab.acme.example/a/b", "", "https://gitlab.acme.example/api/v4/projects/a%2Fb/"),
        ("http://[::1]:8080/a/b", "gitlab", "http://[::1]:8080/api/v4/projects/a%2Fb/"),
    ],
)
def test_the_urls_of_gitlab(url: str, provider: str, start: str) -> None:
    """The project is one encoded segment, and the status is in the query."""
    parts = urlsplit(asked(url, provider, target_url="https://nopea.acme.example/").url)
    assert parts._replace(query="").geturl() == f"{start}statuses/{SHA}"
    assert parse_qs(parts.query) == {
        "state": ["success"], "name": ["nopea/shop/api"], "description": ["Applied 1 object at c0ffee0."],
        "target_url": ["https://nopea.acme.example/"],
    }  # fmt: skip


@pytest.mark.parametrize("code", [Code.FORBIDDEN, Code.API_BUSY])
def test_gitlab_has_one_state_for_failures(code: Code) -> None:
    """GitLab has the state `failed` instead of `failure` and `error`."""
    repo = world("https://gitlab.com/acme/shop")
    repo.did(failed(Code.API_BUSY))
    repo.now += timedelta(seconds=HOLD_SECONDS)
    status = commit_status(repo.did(failed(code)))
    assert status is not None
    query = urlsplit(request_of(status, context="c", target_url="").url).query
    assert parse_qs(query)["state"] == ["failed"]


def test_the_target_url_is_sent() -> None:
    """The status links to the configured URL."""
    body = json.loads(asked("https://github.com/acme/shop", target_url="https://nopea.acme.example/").body)
    assert body["target_url"] == "https://nopea.acme.example/"


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://git.acme.example/acme/shop.git", ""),
        ("https://github.com/acme/shop.git", "bitbucket-cloud"),
        ("https://github.com/shop.git", ""),
        ("https://github.com/../shop.git", ""),
        ("https://github.com:x/acme/shop.git", ""),
        ("https:///acme/shop", "github"),
    ],
)
def test_other_servers_get_nothing(url: str, provider: str) -> None:
    """Without a known API on the host, no status and no token is sent."""
    assert status_at(url, provider) is None
