"""Where the API of a repository is, and who may use it; more URLs: `test_commit_status.py`."""

from __future__ import annotations

import pytest

from nopea.core.api.references import SecretReference
from nopea.core.api.spec import GitRepositorySpec, Provider, Webhook
from nopea.core.forge.project import Project, authorization, project_of, provider_of
from nopea.core.git.source import Credentials
from nopea.core.secret import Secret


def spec(url: str, provider: Provider | None = None) -> GitRepositorySpec:
    """Return a spec with this URL."""
    hook = Webhook(secret_ref=SecretReference(name="hook"), provider=provider) if provider else None
    return GitRepositorySpec(url=url, webhook=hook)


def project(url: str, provider: Provider | None = None) -> Project:
    """Return the project at this URL."""
    found = project_of(spec(url, provider))
    assert found is not None
    return found


def test_the_webhook_provider_determines_the_api() -> None:
    """The provider in the spec wins over the host name."""
    url = "https://gitlab.acme.example/acme/shop"
    assert provider_of(spec(url)) is Provider.GITLAB
    assert provider_of(spec(url, Provider.GITEA)) is Provider.GITEA
    assert project_of(spec(url, Provider.GENERIC)) is None


@pytest.mark.parametrize(
    ("url", "provider", "api", "endpoint"),
    [
        ("git@github.com:acme/shop.git", None, "https://api.github.com", "/repos/acme/shop"),
        ("https://git.acme.example/forge/acme/a b.git", Provider.GITEA,
         "https://git.acme.example/forge/api/v1", "/repos/acme/a%20b"),
        ("https://gitlab.com/acme/web/shop", None,
         "https://gitlab.com/api/v4", "/projects/acme%2Fweb%2Fshop"),
    ],
)  # fmt: skip
def test_the_urls_of_the_api(url: str, provider: Provider | None, api: str, endpoint: str) -> None:
    """The root is for what is no repository's, such as who the token's user is."""
    found = project(url, provider)
    assert (found.api, found.endpoint) == (api, api + endpoint)


@pytest.mark.parametrize(
    ("url", "credentials", "header"),
    [
        ("https://github.com/acme/shop", Credentials(token=Secret("tok")), b"Bearer tok"),
        ("https://github.com/acme/shop", Credentials(username="x", password=Secret("pw")), b"Bearer pw"),
        ("https://gitlab.com/acme/shop", Credentials(token=Secret("tok")), b"Bearer tok"),
        ("https://codeberg.org/acme/shop", Credentials(token=Secret("tok")), b"token tok"),
        ("https://codeberg.org/a/b", Credentials(username="a", password=Secret("b")), b"Basic YTpi"),
        ("git@github.com:acme/shop", Credentials(token=Secret("tok"), password=Secret("pw")), b"Bearer tok"),
        ("git@github.com:acme/shop", Credentials(password=Secret("the key's own")), None),
        ("ssh://git@codeberg.org/a/b", Credentials(username="git", password=Secret("pw")), None),
        ("https://github.com/acme/shop", Credentials(), None),
        ("https://github.com/acme/shop", Credentials(token=Secret("tok\r\nHost: evil.example")), None),
    ],
)
def test_the_authorization(url: str, credentials: Credentials, header: bytes | None) -> None:
    """The token is sent in the form of its server; passphrases of SSH keys and invalid tokens are not."""
    found = authorization(project(url), credentials)
    assert (found.reveal() if found else None) == header
