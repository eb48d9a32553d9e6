"""How values become frames and back, and which remotes share a mirror or a child."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nopea.core.git.source import (
    Commit,
    Credentials,
    FileEntry,
    FileListing,
    ParsedDocument,
    ParsedFile,
    PathListing,
    Proxy,
    Ref,
    RefKind,
    Remote,
    Skipped,
    SkipReason,
    is_ssh,
)
from nopea.core.manifests.file import parse_file
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret
from nopea.git.process import Trust
from nopea.git.protocol import Decoder, encode
from nopea.git.wire import (
    commit_of,
    listing_of,
    mirror_name,
    parsed_file,
    path_listing_of,
    raw_address,
    raw_ref,
    trust_of,
)

KEY = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()
KNOWN_HOSTS = f"h ssh-ed25519 {KEY}\n"
FULL = Credentials(
    username="bot",
    password=Secret("pw-pw-pw"),
    token=Secret("tk-tk-tk"),
    identity=Secret("id-id-id"),
    identity_password=Secret("ip-ip-ip"),
    known_hosts=KNOWN_HOSTS,
    ca_crt="PEM",
)
HTTPS = Remote("https://git.acme.example/x", FULL)


@pytest.mark.parametrize(
    ("url", "ssh"),
    [
        ("ssh://git@h/x", True),
        ("git@h:x", True),
        ("h:x", True),
        ("https://h/x", False),
        ("http://h/x", False),
        ("file:///srv/x", False),
        ("/srv/x", False),
    ],
)
def test_ssh_is_detected_from_the_url(url: str, ssh: bool) -> None:
    """Scp-like URLs have no scheme; a local path is not SSH."""
    assert is_ssh(url) is ssh


def test_a_mirror_is_shared_by_url_and_credentials() -> None:
    """Without equal credentials a mirror is not shared; its name does not show them."""
    names = {
        mirror_name(HTTPS),
        mirror_name(Remote("https://git.acme.example/y", FULL)),
        mirror_name(Remote(HTTPS.url)),
        mirror_name(Remote(HTTPS.url, replace(FULL, token=Secret("other")))),
    }

    assert len(names) == 4
    assert mirror_name(HTTPS) == mirror_name(Remote(HTTPS.url, replace(FULL)))
    assert all(name.removesuffix(".git").isalnum() and len(name) == 68 for name in names)


@pytest.mark.parametrize(
    ("url", "trust"),
    [
        ("https://h/x", Trust(ca_crt="PEM")),
        ("http://h/x", Trust()),
        ("file:///srv/x", Trust()),
        ("ssh://git@h/x", Trust(known_hosts=KNOWN_HOSTS)),
        ("git@h:x", Trust(known_hosts=KNOWN_HOSTS)),
    ],
)
def test_a_child_trusts_only_what_the_url_needs(url: str, trust: Trust) -> None:
    """Otherwise the CA of one repository would be trusted for another's server."""
    assert trust_of(url, FULL) == trust


def test_an_address_carries_every_secret_over_the_wire() -> None:
    """Secrets are sent as bytes; known_hosts and CA certificates are not part of the address."""
    (message,) = Decoder().feed(encode({"id": 1, "address": raw_address(HTTPS)}))

    assert message["address"] == {
        "url": HTTPS.url, "proxy": "", "has_own_proxy": False, "username": "bot", "password": b"pw-pw-pw",
        "token": b"tk-tk-tk",
        "identity": b"id-id-id", "identity_password": b"ip-ip-ip",
    }  # fmt: skip


def test_a_proxy_of_its_own_replaces_that_of_the_process() -> None:
    """Its login is escaped as in URLs; another proxy has another mirror: nobody joins its fetches."""
    proxy = Proxy(address="http://proxy:3128", username="ac@me", password=Secret("p:s/w"))
    through = replace(HTTPS, proxy=proxy)

    address = raw_address(through, proxy="http://process:3128")

    assert (address["proxy"], address["has_own_proxy"]) == ("http://ac%40me:p%3As%2Fw@proxy:3128", True)
    names = {mirror_name(HTTPS), mirror_name(through)}
    names |= {mirror_name(replace(through, proxy=replace(proxy, password=Secret("other"))))}
    assert len(names) == 3
    assert "p:s/w" not in repr(through)


def test_a_ref_is_two_strings() -> None:
    """A ref is sent as its kind and its value."""
    (message,) = Decoder().feed(encode({"id": 1, "ref": raw_ref(Ref(RefKind.SEMVER, "1.x"))}))

    assert message["ref"] == ["semver", "1.x"]


def test_the_time_of_a_commit_is_utc() -> None:
    """The frame contains seconds since the epoch."""
    answer = {"id": "a" * 40, "author": "Bot", "message": "x", "time": 1_700_000_000, "ref": ""}

    assert commit_of(answer) == Commit(
        id="a" * 40, author="Bot", message="x", committed_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    )


def test_a_commit_carries_the_ref_that_it_was_found_by() -> None:
    """Two refs can lead to the same commit, so the ref makes no difference when commits are compared."""
    answer = {"id": "a" * 40, "author": "Bot", "message": "x", "time": 0, "ref": "refs/heads/main"}

    assert commit_of(answer).ref == "refs/heads/main"
    assert commit_of(answer) == commit_of({**answer, "ref": "refs/tags/v1"})


def test_a_commit_shows_no_blanks_at_the_ends() -> None:
    """The first line of a message with CRLF ends with a control character, which is sent as a blank."""
    answer = {"id": "a" * 40, "author": "Bot <bot@acme.example> ", "message": "Fix ", "time": 0, "ref": ""}

    commit = commit_of(answer)

    assert (commit.author, commit.message) == ("Bot <bot@acme.example>", "Fix")


def test_a_listing_survives_a_frame() -> None:
    """Files have a path, a blob and a size; what is skipped has a reason and the target of a link."""
    raw = {
        "files": [("a.yaml", "b" * 40, 3)],
        "skipped": [("c", "outside", "/etc"), ("d", "submodule", "")],
        "has_links": True,
    }

    (message,) = Decoder().feed(encode({"id": 1, "ok": raw}))

    assert listing_of(message["ok"]) == FileListing(
        files=(FileEntry("a.yaml", "b" * 40, 3),),
        skipped=(Skipped("c", SkipReason.OUTSIDE, "/etc"), Skipped("d", SkipReason.SUBMODULE)),
        has_links=True,
    )


def test_what_is_at_paths_survives_a_frame() -> None:
    """Each path is that of a file, a folder or nothing."""
    raw = {
        "files": [("a/b.ini", "b" * 40, 3)],
        "folders": ["a"],
        "missing": ["c"],
        "skipped": [("a/d", "outside", "/etc")],
    }

    (message,) = Decoder().feed(encode({"id": 1, "ok": raw}))

    assert path_listing_of(message["ok"]) == PathListing(
        files=(FileEntry("a/b.ini", "b" * 40, 3),),
        folders=("a",),
        missing=("c",),
        skipped=(Skipped("a/d", SkipReason.OUTSIDE, "/etc"),),
    )


def test_a_parsed_file_survives_a_frame() -> None:
    """Documents and problems are the same after encoding and decoding."""
    parsed = parse_file(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\na: [\n")
    assert len(parsed.documents) == len(parsed.problems) == 1
    raw = {
        "documents": [(one.index, one.line, one.body) for one in parsed.documents],
        "problems": [
            (one.code.value, one.message, one.hint, one.source, one.object) for one in parsed.problems
        ],
    }

    (message,) = Decoder().feed(encode({"id": 1, "ok": raw}))

    assert parsed_file(message["ok"]) == parsed


def test_an_empty_parsed_file_is_valid() -> None:
    """A file of comments has no documents; the order of the fields is fixed."""
    assert parsed_file({"documents": [], "problems": []}) == ParsedFile(documents=(), problems=())
    found = parsed_file(
        {"documents": [["2[0]", 7, b"{}"]], "problems": [["NOPEA-M001", "m", "h", ":1", "o"]]}
    )
    assert found.documents == (ParsedDocument(index="2[0]", line=7, body=b"{}"),)
    assert found.problems == (Problem(code=Code.YAML_SYNTAX, message="m", hint="h", source=":1", object="o"),)
