"""The document: every operation under both prefixes, with each contract's own envelope.

Lives here: putting it together. Does not: what is told (the files beside it).

FastAPI contributes the routes, their parameters and which of them need a key.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from aila_pipeline.api.documentation import answers, examples
from aila_pipeline.api.documentation.operations import OPERATIONS, Operation
from aila_pipeline.api.documentation.refusals import SCHEMAS, refusals
from aila_pipeline.api.documentation.requests import Json
from aila_pipeline.api.envelopes import Contract, contract_of

_ABOUT = """Bulk phone calls in, transcripts, insights and quality scores out.

Every address is served under `/api/v1` and `/v1`, by the same handlers. Only the envelope differs: `/api/v1` answers
`{"status": "success", "data": …}`, `/v1` answers `{"success": true, …}`. Each answer has a header `X-Request-Id`; one
of your own is taken if it has 1 to 64 letters, digits, `.`, `_` or `-`."""

_PREFIXES = ("/api/v1", "/v1")
_TEMPLATE = "#/components/schemas/{model}"

_IDEMPOTENCY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the same key and request again, within a day: the first answer again, nothing is done twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_HEADERS: dict[str, Json] = {
    "X-Request-Id": {"schema": {"type": "string"}, "description": "to be named in a report", "required": True},
    "Idempotent-Replayed": {"schema": {"type": "string", "enum": ["true"]}, "description": "this is the first answer"},
    "ETag": {"schema": {"type": "string"}, "required": True},
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": "all limits"},
    "RateLimit-Limit": {"schema": {"type": "integer"}, "description": "the tightest of them"},
    "RateLimit-Remaining": {"schema": {"type": "integer"}},
    "RateLimit-Reset": {"schema": {"type": "integer"}, "description": "seconds"},
}
_PLACES: dict[str, Json] = {
    "batch_id": {"description": "as its submission was answered", "example": examples.BATCH["batch_id"]},
    "call_id": {"description": "`id` of a list of calls, `aila_call_id` of a batch", "example": examples.CALL["id"]},
    "contact_id": {"description": "`id` of a list of contacts", "example": examples.CONTACT["id"]},
    "user_id": {"description": "`id` of a list of users", "example": examples.USER["id"]},
    "token": {"description": "as step 1 gave it, within the URL"},
}


def describe(app: FastAPI) -> None:
    """Let the app give this document instead of FastAPI's own; made when it is first asked for."""
    made: Json = {}

    def openapi() -> Json:
        if not made:
            made.update(_document(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> Json:
    document = get_openapi(title="Aila calls", version="1", description=_ABOUT, routes=app.routes)
    models: list[type[BaseModel]] = [answers.Alive, answers.Ready]
    models += [model for each in OPERATIONS.values() for model, _ in each.answers]
    _, definitions = models_json_schema([(model, "serialization") for model in models], ref_template=_TEMPLATE)
    schemas: Json = {**definitions["$defs"], **SCHEMAS}
    for path, methods in document["paths"].items():
        prefix = next((prefix for prefix in _PREFIXES if path.startswith(prefix + "/")), "")
        for method, told in methods.items():
            operation = OPERATIONS.get((method, path.removeprefix(prefix))) if prefix else None
            if operation is not None:
                _fill(told, operation, contract_of(path), schemas)
            elif path in _HOUSE:
                told.update(_HOUSE[path])
    document["components"]["schemas"] = schemas
    return document


def _fill(told: Json, operation: Operation, contract: Contract, schemas: Json) -> None:
    """Complete what FastAPI knows of one operation."""
    told |= {
        "operationId": f"{operation.id}_{contract}",
        "summary": operation.summary,
        "description": operation.description,
    }
    parameters = [_parameter(each) for each in told.get("parameters", [])]
    told["parameters"] = [*parameters, _IDEMPOTENCY] if operation.once else parameters
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    if operation.id == "put_file":
        binary = {"schema": {"type": "string", "format": "binary"}}
        told["requestBody"] = {"required": True, "content": {"text/csv": binary, "application/zip": binary}}
    names = ("X-Request-Id", *operation.headers, *(("Idempotent-Replayed",) if operation.once else ()))
    success: Json = {"description": operation.summary, "headers": {name: _HEADERS[name] for name in names}}
    if operation.answers:
        success["content"] = {"application/json": _data(operation, contract, schemas)}
    refused = refusals(contract, operation.refusals)
    for status, response in refused.items():
        limits = {name: _HEADERS[name] for name in operation.headers if name != "ETag"} if status == "429" else {}
        response["headers"] = {"X-Request-Id": _HEADERS["X-Request-Id"], **response["headers"], **limits}
    told["responses"] = {"200": success, **refused}


def _parameter(told: Json) -> Json:
    """A parameter without what says nothing: FastAPI's titles, and defaults that stand for "not given"."""
    schema = {name: value for name, value in told["schema"].items() if name != "title" and value != ""}
    description = told.get("description") or schema.pop("description", "")
    place = _PLACES.get(told["name"], {}) if told["in"] == "path" else {}
    return {**told, "schema": schema, "description": description, **place}


def _data(operation: Operation, contract: Contract, schemas: Json) -> Json:
    """The content of a 200: the data in the contract's envelope."""
    shapes = [_enveloped(contract, model.__name__, schemas) for model, _ in operation.answers]
    given: dict[str, Any] = {}
    for model, example in operation.answers:
        value = {"status": "success", "data": example} if contract == "a" else {"success": True} | example
        given[model.__name__] = {"value": value}
    return {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}, "examples": given}


def _enveloped(contract: Contract, name: str, schemas: Json) -> Json:
    if contract == "a":
        properties: Json = {"status": {"const": "success"}, "data": {"$ref": f"#/components/schemas/{name}"}}
        return {"type": "object", "required": ["status", "data"], "properties": properties}
    data = schemas[name]
    properties = {"success": {"const": True}} | data["properties"]
    return {"type": "object", "required": ["success", *data.get("required", [])], "properties": properties}


def _plain(name: str, summary: str, responses: dict[str, tuple[str, Json]]) -> Json:
    """An operation of the house, which has no envelope."""
    headers = {"X-Request-Id": _HEADERS["X-Request-Id"]}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            status: {"description": words, "headers": headers, "content": content}
            for status, (words, content) in responses.items()
        },
    }


def _json(model: str, example: Json) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}, "example": example}}


_TEXT: Json = {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}}
_HOUSE: dict[str, Json] = {
    "/healthz": _plain("healthz", "Whether the process lives", {"200": ("it answers", _json("Alive", examples.ALIVE))}),
    "/readyz": _plain(
        "readyz",
        "Whether requests can be carried out",
        {
            "200": ("ledger and store answer", _json("Ready", examples.READY)),
            "503": ("one of them does not", _json("Ready", examples.NOT_READY)),
        },
    ),
    "/metrics": _plain("metrics", "Figures for Prometheus", {"200": ("its text format", _TEXT)}),
}
