"""The part of an OCI registry's API that charts need (OCI Distribution Specification 1.1).

A chart is a manifest with one layer, its archive, as `helm push` makes it.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from cachetools import TTLCache

from nopea.core.downloads.challenge import token_challenge
from nopea.core.downloads.items import OCI
from nopea.core.downloads.logins import Logins, authority_of
from nopea.core.secret import Secret
from nopea.downloads import problems
from nopea.downloads.budget import Share
from nopea.downloads.web import Get, Reply, Web, basic

_MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_LAYER_TYPES = frozenset(("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NEXT = re.compile(r'<([^<>]+)>\s{0,8};\s{0,8}rel="?next"?')
_MAX_HEADER = 2048
_MAX_MANIFEST = 1024 * 1024
_MAX_TAGS_PAGE = 1024 * 1024
_MAX_PAGES = 200
_MAX_TAGS = 20_000
_MAX_TOKEN = 64 * 1024
_TOKEN_SECONDS = 60
"""Tokens are valid for a minute at least, as the token authentication of the Distribution project says."""
_OK, _UNAUTHORIZED = 200, 401
_MISSING = "Check the name and the version: `helm pull` shows the same error."


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks a registry: the logins, and what the download counts on."""

    logins: Logins
    share: Share


@dataclass(frozen=True, slots=True)
class Manifest:
    """A chart at a registry: its digest, as `helm pull` prints it, and its archive."""

    digest: str
    layer: str
    size: int


class Registries:
    """Asks registries; tokens are kept for a minute by host, repository and login."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._tokens: TTLCache[tuple[str, str], Secret] = TTLCache(1000, _TOKEN_SECONDS, timer=time.monotonic)

    async def tags(self, chart: str, asker: Asker) -> list[str]:
        """Return all tags of `oci://HOST/NAME`; it is an error if there are too many to look at."""
        url = f"{_api(chart)}/tags/list?n=1000"
        found: list[str] = []
        for _ in range(_MAX_PAGES):
            reply = await self._get(url, chart, asker, limit=_MAX_TAGS_PAGE)
            try:
                found += map(str, orjson.loads(reply.body).get("tags") or ())
            except (ValueError, AttributeError, TypeError) as error:
                raise problems.unreachable(chart, "the registry sent no list of tags") from error
            if len(found) > _MAX_TAGS:
                break
            following = _NEXT.search(reply.header("Link")[:_MAX_HEADER])
            if following is None:
                return found
            url = _same_host(_api(chart), following[1])
        why = f"it has more than {_MAX_TAGS:,} tags"
        raise problems.refused(chart, why, "Set spec.helm.version to one version: then no list is needed.")

    async def manifest(self, chart: str, reference: str, asker: Asker) -> Manifest:
        """Return the manifest of a tag or a digest, verified."""
        what = f"{chart}{'@' if ':' in reference else ':'}{reference}"
        url = f"{_api(chart)}/manifests/{reference}"
        reply = await self._get(url, chart, asker, limit=_MAX_MANIFEST, what=what, accept=_MANIFEST_TYPES)
        digest = f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
        announced = reference if ":" in reference else reply.header("Docker-Content-Digest") or digest
        if announced != digest:
            raise problems.corrupt(what, wanted=announced, found=digest)
        try:
            layers = orjson.loads(reply.body)["layers"]
            archive = next(each for each in layers if each["mediaType"] in _LAYER_TYPES)
            layer, size = str(archive["digest"]), archive["size"]
        except (ValueError, LookupError, TypeError, StopIteration) as error:
            raise _no_chart(what) from error
        if not _DIGEST.fullmatch(layer) or not isinstance(size, int) or size < 0:
            raise _no_chart(what)
        return Manifest(digest, layer, size)

    async def archive(self, chart: str, layer: str, asker: Asker, *, limit: int) -> bytes:
        """Return the archive with a digest, verified."""
        reply = await self._get(f"{_api(chart)}/blobs/{layer}", chart, asker, limit=limit)
        found = f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
        if found != layer:
            raise problems.corrupt(chart, wanted=layer, found=found)
        return reply.body

    async def _get(
        self, url: str, chart: str, asker: Asker, *, limit: int, what: str = "", accept: str = "*/*"
    ) -> Reply:
        what = what or chart
        key = (_api(chart), asker.logins.digest(url))
        token = self._tokens.get(key)
        login = basic(asker.logins.at(url))
        authorization = {"Authorization": f"Bearer {token.reveal().decode('latin-1')}"} if token else login
        asked = Get(
            url=url,
            what=what,
            limit=limit,
            share=asker.share,
            headers={"Accept": accept, **authorization},
            ca_crt=asker.logins.ca_crt,
        )
        reply = await self._web.get(asked)
        if reply.status == _UNAUTHORIZED:
            self._tokens.pop(key, None)
            token = await self._token(reply, asked, login, chart)
            if token is not None:
                self._tokens[key] = token
                bearer = {"Authorization": f"Bearer {token.reveal().decode('latin-1')}"}
                reply = await self._web.get(_with_headers(asked, {"Accept": accept, **bearer}))
        if reply.status != _OK:
            wait = reply.header("Retry-After")
            raise problems.of_status(what, reply.status, retry_after=wait, missing=_MISSING)
        return reply

    async def _token(self, reply: Reply, asked: Get, login: Mapping[str, str], chart: str) -> Secret | None:
        """Return the token that a registry wants; None where it wants something else."""
        scope = f"repository:{urlsplit(_api(chart)).path.removeprefix('/v2/')}:pull"
        challenge = token_challenge(reply.challenges, scope=scope)
        if challenge is None or authority_of(reply.url) != authority_of(asked.url):
            return None  # where the registry redirects gets no login
        try:
            url = challenge.url()
        except ValueError as error:
            raise problems.unreachable(asked.what, "the registry names no token server") from error
        answer = await self._web.get(_with_headers(asked, login, url=url, limit=_MAX_TOKEN))
        if answer.status != _OK:
            raise problems.of_status(asked.what, answer.status, missing=_MISSING)
        try:
            body = orjson.loads(answer.body)
            token = body.get("token") or body["access_token"]
        except (ValueError, LookupError, AttributeError) as error:
            raise problems.unreachable(asked.what, "the registry's token server sent no token") from error
        return Secret(str(token))


def _with_headers(asked: Get, headers: Mapping[str, str], *, url: str = "", limit: int = 0) -> Get:
    return Get(
        url=url or asked.url,
        what=asked.what,
        limit=limit or asked.limit,
        share=asked.share,
        headers=headers,
        ca_crt=asked.ca_crt,
    )


def _api(chart: str) -> str:
    """Return where the API of a chart is: `oci://host/a/b` is `https://host/v2/a/b`."""
    host, _, name = chart.removeprefix(OCI).partition("/")
    if host == "docker.io":
        host = "registry-1.docker.io"
    return f"https://{host}/v2/{name}"


def _same_host(base: str, target: str) -> str:
    """Return the next page: its host is not the server's to choose."""
    parts = urlsplit(target)
    return urlsplit(base)._replace(path=parts.path, query=parts.query).geturl()


def _no_chart(what: str) -> Exception:
    return problems.not_found(
        what, "it is not a Helm chart", "Check the name: Helm charts are made by `helm push`."
    )
