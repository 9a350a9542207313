"""Milvus Lite behind a password: ``python -m scripts.local.milvus_server --data-dir DIR --port PORT``.

Its own command asks for none, so that every account of the machine could read and write the vectors. It has no unix
socket either: its clients take only http(s) addresses. So its server is started here, with a check before every call.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from pymilvus.grpc_gen import milvus_pb2_grpc

from scripts.local.milvus import PASSWORD_VARIABLE, USER
from scripts.local.ports import LOOPBACK

_WORKERS = 10
_MAX_MESSAGE_BYTES = 256 * 2**20  # as Milvus Lite's own command has it
_STOP_TIMEOUT_S = 5.0


class PasswordCheck(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Refuses calls without the user's name and password, in Milvus' spelling: both in base64."""

    def __init__(self, password: str) -> None:
        self._expected = base64.b64encode(f"{USER}:{password}".encode())
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(
        self,
        continuation: Callable[[Any], Any],
        handler_call_details: Any,  # noqa: ANN401  # grpc has no types
    ) -> Any:  # noqa: ANN401
        """The handler of a call."""
        given = dict(handler_call_details.invocation_metadata).get("authorization", "")
        given = given.encode() if isinstance(given, str) else given
        return continuation(handler_call_details) if hmac.compare_digest(given, self._expected) else self._refusal


def _refuse(_request: object, context: Any) -> None:  # noqa: ANN401  # grpc has no types
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "the password is missing or wrong")


def main() -> None:
    """Serve until SIGINT, on which it closes its files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    database = MilvusLite(options.data_dir)
    sizes = [(f"grpc.max_{way}_message_length", _MAX_MESSAGE_BYTES) for way in ("receive", "send")]
    server = grpc.server(
        ThreadPoolExecutor(_WORKERS), interceptors=[PasswordCheck(os.environ[PASSWORD_VARIABLE])], options=sizes
    )
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    server.add_insecure_port(f"{LOOPBACK}:{options.port}")
    try:
        server.start()
        server.wait_for_termination()
    except KeyboardInterrupt:
        pass  # how it is asked to stop
    finally:
        server.stop(grace=_STOP_TIMEOUT_S).wait()
        database.close()


if __name__ == "__main__":
    main()
