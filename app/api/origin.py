"""Whether a browser says that another site's page makes a request."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers

_SAFE = ("GET", "HEAD", "OPTIONS")


def split_address(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none, such as one with half a pair of brackets."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def is_foreign(headers: Headers) -> bool:
    """Whether ``Origin`` or ``Sec-Fetch-Site`` names another site than ``Host``. Programs send neither."""
    host = split_address(f"//{headers.get('host', '')}")
    origin = headers.get("origin")
    site = split_address(origin) if origin is not None else host
    if host is None or site is None or site.netloc != host.netloc:
        return True
    return headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def is_our_page(method: str, headers: Headers) -> bool:
    """Whether a cookie may speak for a request. What changes something has to say where it comes from, which a browser
    does whenever it sends one."""
    says = "origin" in headers or headers.get("sec-fetch-site") == "same-origin"
    return not is_foreign(headers) and (method in _SAFE or says)
