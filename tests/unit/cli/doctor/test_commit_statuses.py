"""Who gets no commit statuses, and why."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.unit.cli.doctor.test_secrets import read, repository, store_secret

from nopea.cli.doctor.commit_statuses import status_findings
from nopea.cli.doctor.finding import Finding, Verdict

LOGIN: dict[str, Any] = {"secretRef": {"name": "login"}}
URL = "https://github.com/acme/web"


async def findings(*specs: dict[str, Any], **values: str) -> list[Finding]:
    """Return the findings about repositories with these specs; the Secret login has these values."""
    cluster = FakeCluster()
    if values:
        store_secret(cluster, "login", **values)
    repositories = [repository(f"r{place}", **spec) for place, spec in enumerate(specs)]
    return list(status_findings(repositories, await read(cluster, *repositories)))


async def test_a_token_is_enough() -> None:
    """One line for all."""
    (found,) = await findings({"url": URL, **LOGIN}, {"url": URL, **LOGIN}, token="t")

    assert (found.verdict, found.message) == (
        Verdict.GOOD,
        "2 GitRepositories have a token for commit statuses.",
    )


@pytest.mark.parametrize(
    ("spec", "values", "words"),
    [
        ({"url": URL}, {}, "spec.secretRef is not set"),
        ({"url": "git@github.com:acme/web", **LOGIN}, {"ca_crt": "x"}, ""),
        ({"url": URL, **LOGIN}, {"ca_crt": ""}, "has no token or password"),
        ({"url": URL, **LOGIN}, {}, ""),
        ({"url": "https://git.acme.example/acme/web", **LOGIN}, {"token": "t"}, "spec.webhook.provider"),
        ({"url": "https://dev.azure.com/acme/web", **LOGIN}, {"token": "t"}, ""),
        ({"url": "file:///srv/web"}, {}, ""),
    ],
)
async def test_what_is_missing_is_a_warning(spec: dict[str, Any], values: dict[str, str], words: str) -> None:
    """A Secret that is missing or unfit has a line of its own; servers without an API have none."""
    found = await findings(spec, **values)

    assert [each.verdict for each in found] == [Verdict.WARNING] * bool(words)
    assert all(words in f"{each.message} {each.fix}" for each in found)
