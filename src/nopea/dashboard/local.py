"""Who may use `nopea ui`: whoever has the one-time token that its user has got, and then this browser only.

The token in the address is exchanged once for a cookie that no script and no other site can use. It is worth
as much as the user's kubeconfig while `nopea ui` runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from aiohttp import web

from nopea.core.objects import RepoKey, Resource
from nopea.dashboard.guard import RefusedRequestError

TOKEN = "token"
_AGAIN = (
    "Open the address that `nopea ui` has printed. It works for one browser: for another, "
    "start `nopea ui` again."
)


class LocalViewer:
    """The user, who sees what their kubeconfig lets them see: the source has nothing else."""

    def __init__(self, csrf: str) -> None:
        self.name = ""
        self.csrf = csrf
        self.logout = False

    async def visible(self, namespaces: Collection[str]) -> Collection[str]:
        """Return all of them."""
        return namespaces

    async def may_get(self, key: RepoKey, *, exists: bool) -> bool:
        """Return True."""
        del key, exists
        return True

    async def may_list(self, resource: Resource, namespace: str) -> bool:
        """Return True: the source asks the API server as the user."""
        del resource, namespace
        return True


class LocalGate:
    """One session of one browser."""

    def __init__(self) -> None:
        self._token: str | None = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._cookie = f"nopea-ui-{secrets.token_hex(4)}"  # cookies of one host are shared by its ports
        self._viewer = LocalViewer(secrets.token_urlsafe(32))

    def address(self, port: int) -> str:
        """Return the address that works once."""
        return f"http://127.0.0.1:{port}/?{TOKEN}={self._token}"

    async def admit(self, request: web.Request) -> LocalViewer:
        """Return the user. Raises RefusedRequestError, or HTTPSeeOther when the token is exchanged."""
        if _same(request.cookies.get(self._cookie, ""), self._session):
            return self._viewer
        given = request.query.get(TOKEN, "")
        if self._token is None or not _same(given, self._token):
            raise RefusedRequestError(403, "This browser is not known to `nopea ui`.", _AGAIN)
        if request.path != "/" or request.method != "GET":
            raise RefusedRequestError(403, "The token is exchanged at `/` only.", _AGAIN)
        self._token = None
        redirect = web.HTTPSeeOther("/")
        redirect.set_cookie(self._cookie, self._session, httponly=True, samesite="Lax", path="/")
        raise redirect


def _same(given: str, secret: str) -> bool:
    """Return whether they are the same, in constant time; a header may hold bytes that are not text."""
    return secrets.compare_digest(given.encode(errors="surrogateescape"), secret.encode())
