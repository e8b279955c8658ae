"""The guard: asks of every request whether it may come in, and gives every answer its security headers.

What may come in is decided by `inference.admission`; here is only where Flask and the server ask it.
"""

from __future__ import annotations

import secrets
import socket
from http import HTTPStatus

from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue

from inference.admission import PAGES, Admission, Asked
from inference.errors import InferenceError, NotLoggedIn, RequestError, TooLarge
from inference.hosts import is_loopback, is_wildcard, shown
from inference.settings import Settings

SMALL = 64 * 1024
"""Bytes that the body of a request may have, unless it is a video from somebody who may come in."""
LONGEST = 1000
"""Characters of a parameter: more than any file system's names have."""
MOST = 100
"""Parameters of a request."""
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    # Plotly adds style elements of its own, which differ from version to version; they cannot run anything.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
SECURITY = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    # not no-referrer: a browser would hide the origin of the login form from the site's own server
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # for allowed origins as well: what they fetch by CORS is not subject to it
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "Content-Disposition, Retry-After"


class Guard:
    """What one start of the program lets in, and what it says with every answer."""

    def __init__(self, settings: Settings) -> None:
        """ValueError if others can reach the host and nothing keeps them out."""
        if settings.token is None and not is_loopback(settings.host):
            raise ValueError("a host that others can reach needs a token")
        own = set() if is_wildcard(settings.host) else {settings.host.lower()}
        names = {*own, *settings.allow_hosts, *_machine_names()}
        self.admission = Admission(
            frozenset(names - {""}),
            frozenset(settings.cors_origins),
            settings.token,
            secrets.token_urlsafe(32),
        )
        self.settings = settings

    def headers(self, origin: str) -> dict[str, str]:
        """Headers of an answer to a page of that origin ("" for none that is known)."""
        if not self.settings.cors_origins:
            return SECURITY
        if not self.admission.lets_in(origin):
            return {**SECURITY, "Vary": "Origin"}
        return {
            **SECURITY,
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
        }

    def largest_body(self, asked: Asked) -> int:
        """Bytes of a body that are taken at all, which is decided before any of it is read."""
        return self.settings.upload_bytes if self._is_upload(asked) else SMALL

    def check(self, asked: Asked, length: int) -> None:
        """Raise what the admission raises, or TooLarge for a body of `length` bytes that is no video."""
        self.admission.check(asked)
        if length > SMALL and not self._is_upload(asked):
            raise TooLarge(
                f"More than {SMALL // 1024} KB is taken only as a video, by POST /videos, from somebody who "
                "is logged in."
            )

    def _is_upload(self, asked: Asked) -> bool:
        if (asked.method, asked.path) != ("POST", "/videos"):
            return False
        try:
            self.admission.check(asked)
        except InferenceError:
            return False
        return True


def guard_of(app: Flask) -> Guard:
    """The guard that `add_guard` gave to the app."""
    guard = app.extensions["guard"]
    assert isinstance(guard, Guard)  # noqa: S101
    return guard


def asked_now() -> Asked:
    """The request that is being answered, as the guard judges it."""
    return Asked.of(request.method, request.path, request.headers.get)


def add_guard(app: Flask, settings: Settings) -> None:
    """Have every request judged before anything else looks at it, and every answer given its headers."""
    guard = app.extensions["guard"] = Guard(settings)

    @app.before_request
    def judge() -> ResponseReturnValue | None:
        asked = asked_now()
        try:
            guard.check(asked, request.content_length or 0)
        except NotLoggedIn:
            if asked.wants_page:
                return redirect(_login_before(asked.path), HTTPStatus.SEE_OTHER)
            raise
        if asked.is_preflight:
            return Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
        _check_query()
        return None

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in guard.headers(request.headers.get("Origin", "")).items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def with_query(path: str) -> str:
    """A path of this site with the query of the request, so that a login leads on to what was asked for."""
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def page_asked_for() -> str:
    """The page that a login leads on to, with its query: the one that its `page` names, else the first."""
    path = f"/{request.args.get('page', '')}"
    return with_query(path if path in PAGES - {"/login"} else "/")


def _login_before(path: str) -> str:
    login = with_query("/login")
    if path not in PAGES - {"/"}:
        return login
    return f"{login}{'&' if '?' in login else '?'}page={path.removeprefix('/')}"


def _check_query() -> None:
    pairs = list(request.args.items(multi=True))
    if len(pairs) > MOST:
        raise RequestError(f"The request has {len(pairs)} parameters; at most {MOST} are read.")
    for name, value in pairs:
        if len(name) > LONGEST or len(value) > LONGEST:
            raise RequestError(f"The parameter {shown(name)} is longer than {LONGEST} characters.")


def _machine_names() -> set[str]:
    """The names that others call this machine by: its own, without a domain, and on the local network."""
    name = socket.gethostname().lower().removesuffix(".")
    short = name.partition(".")[0]
    return {name, short, f"{short}.local"}
