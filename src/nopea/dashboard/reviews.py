"""Who may look at the controller's dashboard: the cluster says who they are, and what they may read.

Each request needs a bearer token, in its Authorization header (from a proxy) or in the cookie of the login
page. The API server checks it by a TokenReview, and each namespace by a SubjectAccessReview. Answers are kept
for `REMEMBER_SECONDS` and bounded, and only those about what exists: nothing that a visitor invents is kept.
Tokens are not kept, only their hashes. A question that several requests have at once is asked once.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from aiohttp import web
from cachetools import LRUCache, TTLCache

from nopea import tasks
from nopea.core.objects import RepoKey, Resource
from nopea.core.secret import Secret
from nopea.dashboard.forms import form_of
from nopea.dashboard.guard import RefusedRequestError, local_page
from nopea.dashboard.source import DashboardError
from nopea.kube.access import ClusterUser, Permission, is_allowed, user_of
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.kinds import GIT_REPOSITORIES

COOKIE: Final = "nopea-dashboard"
REMEMBER_SECONDS: Final = 60.0
"""How long an answer of the cluster counts: a right that was taken away ends within this time."""

MOST_SESSIONS: Final = 1_000
MOST_ANSWERS: Final = 4_096
MOST_REVIEWS: Final = 8
"""Reviews that are asked at once for users whom the cluster has known before."""

MOST_STRANGERS: Final = 2
"""Reviews of other tokens at once. Each that fails takes `FAILURE_SECONDS`, so that guessing is slow."""

FAILURE_SECONDS: Final = 0.1
MOST_WAITING: Final = 100
"""Reviews that may wait; with more, requests are answered with 503."""

MOST_WAITING_OF_ONE: Final = 50
"""Of one token, so that one visitor cannot keep all others waiting."""

REVIEW_SECONDS: Final = 10.0
VISIBLE_SECONDS: Final = 20.0
"""For all namespaces together."""

LONGEST_COOKIE: Final = 3_800
"""Browsers drop longer cookies."""

LONGEST_TOKEN: Final = 16_384
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=:-]+")
_BEARER: Final = "bearer "
_LOG_IN: Final = "Log in with a token that the cluster accepts, such as that of `kubectl create token NAME`."


@dataclass(slots=True)
class _Session:
    """What the cluster has said about one token that it accepts; `digest` is the hash of the token."""

    digest: bytes
    user: ClusterUser
    answers: LRUCache[Permission, bool] = field(default_factory=lambda: LRUCache(MOST_ANSWERS))


class ClusterGate:
    """Admits whom the cluster knows."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._sessions: TTLCache[bytes, _Session] = TTLCache(
            MOST_SESSIONS, REMEMBER_SECONDS, timer=time.monotonic
        )
        self._good: LRUCache[bytes, bool] = LRUCache(MOST_SESSIONS)
        self._known = _Slots(MOST_REVIEWS)
        self._strangers = _Slots(MOST_STRANGERS)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the login page."""
        return [web.post("/login", self._log_in), web.post("/logout", self._log_out)]

    async def admit(self, request: web.Request) -> ReviewedViewer:
        """Return who asks. Raises RefusedRequestError, with 401 for who is not known; DashboardError."""
        header = request.headers.get("Authorization", "")
        if header[: len(_BEARER)].lower() == _BEARER:
            return await self._viewer(header[len(_BEARER) :].strip())
        token = request.cookies.get(COOKIE, "")
        if header or not token:
            raise _unknown("The dashboard shows you what the cluster lets you read.")
        return await self._viewer(token, logout=True)

    async def may(self, session: _Session, question: Permission, *, exists: bool) -> bool:
        """Return whether a user may do something; the cluster is asked if it has not said so lately.

        About a single object, only a yes about one that exists is remembered: names are not invented to fill
        the memory, and a no takes as long as an answer about what does not exist.
        """
        if (known := session.answers.get(question)) is not None:
            return known
        async with self._known.one(session.digest, question):
            if (known := session.answers.get(question)) is not None:
                return known
            answer = await is_allowed(self._client, question, to=session.user)
            if exists and (answer or not question.name):
                session.answers[question] = answer
        return answer

    async def _viewer(self, token: str, *, logout: bool = False) -> ReviewedViewer:
        session = await self._session(token)
        if session is None:
            raise _unknown("The cluster does not accept this token, or it has expired.")
        return ReviewedViewer(self, session, logout=logout)

    async def _session(self, token: str) -> _Session | None:
        if not token or len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._sessions.get(digest)) is not None:
            return known
        async with (self._known if digest in self._good else self._strangers).one(digest):
            if (known := self._sessions.get(digest)) is not None:
                return known
            user = await user_of(self._client, Secret(token))
            if user is None:
                self._good.pop(digest, None)
                await asyncio.sleep(FAILURE_SECONDS)
                return None
            self._good[digest] = True
            self._sessions[digest] = session = _Session(digest, user)
        return session

    async def _log_in(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        token, next_page = form.get("token", "").strip(), local_page(form.get("next", ""))
        try:
            await self._viewer(token)
        except RefusedRequestError as error:
            error.next_page = next_page
            raise
        if len(token) > LONGEST_COOKIE:
            raise RefusedRequestError(
                400,
                "The token is too long for a cookie.",
                "Put a proxy in front that sends it in the Authorization header, or use `nopea ui`.",
            )
        redirect = web.HTTPSeeOther(next_page)
        # Secure: the token must not cross a network in the clear. Browsers make an exception for localhost.
        # Lax: a link in a chat leads to its page; what changes something needs a form of the page itself.
        redirect.set_cookie(COOKIE, token, httponly=True, secure=True, samesite="Lax", path="/")
        raise redirect

    async def _log_out(self, request: web.Request) -> web.Response:
        del request
        redirect = web.HTTPSeeOther("/")
        redirect.set_cookie(COOKIE, "", max_age=0, httponly=True, secure=True, samesite="Lax", path="/")
        raise redirect


class _Slots:
    """Bounds how many reviews run at once and how many wait; the same one is never asked twice at once."""

    def __init__(self, most: int) -> None:
        self._slots = asyncio.Semaphore(most)
        self._waiting: Counter[bytes] = Counter()
        self._asked: WeakValueDictionary[tuple[bytes, Permission | None], asyncio.Lock] = (
            WeakValueDictionary()
        )

    @asynccontextmanager
    async def one(self, token: bytes, question: Permission | None = None) -> AsyncIterator[None]:
        """Hold a slot for one review; whoever has waited for the same one finds its answer in the memory.

        Raises DashboardError, also when too many wait.
        """
        if self._waiting.total() >= MOST_WAITING or self._waiting[token] >= MOST_WAITING_OF_ONE:
            raise DashboardError("Too many visitors wait.", "Try again in a moment.")
        self._waiting[token] += 1
        asked = self._asked.setdefault((token, question), asyncio.Lock())
        try:
            async with asyncio.timeout(REVIEW_SECONDS), asked, self._slots:
                yield
        except ApiError as error:
            raise DashboardError(
                "The API server does not say now who may see what.",
                "Try again. If it stays so, check that Nopea may create TokenReviews and "
                "SubjectAccessReviews: deploy/dashboard grants that.",
            ) from error
        except TimeoutError as error:
            raise _silent() from error
        finally:
            self._waiting[token] -= 1
            if not self._waiting[token]:
                del self._waiting[token]


class ReviewedViewer:
    """A user of the cluster, who may read what it lets them read, and do nothing."""

    csrf = ""

    def __init__(self, gate: ClusterGate, session: _Session, *, logout: bool) -> None:
        self._gate = gate
        self._session = session
        self.name = session.user.username
        self.logout = logout

    async def visible(self, namespaces: Collection[str]) -> Collection[str]:
        """Return the namespaces whose GitRepositories the user may list: all, or each that is asked."""
        if await self._may("list", GIT_REPOSITORIES):
            return namespaces
        seen: set[str] = set()

        async def ask(namespace: str) -> None:
            if await self._may("list", GIT_REPOSITORIES, namespace):
                seen.add(namespace)

        try:
            async with asyncio.timeout(VISIBLE_SECONDS):
                await tasks.for_each(sorted(namespaces), ask, limit=MOST_REVIEWS, name="review")
        except TimeoutError as error:
            raise _silent() from error
        except ExceptionGroup as group:
            first = group.exceptions[0]
            if isinstance(first, DashboardError):
                raise first from group
            raise
        return seen

    async def may_get(self, key: RepoKey, *, exists: bool) -> bool:
        """Return whether the user may read this one."""
        return await self._may("get", GIT_REPOSITORIES, key.namespace, key.name, exists=exists)

    async def may_list(self, resource: Resource, namespace: str) -> bool:
        """Return whether the user may list the objects of a kind in a namespace."""
        return await self._may("list", resource, namespace)

    async def _may(
        self, verb: str, resource: Resource, namespace: str = "", name: str = "", *, exists: bool = True
    ) -> bool:
        question = Permission(
            verb=verb, group=resource.group, resource=resource.plural, namespace=namespace, name=name
        )
        return await self._gate.may(self._session, question, exists=exists)


def _unknown(message: str) -> RefusedRequestError:
    return RefusedRequestError(401, message, _LOG_IN, login=True)


def _silent() -> DashboardError:
    return DashboardError("The API server does not answer in time.", "Try again.")
