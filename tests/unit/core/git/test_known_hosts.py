"""Which keys known_hosts gives a server, and the lines that libssh2 is given."""

from __future__ import annotations

import base64

import pytest

from nopea.core.git.known_hosts import HostKey, HostKeys, host_keys, key_of_blob, plain_lines

URL = "ssh://git@git.acme.example:2222/shop.git"


def key(number: int = 1, type_: str = "ssh-ed25519") -> HostKey:
    """Return a key that looks like one."""
    blob = len(type_).to_bytes(4, "big") + type_.encode() + b"\0\0\0\x20" + bytes([number]) * 32
    found = key_of_blob(blob)
    assert found is not None
    return found


def line(names: str, of: HostKey | None = None) -> str:
    """Return a line of known_hosts."""
    of = of or key()
    return f"{names} {of.type} {of.base64}\n"


@pytest.mark.parametrize(
    ("names", "url", "known"),
    [
        ("git.acme.example", "git@git.acme.example:shop.git", True),
        ("[git.acme.example]:2222", URL, True),
        ("git.acme.example", URL, True),
        ("[git.acme.example]:22", "git@git.acme.example:shop.git", True),
        ("[git.acme.example]:22", URL, False),
        ("GIT.*,other", "ssh://Git.Acme.example/x", True),
        ("*.acme.example,!git.*", "ssh://git.acme.example/x", False),
        ("!git.acme.example", "ssh://git.acme.example/x", False),
        ("git.acme.exampl?", "ssh://git.acme.example/x", True),
        ("git.acme.exampl[e]", "ssh://git.acme.example/x", False),
        ("git?acme*", "ssh://git.acme.example/x", True),
        ("[::1]:22", "ssh://git@[::1]:22/x", True),
        ("::1", "ssh://git@[::1]/x", True),
        ("|1|bad", "ssh://git.acme.example/x", False),
        ("*", "ssh://git@ho st/x", False),
    ],
)
def test_names_are_matched_as_in_openssh(names: str, url: str, known: bool) -> None:
    """Patterns, negations, ports, cases; what libssh2 is given matches literally."""
    text = line(names)

    assert host_keys(text, url) == HostKeys((key(),) if known else ())
    assert not known or key().base64 in plain_lines(text, url)


@pytest.mark.parametrize("marker", ["@revoked", "@cert-authority", "@else"])
def test_a_marked_key_is_not_accepted(marker: str) -> None:
    """No line with a marker is given to libssh2, which would take the marker for a name."""
    text = f"{marker} {line('*')}"

    assert host_keys(text, URL).accepted == ()
    assert plain_lines(text, URL) == ""


def test_a_host_that_libraries_may_read_in_another_way_has_no_lines() -> None:
    """Nothing is accepted where it is not clear for whom."""
    assert plain_lines(line("*") + line("ho"), "ssh://git@ho st/x") == ""


def test_a_revoked_key_is_not_accepted_wherever_it_stands() -> None:
    """The line that accepts it may come first."""
    text = line("*") + line("*", key(2)) + f"@revoked {line('git.acme.example,[git.acme.example]:*')}"

    assert host_keys(text, URL) == HostKeys((key(2),), frozenset([key()]))
    assert plain_lines(text, URL) == line("[git.acme.example]:2222", key(2))


def test_lines_for_the_port_stand_before_those_for_the_host() -> None:
    """Another server may listen on another port of the host."""
    text = line("git.acme.example") + line("[git.acme.example]:2222", key(2))

    assert host_keys(text, URL).accepted == (key(2),)
    assert plain_lines(text, URL) == line("[git.acme.example]:2222", key(2))


def test_ordinary_lines_stay_together() -> None:
    """The servers of one file share a process; comments and what cannot be read make no difference."""
    text = line("git.acme.example,10.0.0.1") + line("[other.example]:2222", key(2))

    for url in (URL, "ssh://other.example:2222/x", "ssh://unknown.example/x"):
        assert plain_lines(f"# ours\nnonsense\r\n{text}\n{line('*.x')}", url) == text


@pytest.mark.parametrize(
    "text",
    [
        "git.acme.example",
        "git.acme.example ssh-ed25519",
        "git.acme.example ssh-ed25519 !!!",
        f"git.acme.example ssh-rsa {key().base64}",
        f"git.acme.example sk-ssh-ed25519@openssh.com {key().base64}",
        f"git.acme.example ssh-ed25519 {base64.b64encode(b'x').decode()}",
        f"# git.acme.example ssh-ed25519 {key().base64}",
        "@revoked",
        "\0",
    ],
)
def test_a_line_that_cannot_be_read_is_passed_over(text: str) -> None:
    """One bad line does not cost the good ones."""
    assert host_keys(f"{text}\n{line('*', key(2))}{text}", URL).accepted == (key(2),)


def test_a_hostile_pattern_takes_no_time() -> None:
    """Patterns with many stars are no reason to go back and forth."""
    assert host_keys(line("*a" * 5000 + "b"), f"ssh://{'a' * 200}/x").accepted == ()
