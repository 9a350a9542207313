"""How a service is reached."""

from __future__ import annotations

import httpx

from cv_service_client.generated.client import AuthenticatedClient
from cv_service_client.transport import AsyncRetryingTransport, Limits, RetryingTransport


def connect(
    base_url: str,
    api_key: str = "",
    *,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    verify: bool | str = True,
    transport: httpx.BaseTransport | None = None,
    async_transport: httpx.AsyncBaseTransport | None = None,
) -> AuthenticatedClient:
    """A client for every operation, ``sync`` and ``asyncio`` alike. Connections are made when they are needed.

    ``with connect(…) as client`` closes those of ``sync``, ``async with`` those of ``asyncio``.

    Args:
        base_url: such as ``https://cv.hotel.example``.
        api_key: sent as ``X-API-Key``; none where the service asks for none.
        verify: False or a file of certificates, for a service whose certificate no public authority signed.
        transport: in the place of HTTP, for tests.
        async_transport: likewise.
    """
    headers = {"X-API-Key": api_key} if api_key else {}
    client = AuthenticatedClient(base_url=base_url, token=api_key)
    # Redirects are not followed: they would hand the key on to another host.
    inner = transport or httpx.HTTPTransport(verify=verify)
    client.set_httpx_client(
        httpx.Client(
            base_url=base_url, headers=headers, timeout=limits.timeout_s, transport=RetryingTransport(inner, limits)
        )
    )
    async_inner = async_transport or httpx.AsyncHTTPTransport(verify=verify)
    client.set_async_httpx_client(
        httpx.AsyncClient(
            base_url=base_url,
            headers=headers,
            timeout=limits.timeout_s,
            transport=AsyncRetryingTransport(async_inner, limits),
        )
    )
    return client
