"""Files by address, from releases and from the Hugging Face hub or a mirror of it."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from contextlib import AbstractContextManager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.parse import quote

from scripts.models.errors import PreparationError
from scripts.models.progress import Progress

TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 18


def hub_commit(repository: str) -> str:
    """The commit that ``owner/name@revision`` stands at now; the revision defaults to ``main``.

    Raises:
        PreparationError: the hub does not answer, or does not know it.
    """
    name, _, revision = repository.partition("@")
    address = f"{_hub_endpoint()}/api/models/{name}/revision/{quote(revision or 'main', safe='')}"
    try:
        with _open(address) as answer:
            return str(json.load(answer)["sha"])
    except (ValueError, KeyError, TypeError) as error:
        raise PreparationError(f"{address} did not tell the commit of {repository}") from error


def hub_address(repository: str, commit: str, member: str) -> str:
    """The address of a file of ``owner/name`` at a commit."""
    return f"{_hub_endpoint()}/{repository.partition('@')[0]}/resolve/{commit}/{quote(member)}"


def download(address: str, target: Path, progress: Progress) -> None:
    """Write the file at an address, following redirects.

    Raises:
        PreparationError: no answer in time, a refusal, or fewer bytes than announced.
    """
    try:
        with _open(address) as answer, target.open("wb") as sink:
            expected_bytes = int(answer.headers.get("Content-Length") or 0)
            written_bytes = 0
            while block := answer.read(BLOCK_BYTES):
                written_bytes += sink.write(block)
                progress.transferred(written_bytes, expected_bytes)
    except (OSError, HTTPException) as error:
        raise PreparationError(f"{address} broke off: {error}") from error
    if expected_bytes and written_bytes != expected_bytes:
        raise PreparationError(f"{address} broke off after {written_bytes} of {expected_bytes} bytes")


def _hub_endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _open(address: str) -> AbstractContextManager[HTTPResponse]:
    # The manifest only knows https; another scheme can only come from the operator's own HF_ENDPOINT.
    request = urllib.request.Request(address, headers={"User-Agent": "cv-service-models"})  # noqa: S310
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, too
        raise PreparationError(f"{address} answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise PreparationError(f"{address} could not be fetched: {reason}") from error
    return cast(AbstractContextManager[HTTPResponse], answer)
