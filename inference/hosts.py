"""Names of hosts and origins: which are this program's own, and what makes sense as one. Pure: words only.

A page of another site can have its own name resolve to this machine (DNS rebinding): to the browser it
then is of the same site. The header Host still holds its name, so only names that are known are served.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from inference.errors import RequestError, WrongHost

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|[\w.~-]+)(?::\d{0,5})?", re.ASCII)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_host(host: str | None, names: frozenset[str]) -> None:
    """Raise RequestError if the header Host is missing or malformed, WrongHost if it names another.

    Accepted are `names` (lower case), localhost with all below it, and addresses. 421 is what RFC 9110 has
    for a request to a host that a server is not there for; 400 is what RFC 9112 asks for without one.
    """
    name = name_of(host)
    if not (name in names or name == "localhost" or name.endswith(".localhost") or _is_address(name)):
        raise WrongHost(
            f"This program is not served under the name {shown(name)}. If that is its name, start it with "
            f"--allow-host {name[:80]}"
        )


def name_of(host: str | None) -> str:
    """The name or address in a header Host, in lower case; RequestError if there is none."""
    found = _HOST.fullmatch(host or "")
    if found is None:
        raise RequestError("The request has no header Host, more than one, or one that names no host.")
    return found["name"].lower().removesuffix(".")


def _is_address(name: str) -> bool:
    """Whether it is an address that a browser counts as what it is.

    0.0.0.0 and ::ffff:127.0.0.1 reach this machine too, but a browser takes them for a foreign one, and
    leaves out the headers that tell of another site.
    """
    address = address_in(name)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return False
    return address is not None and not address.is_unspecified


def address_in(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a name is, in brackets or not."""
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reached from its own machine alone."""
    address = address_in(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def is_wildcard(host: str) -> bool:
    """Whether a server bound to `host` is reached under every address of its machine."""
    address = address_in(host)
    return host == "" or (address is not None and address.is_unspecified)


def is_own(origin: str, host: str) -> bool:
    """Whether an origin is the site that the header Host names.

    Its scheme is not looked at: behind a proxy that speaks https, the program sees http.
    """
    scheme, separator, place = origin.lower().partition("://")
    return bool(separator) and scheme in _DEFAULT_PORTS and bool(host) and place == host.lower()


def origin_in(text: str) -> str:
    """An origin as browsers write it; ValueError, with a sentence, if the text is none, or more than one."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(_no_origin(text)) from None
    place = f"{parts.scheme}://{parts.netloc}"
    exact = text.lower().removesuffix("/") == place.lower() and parts.scheme in _DEFAULT_PORTS
    if not exact or parts.username is not None or not (_is_name(host) or address_in(host)):
        raise ValueError(_no_origin(text))
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")


def _no_origin(text: str) -> str:
    return f"{shown(text)} is no origin, such as https://example.org or http://lab:8080"


def host_in(text: str) -> str:
    """A host's name in lower case, without a port; ValueError if the text is none."""
    name = text.lower().removesuffix(".")
    if not (_is_name(name) or address_in(name)):
        raise ValueError(f"{shown(text)} is no host's name, such as lab.example.org (without a port)")
    return name


def _is_name(text: str) -> bool:
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


def shown(text: str) -> str:
    """A word of a request as a sentence may show it: one line, not long."""
    clean = "".join(char if char.isprintable() else "�" for char in text)
    return repr(clean if len(clean) <= 80 else clean[:80] + "…")
