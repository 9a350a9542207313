"""A server for the tests of Qdrant: ``python -m tests.qdrant_server PORT FOLDER [API_KEY]``.

No package registry has Qdrant's own server. This one speaks the part of its REST interface that the service calls, over
the local mode of Qdrant's client, which keeps points on disk, searches exactly and evaluates filters in Python. So it
shows what the adapter says and how it takes outages and restarts; it shows neither Qdrant's speed nor its HNSW.
CV_TEST_QDRANT_SERVER names the program of Qdrant itself where there is one (``tests/backends.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from qdrant_client import QdrantClient, models
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[[QdrantClient, str, Any], Any]


def _upsert(client: QdrantClient, name: str, body: Any) -> Any:
    return client.upsert(name, models.PointsList.model_validate(body).points)


def _query_batch(client: QdrantClient, name: str, body: Any) -> Any:
    return client.query_batch_points(name, models.QueryRequestBatch.model_validate(body).searches)


def _scroll(client: QdrantClient, name: str, body: Any) -> Any:
    asked = models.ScrollRequest.model_validate(body)
    points, following = client.scroll(
        name,
        scroll_filter=asked.filter,
        limit=asked.limit or 10,
        offset=asked.offset,
        with_payload=asked.with_payload or False,
        with_vectors=bool(asked.with_vector),
    )
    return {"points": points, "next_page_offset": following}


def _count(client: QdrantClient, name: str, body: Any) -> Any:
    return client.count(name, count_filter=models.CountRequest.model_validate(body).filter)


def _delete(client: QdrantClient, name: str, body: Any) -> Any:
    kind = models.PointIdsList if "points" in body else models.FilterSelector
    return client.delete(name, kind.model_validate(body))


def _create(client: QdrantClient, name: str, body: Any) -> Any:
    return client.create_collection(name, models.CreateCollection.model_validate(body).vectors)


def _change_aliases(client: QdrantClient, _name: str, body: Any) -> Any:
    return client.update_collection_aliases(models.ChangeAliasesOperation.model_validate(body).actions)


def _index(client: QdrantClient, name: str, _body: Any) -> Any:
    return {"operation_id": len(client.get_collection(name).payload_schema), "status": "completed"}


ROUTES: dict[tuple[str, str], Answer] = {
    ("GET", "/collections"): lambda client, _name, _body: client.get_collections(),
    ("GET", "/aliases"): lambda client, _name, _body: client.get_aliases(),
    ("POST", "/collections/aliases"): _change_aliases,
    ("GET", "/collections/{name}/exists"): lambda client, name, _body: {"exists": client.collection_exists(name)},
    ("PUT", "/collections/{name}"): _create,
    ("DELETE", "/collections/{name}"): lambda client, name, _body: client.delete_collection(name),
    ("PUT", "/collections/{name}/index"): _index,
    ("PUT", "/collections/{name}/points"): _upsert,
    ("POST", "/collections/{name}/points/query/batch"): _query_batch,
    ("POST", "/collections/{name}/points/scroll"): _scroll,
    ("POST", "/collections/{name}/points/count"): _count,
    ("POST", "/collections/{name}/points/delete"): _delete,
}


def create_app(client: QdrantClient, *, api_key: str) -> Starlette:
    """The server over an open client."""

    def endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            if api_key and request.headers.get("api-key") != api_key:
                return _problem(401, "Invalid API key")
            body = await request.json() if await request.body() else None
            try:
                result = answer(client, request.path_params.get("name", ""), body)
            except ValueError as error:  # what the local mode raises for a name that is taken or unknown
                return _problem(409 if "exists" in str(error) else 404, str(error))
            return JSONResponse({"time": 0.0, "status": "ok", "result": _plain(result)})

        return respond

    return Starlette(
        routes=[Route(path, endpoint(answer), methods=[method]) for (method, path), answer in ROUTES.items()]
    )


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"time": 0.0, "status": {"error": message}}, status_code=status)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def main() -> None:
    port, folder, *key = sys.argv[1:]
    client = QdrantClient(path=folder)
    try:
        uvicorn.run(create_app(client, api_key="".join(key)), host="127.0.0.1", port=int(port), log_level="warning")
    finally:
        client.close()


if __name__ == "__main__":
    main()
