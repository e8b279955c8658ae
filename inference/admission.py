"""Who may come in: a request's host, origin and token, judged. Pure: words in, nothing or an error out.

The server asks before it takes a large body, and the app before it answers anything: both ask an
`Admission`, so that they cannot disagree. What a host or an origin may be is `hosts.py`'s.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from inference.errors import CrossSite, NotLoggedIn
from inference.hosts import check_host, is_own, shown

PAGES = frozenset({"/", "/text", "/login", "/docs"})
"""What another site may lead a browser to: a page that starts nothing by itself."""
OPEN = frozenset(
    {"/login", *(f"/static/{name}" for name in ("icon.svg", "login.js", "style.css", "theme.js"))}
)
"""What needs no token: the way to log in."""
_READING = ("GET", "HEAD")


@dataclass(frozen=True)
class Asked:
    """What of a request decides whether it may come in; "" for a header that was not sent."""

    method: str
    path: str
    host: str | None = None
    origin: str = ""
    fetch_site: str = ""
    fetch_mode: str = ""
    accept: str = ""
    preflight: str = ""
    """The method that a browser asks about before it sends the request itself."""
    authorization: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)

    @classmethod
    def of(cls, method: str, path: str, header: Callable[[str], str | None]) -> Asked:
        """From a method, a decoded path, and what gives a header by its name."""
        return cls(
            method,
            path,
            header("Host"),
            header("Origin") or "",
            header("Sec-Fetch-Site") or "",
            header("Sec-Fetch-Mode") or "",
            header("Accept") or "",
            header("Access-Control-Request-Method") or "",
            header("Authorization") or "",
            header("Cookie") or "",
        )

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks what it may send from another site; that never carries a token."""
        return self.method == "OPTIONS" and bool(self.origin) and bool(self.preflight)

    @property
    def wants_page(self) -> bool:
        """Whether a person waits for it, in a browser's window."""
        return self.method == "GET" and "text/html" in self.accept


@dataclass(frozen=True)
class Admission:
    """Whom one start of the program lets in: hosts by `names`, other sites by `origins`, people by `token`.

    `token` is None where no login is asked for. `session` is what the cookie holds after a login: a secret
    of this start, so that the cookie does not tell the token.
    """

    names: frozenset[str]
    origins: frozenset[str]
    token: str | None = field(repr=False)
    session: str = field(repr=False)

    def check(self, asked: Asked) -> None:
        """Raise RequestError or WrongHost, CrossSite, or NotLoggedIn if it may not come in."""
        check_host(asked.host, self.names)
        self._check_site(asked)
        if not (self.token is None or asked.is_preflight or asked.path in OPEN or self.knows(asked)):
            raise NotLoggedIn(
                "Log in first, at /login, or send the token in the header Authorization: Bearer. The program "
                "printed it when it started, or was given it (--token)."
            )

    def lets_in(self, origin: str) -> bool:
        """Whether pages of that origin may read what is answered."""
        return origin in self.origins

    def knows(self, asked: Asked) -> bool:
        """Whether the request has the token, or the cookie of a login."""
        scheme, _, given = asked.authorization.partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return any(same(value, self.session) for value in _cookies(asked.cookie, cookie_name(asked.host)))

    def is_token(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self.token is not None and same(given, self.token)

    def _check_site(self, asked: Asked) -> None:
        own = is_own(asked.origin, asked.host or "")
        if self.lets_in(asked.origin) or (asked.origin and own):
            return
        if asked.origin:
            raise CrossSite(
                f"A page of another site, {shown(asked.origin)}, asked for this, and is not let in. If it is "
                "yours, start the program with --cors-origin and that address."
            )
        leads_here = asked.method in _READING and asked.fetch_mode == "navigate" and asked.path in PAGES
        if asked.fetch_site in ("cross-site", "same-site") and not leads_here:
            raise CrossSite(
                "A page of another site asked for this, and is not let in: begin at this one's /."
            )


def cookie_name(host: str | None) -> str:
    """The cookie's name. It has the port in it, since browsers share cookies between a host's ports."""
    port = (host or "").rpartition("]")[2].rpartition(":")[2] if ":" in (host or "") else ""
    return f"inference-{port}" if port.isascii() and port.isdigit() else "inference"


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that tells neither where they differ nor their lengths."""
    return hmac.compare_digest(_digest(one), _digest(other))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _cookies(header: str, name: str) -> list[str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [value.strip('"') for key, _, value in pairs if key == name]
