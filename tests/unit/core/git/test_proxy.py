"""Which proxy is used for which URL."""

from __future__ import annotations

import pytest

from nopea.core.git.proxy import proxy_for

PROXIES = {"HTTPS_PROXY": "proxy.acme.example:3128", "http_proxy": "http://plain.acme.example:8080"}


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://git.acme.example/x", "http://proxy.acme.example:3128"),
        ("http://git.acme.example/x", ""),
        ("ssh://git@git.acme.example/x", ""),
        ("git@git.acme.example:x", ""),
        ("file:///srv/x", ""),
        ("https://[bad/x", ""),
    ],
)
def test_the_scheme_decides(url: str, proxy: str) -> None:
    """libgit2 has no proxy for SSH, nor for plain http."""
    assert proxy_for(url, PROXIES) == proxy
    assert proxy_for(url, {}) == ""


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_exempt"),
    [
        ("*", "git.acme.example", True),
        ("acme.example", "git.acme.example", True),
        ("acme.example", "acme.example", True),
        ("acme.example", "notacme.example", False),
        (".acme.example", "git.acme.example", True),
        (".acme.example", "acme.example", False),
        ("*.acme.example", "git.acme.example", True),
        ("x, Git.Acme.Example ,y", "git.acme.example", True),
        ("git.acme.example:443", "git.acme.example", True),
        ("git.acme.example:8443", "git.acme.example", False),
        ("git.acme.example:8443", "git.acme.example:8443", True),
        (".svc,.cluster.local", "gitea.git.svc", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "git.acme.example", False),
        ("fd00::/8,::1", "[fd00::1]", True),
        ("[::1]:443", "[::1]", True),
        (",, ,", "git.acme.example", False),
        ("git.acme.example.", "git.acme.example.", True),
    ],
)
def test_no_proxy_names_who_is_reached_without(no_proxy: str, host: str, is_exempt: bool) -> None:
    """Names with what is below them, addresses, networks, ports."""
    found = proxy_for(f"https://{host}/x", {**PROXIES, "NO_PROXY": no_proxy})

    assert (found == "") is is_exempt
