"""What every answer of the dashboard has, and which requests are refused before anything is looked at.

A strict Content-Security-Policy allows no inline script or style. The Host header must be a known name, so
that no other name can be bound to this address (DNS rebinding); no other site may send requests.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from nopea.dashboard.pages.render import NO_SITE, SiteMessage, message_page
from nopea.dashboard.source import DashboardError

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send forms without their origin
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Vary": "Authorization, Cookie",
}

RETRY_SECONDS: Final = 5
LONGEST_PAGE: Final = 2_000


class RefusedRequestError(DashboardError):
    """A request that is not answered: `status` is the HTTP status.

    With `login`, a token is asked for, with which the visitor gets to the page `next`.
    """

    def __init__(
        self, status: int, message: str, hint: str = "", *, login: bool = False, next_page: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.login = login
        self.next_page = next_page


def host_of(header: str) -> str:
    """Return the host of a Host header without its port, in lower case; empty if there is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def guard(hosts: Collection[str]) -> Middleware:
    """Return the middleware that checks requests and adds the headers, also to errors."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check(request, hosts)
            response = await handler(request)
        except RefusedRequestError as error:
            wanted = error.next_page or (request.path_qs if request.method == "GET" else "")
            response = _error(request, error.status, error, login=error.login, wanted=wanted)
            if error.login:
                response.headers["WWW-Authenticate"] = "Bearer"
        except DashboardError as error:
            response = _error(request, 503, error, again=True)
            response.headers["Retry-After"] = str(RETRY_SECONDS)
        except web.HTTPException as error:
            if error.status < 400:
                harden(error)
                raise
            told = DashboardError(f"{error.reason}.", "Go back to the overview: it is at `/`.")
            response = _error(request, error.status, told)
        if not response.prepared:
            harden(response)
        return response

    return guarded


def harden(response: web.StreamResponse) -> None:
    """Add the headers that every answer has; those that it has already stay."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "nopea"


def local_page(address: str) -> str:
    """Return the page of this site that an address names; the overview if it is one of another site.

    Browsers take a backslash for a slash, and leave out tabs and line breaks.
    """
    is_local = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_local and address.isprintable() and len(address) <= LONGEST_PAGE else "/"


def _error(
    request: web.Request,
    status: int,
    error: DashboardError,
    *,
    login: bool = False,
    wanted: str = "",
    again: bool = False,
) -> web.Response:
    """Return the answer to a request that failed: JSON to programs, a page to people."""
    if request.path.startswith("/api/"):
        return web.json_response({"message": error.message, "hint": error.hint}, status=status)
    title = "Log in" if login else "Not shown"
    message = SiteMessage(
        title=title,
        text=error.message,
        hint=error.hint,
        login=login,
        next_page=local_page(wanted),
        again=again and request.method == "GET",
    )
    return web.Response(text=message_page(NO_SITE, message), status=status, content_type="text/html")


def _check(request: web.Request, hosts: Collection[str]) -> None:
    """Refuse an unknown host and requests that another site has caused, except links to pages."""
    host = request.headers.get("Host", "")
    if host_of(host) not in hosts:
        raise RefusedRequestError(421, "The dashboard does not answer under this name.")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        raise RefusedRequestError(403, "The request comes from another site.")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in ("same-origin", "none") and not is_link:
        raise RefusedRequestError(403, "The request comes from another site.")
    if request.method == "POST" and origin is None:
        raise RefusedRequestError(403, "A request that changes something must say which page it comes from.")
