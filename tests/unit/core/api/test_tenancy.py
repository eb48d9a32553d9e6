"""What a process allows GitRepositories."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.samples import repository

from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import (
    AS_CALLER,
    LEAST,
    MAX_OBJECTS,
    TenancyPolicy,
    account_of,
    acts_as_controller,
    may_apply,
    shares_rights,
    violations,
)
from nopea.core.objects import RepoKey
from nopea.core.problem import Code

KEY = RepoKey("shop", "web")
CONTROLLER = TenancyPolicy(apply_as_controller=True)
BY_DEFAULT = TenancyPolicy(default_service_account="deployer")


def spec(
    url: str = "https://git.acme.example/shop", policy: TenancyPolicy = LEAST, **fields: Any
) -> GitRepositorySpec:
    """Return a parsed spec."""
    found = parse_spec({"url": url, **fields}, policy=policy)
    assert isinstance(found, GitRepositorySpec), found
    return found


@pytest.mark.parametrize(
    ("policy", "named", "account", "allowed", "as_controller"),
    [
        (LEAST, "", "", False, False),
        (LEAST, "mine", "mine", True, False),
        (BY_DEFAULT, "", "deployer", True, False),
        (BY_DEFAULT, "mine", "mine", True, False),
        (CONTROLLER, "", "", True, True),
        (CONTROLLER, "mine", "mine", True, False),
        (AS_CALLER, "", "", True, False),
    ],
)
def test_who_writes_the_objects(
    policy: TenancyPolicy, named: str, account: str, *, allowed: bool, as_controller: bool
) -> None:
    """The account of the spec comes first, Nopea itself last and only if it is allowed."""
    wanted = spec(serviceAccountName=named or None)

    assert account_of(wanted, policy) == account
    assert may_apply(wanted, policy) is allowed
    assert acts_as_controller(wanted, policy) is as_controller


def test_all_violations_are_told_at_once() -> None:
    """The user corrects them in one go."""
    wanted = spec(
        "http://git.acme.example/shop",
        secretRef={"name": "git"},
        dependsOn=[{"name": "a"}, {"name": "b", "namespace": "shop"}, {"name": "c", "namespace": "infra"}],
    )
    policy = TenancyPolicy(allowed_hosts=("*.corp.example",))

    found = violations(KEY, wanted, policy)

    assert [problem.code for problem in found] == [Code.ACCOUNT_MISSING, *[Code.NOT_ALLOWED] * 3]
    assert "infra/c" in found[1].message
    assert "shop/b" not in found[1].message
    assert violations(KEY, wanted, AS_CALLER) == ()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://git.acme.example/shop", True),
        ("https://GIT.acme.example:8443/shop", True),
        ("https://git.acme.example@evil.example/shop", False),
        ("https://evil.example/git.acme.example", False),
        ("git@git.acme.example:shop.git", True),
        ("git@evil.example:git.acme.example", False),
        ("git@evil.example:a@git.acme.example:repo", False),
        ("https://evil.example%00.git.acme.example/r", False),
        ("ssh://git@[::1]:22/shop", False),
        ("https://git.acme.example.evil.example/x", False),
    ],
)
def test_the_host_is_the_one_that_is_asked(url: str, *, allowed: bool) -> None:
    """No other part of the URL passes for it."""
    policy = TenancyPolicy(apply_as_controller=True, allowed_hosts=("git.acme.example",))

    assert (violations(KEY, spec(url), policy) == ()) is allowed


def test_one_tenant_is_a_namespace_or_whoever_nopea_writes_for() -> None:
    """What one leaves may become another's only within a tenant."""
    web, api, other = repository("web"), repository("api"), repository("web", namespace="mallory")
    named = repository("web", namespace="mallory", serviceAccountName="deployer")

    assert shares_rights(web, api, LEAST)
    assert not shares_rights(web, other, LEAST)
    assert shares_rights(web, other, CONTROLLER)
    assert not shares_rights(web, named, CONTROLLER)


@pytest.mark.parametrize("url", ["http://git.acme.example/x", "HTTP://git.acme.example/x"])
def test_the_case_of_a_scheme_is_no_way_round(url: str) -> None:
    """The API server accepts lower case only, but an older definition may have stored another."""
    policy = TenancyPolicy(apply_as_controller=True)

    assert [problem.code for problem in violations(KEY, spec(url, secretRef={"name": "git"}), policy)] == [
        Code.NOT_ALLOWED
    ]


@pytest.mark.parametrize(
    "url", ["https://evil.example%00.acme.example/r", "git@evil.example:x.acme.example:r"]
)
def test_a_pattern_matches_the_whole_host(url: str) -> None:
    """What libgit2 reads as the host must be what is compared."""
    policy = TenancyPolicy(apply_as_controller=True, allowed_hosts=("*.acme.example",))

    assert [problem.code for problem in violations(KEY, spec(url), policy)] == [Code.NOT_ALLOWED]


def test_durations_are_kept_within_the_limits() -> None:
    """So that one tenant cannot ask a server every second, nor hold a slot for an hour."""
    policy = TenancyPolicy(min_interval=30.0, max_timeout=600.0)

    short = spec(policy=policy, interval="1s", retryInterval="2s", timeout="1h")
    fine = spec(policy=policy, interval="1m", timeout="1m")

    assert (short.interval, short.retry_interval, short.timeout) == ("30s", "30s", "600s")
    assert (fine.interval, fine.retry_interval, fine.timeout) == ("1m", None, "1m")


def test_a_command_reads_what_any_controller_may_apply() -> None:
    """A controller may allow more objects than the default; `nopea diff` follows."""
    assert AS_CALLER.max_objects == MAX_OBJECTS > LEAST.max_objects
