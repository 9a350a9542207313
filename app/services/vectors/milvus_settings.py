"""How Milvus is asked: its client's options, and how a collection is indexed and searched."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import grpc
from pymilvus import MilvusException

# Some calls of the client let gRPC's own errors through.
FAILURES = (MilvusException, grpc.RpcError)

GRPC_OPTIONS = {
    # The client's default pings every ten seconds; servers with gRPC's default policy, Milvus Lite among them, answer
    # "too many pings" and drop the connection. Every call has a time limit of its own, so pings find nothing new.
    "grpc.keepalive_time_ms": 600_000,
    "grpc.keepalive_permit_without_calls": False,
    # A client that is made in place of another must not get that one's dead connection from gRPC.
    "grpc.use_local_subchannel_pool": 1,
    # After an outage, look again soon.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
}

_EF_SEARCH = 128
_LISTS = 128


class MilvusIndexKind(StrEnum):
    """How a collection is searched.

    ``HNSW`` is the spec's, for a Milvus server. ``EXACT`` looks into every inverted list, and so at every row: the
    choice for Milvus Lite, whose HNSW takes minutes to rebuild after a compaction and under filters finds only 80 to
    95 % of the ten nearest. Looking at all of 100 000 rows costs it 0.1 s, most of which any search costs there.
    """

    HNSW = "HNSW"
    EXACT = "EXACT"

    def build_params(self) -> dict[str, Any]:
        """For ``add_index``."""
        if self is MilvusIndexKind.EXACT:
            return {"index_type": "IVF_FLAT", "metric_type": "COSINE", "params": {"nlist": _LISTS}}
        return {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16, "efConstruction": 200}}

    def search_params(self, limit: int) -> dict[str, int]:
        """How much to look at for ``limit`` hits."""
        return {"nprobe": _LISTS} if self is MilvusIndexKind.EXACT else {"ef": max(_EF_SEARCH, limit)}
