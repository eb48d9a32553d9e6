"""From a Secret to Git credentials: which keys a URL needs, and the problem if they are missing."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from nopea.core.git.credentials import missing_secret, parse_credentials, parse_proxy, why_no_proxy
from nopea.core.git.source import Credentials, Proxy
from nopea.core.problem import Code, Problem

HTTPS, SSH, SCP = "https://h/x", "ssh://git@h/x", "git@h:x"
KEY = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
AUTHORITY = """Főtanúsítvány of Acme
-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUP1ZBsKQFlhLA2Ig4CzEs5cuAG9kwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOQWNtZSBBdXRob3JpdHkwIBcNMjYxMTI1MTI0ODU0WhgPMjEy
NjExMDExMjQ4NTRaMBkxFzAVBgNVBAMMDkFjbWUgQXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE/ptAPtBxXX4CGh5+3IHYywi6xHyieWD2k/nfCBzF
qpAn+1aCmXVe7HFS/sF3sHxbPzP8ArFvdKXhDFj+3FeASqNTMFEwHQYDVR0OBBYE
FCPDSzdWJ+uohy/1tLcVTAsv/SWOMB8GA1UdIwQYMBaAFCPDSzdWJ+uohy/1tLcV
TAsv/SWOMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgERkdWzm6
5jRYC3BCd8t999UU7DU6IZvMn67smwaMj6ICIH963+UdoUwgqJ7Ps5+k4csdgWvS
65LBaJljtg+c5GvN
-----END CERTIFICATE-----
"""


def _secret(**values: str) -> dict[str, Any]:
    keys = {"ca_crt": "ca.crt"}
    data = {keys.get(key, key): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"data": data}


def _parsed(url: str, **values: str) -> Credentials:
    found = parse_credentials(_secret(**values), name="git", url=url)
    assert isinstance(found, Credentials), found
    return found


def _refused(url: str, secret: dict[str, Any]) -> Problem:
    found = parse_credentials(secret, name="git", url=url)
    assert isinstance(found, Problem), found
    assert found.code is Code.GIT_SECRET_INVALID
    return found


def test_a_trailing_newline_is_removed() -> None:
    """User names, passwords and tokens do not end with a newline, but files do."""
    found = _parsed(HTTPS, username="bot\n", password=" pw\n")

    assert (found.username, found.password.reveal()) == ("bot", b"pw")
    assert _parsed(HTTPS, token="tk\n").token.reveal() == b"tk"


def test_files_stay_as_they_are() -> None:
    """The trailing newline of a key, of known_hosts and of a CA certificate is kept."""
    found = _parsed(SSH, identity=KEY, known_hosts="h ssh-ed25519 AAAA\n", ca_crt="PEM\n")

    assert found.identity.reveal() == KEY.encode()
    assert (found.known_hosts, found.ca_crt) == ("h ssh-ed25519 AAAA\n", "PEM\n")


def test_white_space_around_a_private_key_is_removed() -> None:
    """libssh2 takes a key with a blank line before it for one with a wrong passphrase."""
    found = _parsed(SSH, identity=f"\ufeff\n  {KEY.strip()}\r\n\r\n", known_hosts="h")

    assert found.identity.reveal() == KEY.encode()


def test_an_encrypted_key_needs_a_passphrase() -> None:
    """The message names the key of the Secret that is missing."""
    encrypted = KEY.replace("\nAAAA", "\nProc-Type: 4,ENCRYPTED\n\nAAAA")

    problem = _refused(SSH, _secret(identity=encrypted, known_hosts="h"))
    assert "identity_password" in problem.hint
    assert _parsed(SSH, identity=encrypted, known_hosts="h", password="pw").identity_password


@pytest.mark.parametrize("url", [SSH, SCP])
def test_a_key_may_have_a_passphrase_under_either_name(url: str) -> None:
    """`identity_password` wins over `password`, which is Flux' name."""
    key = {"identity": KEY, "known_hosts": "h"}
    both = _parsed(url, **key, password="one", identity_password="two")

    assert both.identity_password.reveal() == b"two"
    assert _parsed(url, **key, password="one").identity_password.reveal() == b"one"
    assert not _parsed(url, **key).identity_password


@pytest.mark.parametrize(
    ("url", "values", "names"),
    [
        (SSH, {"known_hosts": "h"}, "identity"),
        (SCP, {"token": "tk-tk"}, "identity"),
        (SSH, {"identity": KEY}, "known_hosts"),
        (SSH, {"identity": KEY, "known_hosts": " \n"}, "known_hosts"),
        (HTTPS, {}, "none of its keys"),
        (HTTPS, {"identity": KEY, "known_hosts": "h"}, "none of its keys"),
        (HTTPS, {"username": "bot"}, "together"),
        (HTTPS, {"tls.crt": "CRT", "tls.key": "KEY", "ca_crt": AUTHORITY}, "client certificates"),
        (HTTPS, {"password": "pw-pw"}, "together"),
    ],
)
def test_a_secret_without_the_keys_for_the_url_is_refused(
    url: str, values: dict[str, str], names: str
) -> None:
    """The message names the Secret and the key, and contains no value."""
    problem = _refused(url, _secret(**values))

    assert names in problem.message
    assert "Secret git" in problem.message
    assert not any(value in str(problem) for value in values.values() if len(value) > 4)


@pytest.mark.parametrize(
    "data",
    [{"token": "not base64!"}, {"token": "YQ"}, {"username": "/w==", "password": "YQ=="}, {"token": 5}],
    ids=str,
)
def test_invalid_values_are_refused_without_being_shown(data: dict[str, Any]) -> None:
    """Invalid base64, binary data in a text field and values that are not strings are rejected."""
    assert "not base64!" not in str(_refused(HTTPS, {"data": data}))


def test_a_ca_certificate_alone_is_enough_for_https() -> None:
    """A public repository may be on a server with a private CA."""
    assert _parsed(HTTPS, ca_crt=AUTHORITY).ca_crt == AUTHORITY


@pytest.mark.parametrize(
    "text", ["PEM", AUTHORITY.replace("MIIB", "MIIC"), AUTHORITY.partition("-----END")[0]]
)
def test_an_invalid_ca_certificate_is_refused(text: str) -> None:
    """It is checked here because libgit2 would crash its process."""
    assert "ca.crt" in _refused(HTTPS, _secret(ca_crt=text, token="tk-tk")).message


def test_empty_data_and_null_values_are_absent_keys() -> None:
    """The API server omits `data` of an empty Secret."""
    _refused(HTTPS, {})
    _refused(HTTPS, {"data": None})
    _refused(HTTPS, {"data": {"token": None}})


def test_a_missing_secret_is_named_with_its_namespace() -> None:
    """The problem contains the namespace in which the Secret must be created."""
    problem = missing_secret("git", "shop")

    assert problem.code is Code.GIT_SECRET_MISSING
    assert problem.object == "Secret shop/git"


@pytest.mark.parametrize(
    "type_", ["kubernetes.io/service-account-token", "kubernetes.io/tls", "helm.sh/release.v1"]
)
def test_a_secret_that_was_made_for_something_else_is_refused(type_: str) -> None:
    """Its keys may fit by chance; whoever names it may not be allowed to read it."""
    found = _refused(HTTPS, {**_secret(token="canary"), "type": type_})

    assert type_ in found.message
    assert "canary" not in str(found)


@pytest.mark.parametrize("type_", [None, "", "Opaque", "kubernetes.io/basic-auth"])
def test_secrets_for_git_have_one_of_these_types(type_: str | None) -> None:
    """`kubectl create secret generic` makes Opaque ones."""
    found = parse_credentials({**_secret(token="tk"), "type": type_}, name="git", url=HTTPS)

    assert isinstance(found, Credentials)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("http://proxy.acme.example:3128", "http://proxy.acme.example:3128"),
        ("https://Proxy.acme.example/\n", "https://Proxy.acme.example"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("", None),
        ("proxy:3128", None),
        ("proxy.acme.example", None),
        ("socks5://proxy:1080", None),
        ("http://user:pw@proxy:3128", None),
        ("http://proxy:3128/path", None),
        ("http://proxy:3128?x", None),
        ("http://proxy:99999", None),
        ("http://proxy\r\nX: y", None),
        ("http://", None),
        ("http://[::1", None),
        ("http://10.0.0.1@169.254.169.254", None),
        ("http://good\\@bad", None),
    ],
)
def test_a_proxy_is_an_http_url_without_anything_else(address: str, kept: str | None) -> None:
    """What libraries could read differently is refused, so that the host that is checked is the one used."""
    found = parse_proxy(_secret(address=address), name="p")

    if kept is None:
        assert isinstance(found, Problem)
        assert found.code is Code.GIT_SECRET_INVALID
        assert "address" in found.message
    else:
        assert found == Proxy(address=kept)


@pytest.mark.parametrize("url", [SSH, SCP, "http://h/x", "file:///x"])
def test_only_https_has_a_proxy(url: str) -> None:
    """A URL that libgit2 would reach directly is refused: it would go around the proxy."""
    found = why_no_proxy(url, name="p")

    assert found is not None
    assert (found.code, "https" in found.message) == (Code.GIT_SECRET_INVALID, True)
    assert why_no_proxy(HTTPS, name="p") is None


def test_the_login_of_a_proxy_is_complete_and_was_made_for_it() -> None:
    """A Secret for something else is not sent, and half a login is an error."""
    half = parse_proxy(_secret(address="http://proxy", username="x"), name="p")
    foreign = parse_proxy({"type": "kubernetes.io/tls", **_secret(address="http://proxy")}, name="p")

    assert isinstance(half, Problem)
    assert isinstance(foreign, Problem)
    assert "kubernetes.io/tls" in foreign.message
