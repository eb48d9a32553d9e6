"""A real OCI registry on loopback, and pushes to it. The program is distribution's; see tests/programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.downloads.charts import digest_of, metadata_of
from tests.downloads.serving import PATIENCE, Login, Tls
from tests.downloads.tokens import ISSUER, SERVICE, TokenServer

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

_POLL_SECONDS = 0.01
_LINES_OF_THE_START = 2  # the address, and the request that `with` waits for


def program() -> Path:
    """Return the built registry: NOPEA_TEST_REGISTRY, or beside the Python that runs the tests."""
    default = Path(sys.executable).parent / "nopea-test-registry"
    place = Path(os.environ.get("NOPEA_TEST_REGISTRY") or default)
    if not place.exists():
        raise FileNotFoundError(f"{place} is not built; run `make test-programs` (needs Go 1.26)")
    return place


class Registry:
    """A running registry with its data in `folder`; `with` starts and ends it.

    With a `login` it wants that for everything (basic authentication); with `tokens`, bearer tokens of that
    server. With `blobs_at`, it redirects downloads of blobs to that URL with `blob_path` below it, as public
    registries do to their storage.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: Tls | None = None,
        login: Login | None = None,
        tokens: TokenServer | None = None,
        blobs_at: str = "",
        port: int = 0,
    ) -> None:
        self.folder = folder
        self.tls = tls
        self.login = login or (tokens.login if tokens else None)
        self.host = f"127.0.0.1:{port}"
        self._basic = login is not None
        self._tokens = tokens
        self._blobs_at = blobs_at
        self._log = folder / "requests.log"

    @property
    def origin(self) -> str:
        """The scheme, host and port of its HTTP API."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def url(self, repository: str) -> str:
        """Return what a user writes for a repository: `oci://127.0.0.1:…/…`."""
        return f"oci://{self.host}/{repository}"

    def requests(self) -> list[str]:
        """Return what was asked since the start, as `GET /v2/team/app/manifests/1.0.0`."""
        return self._log.read_text().splitlines()[_LINES_OF_THE_START:]

    def blob_path(self, digest: str) -> str:
        """Return the path of a blob below `blobs_at`."""
        digits = digest.removeprefix("sha256:")
        return f"/docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"

    def blob(self, digest: str) -> bytes:
        """Return a stored blob, past the registry."""
        return (self.folder / "data" / self.blob_path(digest).lstrip("/")).read_bytes()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.json"
        file.write_text(json.dumps(self._config()))
        with self._log.open("wb") as log, (self.folder / "errors.log").open("wb") as errors:
            command = [str(program()), str(file)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=errors, env={}
            )
        try:
            self.host = self._address()
            Client(self, log_in=False).expect("GET", "/v2/", {200, 401})
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the program; idempotent. The data stay, for another Registry with the same folder."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()

    def _config(self) -> dict[str, Any]:
        storage: dict[str, Any] = {
            "filesystem": {"rootdirectory": str(self.folder / "data")},
            "delete": {"enabled": True},
            "redirect": {"disable": not self._blobs_at},
        }
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": storage,
            "http": {"addr": self.host},
        }
        if self.tls:
            config["http"]["tls"] = {"certificate": str(self.tls.certificate), "key": str(self.tls.key)}
        if self._blobs_at:
            redirect = {"name": "redirect", "options": {"baseurl": self._blobs_at}}
            config["middleware"] = {"storage": [redirect]}
        if self._tokens:
            keys = self.folder / "jwks.json"
            keys.write_text(self._tokens.jwks())
            options = {"realm": self._tokens.realm, "service": SERVICE, "issuer": ISSUER, "jwks": str(keys)}
            config["auth"] = {"token": options}
        elif self._basic:
            config["auth"] = {"htpasswd": {"realm": "charts", "path": str(self._htpasswd())}}
        return config

    def _htpasswd(self) -> Path:
        assert self.login is not None
        file = self.folder / "htpasswd"
        login = f"{self.login.username}:{self.login.password}\n"
        done = subprocess.run(
            [program(), "hash"],
            input=login.encode(),
            capture_output=True,
            check=True,
            timeout=PATIENCE,
            env={},
        )
        file.write_bytes(done.stdout)
        return file

    def _address(self) -> str:
        """Wait until the program has printed where it listens."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            first, newline, _ = self._log.read_text().partition("\n")
            if newline:
                return first
            time.sleep(_POLL_SECONDS)
        raise RuntimeError(f"the registry did not start: {(self.folder / 'errors.log').read_text()}")


class Client:
    """Plain HTTP requests to a registry with its login, as a push needs them."""

    def __init__(self, registry: Registry, *, log_in: bool = True) -> None:
        self._registry = registry
        self._login = registry.login if log_in else None
        self._authorization = ""
        # Never through a proxy that the environment names.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if registry.tls:
            handlers.append(urllib.request.HTTPSHandler(context=registry.tls.client_context()))
        self._opener = urllib.request.build_opener(*handlers)

    def expect(
        self, method: str, url: str, good: set[int], body: bytes = b"", content_type: str = ""
    ) -> dict[str, str]:
        """Send a request and return the answer's headers, with names in lower case.

        Raises RuntimeError for a status that is not `good`.
        """
        status, headers, content = self._send(method, url, body, content_type)
        if status == 401 and self._login:
            self._log_in(self._login, headers.get("www-authenticate", ""))
            status, headers, content = self._send(method, url, body, content_type)
        if status not in good:
            raise RuntimeError(f"{method} {url}: {status} {content.decode(errors='replace')}")
        return headers

    def _log_in(self, login: Login, challenge: str) -> None:
        self._authorization = login.header
        if challenge.startswith("Bearer "):
            asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
            realm = asked.pop("realm")
            query = urllib.parse.urlencode({key: asked[key] for key in asked if key != "error"})
            status, _, content = self._send("GET", f"{realm}?{query}", b"", "")
            assert status == 200, content
            self._authorization = f"Bearer {json.loads(content)['token']}"

    def _send(
        self, method: str, url: str, body: bytes, content_type: str
    ) -> tuple[int, dict[str, str], bytes]:
        target = url if "://" in url else self._registry.origin + url
        headers = {"Content-Type": content_type or "application/octet-stream"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        request = urllib.request.Request(target, data=body or None, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                return answer.status, _lower(answer.headers.items()), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers.items()), error.read()


def push_blob(registry: Registry, repository: str, content: bytes) -> str:
    """Upload a blob and return its digest."""
    client, digest = Client(registry), digest_of(content)
    place = client.expect("POST", f"/v2/{repository}/blobs/uploads/", {202})["location"]
    joint = "&" if "?" in place else "?"
    client.expect("PUT", f"{place}{joint}digest={digest}", {201}, content)
    return digest


def push_manifest(
    registry: Registry, repository: str, manifest: bytes, tag: str, *, media_type: str = MANIFEST
) -> str:
    """Upload a manifest, whose blobs must be there, and return its digest."""
    Client(registry).expect("PUT", f"/v2/{repository}/manifests/{tag}", {201}, manifest, media_type)
    return digest_of(manifest)


def push_chart(
    registry: Registry,
    repository: str,
    chart: bytes,
    tag: str,
    *,
    provenance: bytes = b"",
    content_type: str = CONTENT,
    config_type: str = CONFIG,
) -> str:
    """Push a chart as `helm push` does and return its manifest's digest. Pushing a tag again moves it."""
    config = json.dumps(metadata_of(chart)).encode()
    layers = [(content_type, chart)] + ([(PROVENANCE, provenance)] if provenance else [])
    described = [_pushed(registry, repository, kind, content) for kind, content in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _pushed(registry, repository, config_type, config),
        "layers": described,
    }
    return push_manifest(registry, repository, json.dumps(manifest).encode(), tag)


def delete_manifest(registry: Registry, repository: str, digest: str) -> None:
    """Delete a manifest, with all its tags."""
    Client(registry).expect("DELETE", f"/v2/{repository}/manifests/{digest}", {202})


def _pushed(registry: Registry, repository: str, media_type: str, content: bytes) -> dict[str, Any]:
    digest = push_blob(registry, repository, content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
