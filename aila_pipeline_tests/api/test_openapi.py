"""The OpenAPI document tells the truth: real answers, good and bad, are as it describes them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from schemathesis.schemas import BaseSchema

from aila_pipeline.adapters.ledger.tables import shards
from aila_pipeline.api.documentation.operations import OPERATIONS
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import rows, run
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.test_calls import a_whole_call
from aila_pipeline_tests.api.test_pairs import uploaded
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row

PREFIXES = ("/api/v1", "/v1")
HTTP = ("get", "post", "put", "patch", "delete")


def document(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.stranger.get("/openapi.json").json()
    return found


def closed(told: Any) -> Any:
    """The document with no room for what it does not describe: an answer with an undocumented field breaks it."""
    if isinstance(told, list):
        return [closed(each) for each in told]
    if not isinstance(told, dict):
        return told
    made = {name: closed(each) for name, each in told.items()}
    if isinstance(told.get("properties"), dict) and "type" in told and "allOf" not in told:
        made.setdefault("additionalProperties", False)
    return made


class Truth:
    """Holds answers against the document, and remembers what was seen."""

    def __init__(self, site: Site) -> None:
        strict = copy.deepcopy(document(site))
        strict["components"]["schemas"] = closed(strict["components"]["schemas"])
        for methods in strict["paths"].values():
            for operation in methods.values():
                operation["responses"] = closed(operation["responses"])
        self.schema: BaseSchema = schemathesis.openapi.from_dict(strict)
        self.templates = {re.compile(re.sub(r"\{[a-z_]+\}", "[^/]+", path)): path for path in strict["paths"]}
        self.seen: set[tuple[str, str, int]] = set()

    def hold(self, answer: Any) -> Any:
        """Raise unless the answer is as it is described."""
        found = [path for form, path in self.templates.items() if form.fullmatch(answer.request.url.path)]
        path = min(found, key=lambda each: each.count("{"))
        method = answer.request.method
        self.schema[path][method].validate_response(answer)
        described = self.schema.raw_schema["paths"][path][method.lower()]["responses"]
        assert str(answer.status_code) in described, (method, path, answer.status_code)
        for name, header in described[str(answer.status_code)].get("headers", {}).items():
            assert not header.get("required") or name in answer.headers, name
        self.seen.add((method, path, answer.status_code))
        return answer


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """Where no URL is asked whether it answers."""
    with a_site(settings_for(home, probe_seconds=0)) as made:
        yield made


@pytest.fixture
def truth(site: Site) -> Truth:
    return Truth(site)


def test_every_route_is_described_under_both_prefixes(site: Site) -> None:
    paths = document(site)["paths"]
    for method, address in OPERATIONS:
        for prefix in PREFIXES:
            assert method in paths[prefix + address], (method, prefix + address)
    described = {
        (method, path.removeprefix(prefix))
        for path in paths
        for prefix in PREFIXES[:1]
        for method in paths[path]
        if path.startswith(prefix)
    }
    assert described == set(OPERATIONS)


def operations(site: Site) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document(site)["paths"].items():
        for method, operation in methods.items():
            assert method in HTTP
            yield f"{method} {path}", operation


def test_operations_have_ids_of_their_own_and_say_what_they_do(site: Site) -> None:
    ids = [operation["operationId"] for _, operation in operations(site)]
    assert len(ids) == len(set(ids))
    for name, operation in operations(site):
        assert operation["summary"], name
        assert operation["description"], name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)


def test_whatever_needs_a_key_says_so(site: Site) -> None:
    open_to_all = {"/healthz", "/readyz", "/metrics", "/api/v1/uploads/{token}", "/v1/uploads/{token}"}
    for name, operation in operations(site):
        keyed = name.split()[1] not in open_to_all
        assert bool(operation.get("security")) is keyed, name
        assert ("401" in operation["responses"]) is keyed, name


def test_numbers_in_a_query_have_bounds(site: Site) -> None:
    for name, operation in operations(site):
        for parameter in operation.get("parameters", []):
            if parameter["schema"].get("type") == "integer":
                assert {"minimum", "maximum"} <= parameter["schema"].keys(), (name, parameter["name"])


def test_every_example_fits_its_own_schema(site: Site) -> None:
    told = document(site)
    checked = 0
    for name, operation in operations(site):
        for where, content in contents(operation):
            schema = {"components": told["components"], **content["schema"]}
            given = [each["value"] for each in content.get("examples", {}).values()]
            given += [content["example"]] if "example" in content else []
            given += [content["schema"]["example"]] if "example" in content["schema"] else []
            for example in given:
                if not isinstance(example, str):
                    jsonschema_rs.Draft202012Validator(closed(schema)).validate(example)
                    checked += 1
            assert given or "format" in content["schema"], (name, where)
    assert checked > 150


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield kind, content
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            yield status, content


@pytest.mark.parametrize("prefix", PREFIXES)
def test_uploads_and_pairs_answer_as_described(site: Site, truth: Truth, prefix: str) -> None:
    step_1, step_3 = f"{prefix}/calls/upload", f"{prefix}/calls/process-upload"
    names = {"metadata_filename": "metadata.csv", "audios_filename": "audios.zip"}
    truth.hold(site.acme.post(step_1, json=names, headers={"Idempotency-Key": "one"}))
    truth.hold(site.acme.post(step_1, json=names, headers={"Idempotency-Key": "one"}))
    truth.hold(site.acme.post(step_1, json={}, headers={"Idempotency-Key": "one"}))
    truth.hold(site.acme.post(step_1, json={"metadata_filename": "a/b.csv"}))
    truth.hold(site.acme.post(step_1, content=b"{"))
    truth.hold(site.acme.post(step_1, content=b" " * 70_000))
    truth.hold(site.stranger.post(step_1, json=names))

    upload = uploaded(site)
    url = site.acme.post(step_1, json=names).json()
    put = (url.get("data") or url)["metadata_upload_url"].replace("/api/v1", prefix)
    truth.hold(site.stranger.put(put, content=b"x", headers={"Content-Type": "text/csv"}))
    truth.hold(site.stranger.put(put, content=b"x", headers={"Content-Type": "text/plain"}))
    truth.hold(site.stranger.put(f"{prefix}/uploads/made-up", content=b"x", headers={"Content-Type": "text/csv"}))

    truth.hold(site.acme.post(step_3, params={"dry_run": "true"}, json=upload.keys))
    truth.hold(site.acme.post(step_3, json=upload.keys))
    truth.hold(site.acme.post(step_3, json=upload.keys))
    truth.hold(site.acme.post(step_3, json=upload.keys | {"audio_key": "another"}))
    truth.hold(site.other.post(step_3, json=upload.keys))
    truth.hold(site.acme.post(step_3, json={"metadata_key": upload.metadata_key}))
    truth.hold(site.acme.post(step_3, params={"dry_run": "perhaps"}, json=upload.keys))
    truth.hold(site.acme.post(step_3, json=uploaded(site, csv=None).keys))
    truth.hold(site.acme.post(step_3, json=uploaded(site, csv=b"no,such,header\n1,2,3\n").keys))
    bad_rows = a_csv(a_row("one.wav", start_time="yesterday"), a_row("two.wav"))
    truth.hold(site.acme.post(step_3, params={"dry_run": "true"}, json=uploaded(site, csv=bad_rows).keys))
    truth.hold(site.acme.post(step_3, json=uploaded(site, csv=a_csv(a_row("one.wav", start_time="-"))).keys))
    strict(site)
    truth.hold(site.acme.post(step_3, json=uploaded(site).keys))

    assert {status for _, path, status in truth.seen if path == step_3} == {200, 400, 404, 422, 429}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_lists_of_calls_answer_as_described(site: Site, truth: Truth, prefix: str) -> None:
    address = f"{prefix}/calls/batch-upload"
    body = a_list("a", "b")
    truth.hold(site.acme.post(address, params={"dry_run": "true"}, json=body))
    answer = truth.hold(site.acme.post(address, json=body, headers={"Idempotency-Key": "one"}))
    batch_id = (answer.json().get("data") or answer.json())["batch_id"]
    truth.hold(site.acme.post(address, json=body, headers={"Idempotency-Key": "one"}))
    truth.hold(site.acme.post(address, json=a_list("c"), headers={"Idempotency-Key": "one"}))
    truth.hold(site.acme.post(address, json=body, headers={"Idempotency-Key": "x" * 256}))
    truth.hold(site.acme.post(address, json=a_list("a", url="https://example.org/changed.mp3")))
    truth.hold(site.acme.post(address, json={"calls": []}))
    truth.hold(site.acme.post(address, json={"calls": [{"external_id": 7}]}))
    truth.hold(site.acme.post(address, content=b"[NaN]"))
    truth.hold(site.acme.post(address, content=b" " * (5 * 1024**2 + 1)))
    truth.hold(site.stranger.post(address, json=body))

    one = f"{address}/{batch_id}"
    truth.hold(site.acme.get(one))
    (shard,) = (row.id for row in rows(site.ledger, shards))
    run(site.ledger, shard, failing={"b": AudioInvalid()})
    truth.hold(site.acme.get(one))
    truth.hold(site.acme.get(one, params={"limit": 1}))
    truth.hold(site.acme.get(one, params={"limit": 0}))
    truth.hold(site.acme.get(one, params={"cursor": "made-up"}))
    truth.hold(site.other.get(one))
    truth.hold(site.stranger.get(one))
    truth.hold(site.acme.post(f"{one}/retry"))
    truth.hold(site.acme.post(f"{one}/retry"))
    truth.hold(site.other.post(f"{one}/retry"))
    truth.hold(site.acme.get(address))
    truth.hold(site.acme.get(address, params={"status": "completed,failed", "limit": 1}))
    truth.hold(site.acme.get(address, params={"status": "done"}))
    strict(site)
    truth.hold(site.acme.post(address, json=a_list("z")))

    assert {status for _, path, status in truth.seen if path == address} == {200, 400, 401, 413, 422, 429}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_calls_answer_as_described(site: Site, truth: Truth, prefix: str) -> None:
    call_id = a_whole_call(site)
    address = f"{prefix}/calls"
    truth.hold(site.acme.get(address))
    truth.hold(site.acme.get(address, params={"status": "completed", "limit": 1}))
    truth.hold(site.acme.get(address, params={"status": "done"}))
    truth.hold(site.acme.get(address, params={"limit": 501}))
    truth.hold(site.acme.get(address, params={"batch_id": "batch_x"}))
    truth.hold(site.stranger.get(address))
    truth.hold(site.acme.get(f"{address}/{call_id}"))
    truth.hold(site.other.get(f"{address}/{call_id}"))
    truth.hold(site.stranger.get(f"{address}/{call_id}"))

    assert {status for _, path, status in truth.seen if path == address} == {200, 401, 404, 422}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_people_answer_as_described(site: Site, truth: Truth, prefix: str) -> None:
    a_whole_call(site)
    for kind in ("contacts", "users"):
        address = f"{prefix}/{kind}"
        answer = truth.hold(site.acme.get(address, params={"limit": 1})).json()
        one = f"{address}/{(answer.get('data') or answer)[kind][0]['id']}"
        truth.hold(site.acme.get(address, params={"email": "nobody@example.org"}))
        truth.hold(site.acme.get(address, params={"cursor": "made-up"}))
        truth.hold(site.stranger.get(address))
        truth.hold(site.acme.get(one))
        truth.hold(site.other.get(one))
        truth.hold(site.stranger.get(one))
        truth.hold(site.acme.get(f"{one}/calls"))
        truth.hold(site.acme.get(f"{one}/calls", params={"limit": 0}))
        truth.hold(site.other.get(f"{one}/calls"))
        truth.hold(site.stranger.get(f"{one}/calls"))

    assert len({(path, status) for _, path, status in truth.seen}) == 2 * (3 + 3 + 4)


def test_the_house_answers_as_described(site: Site, truth: Truth) -> None:
    for address in ("/healthz", "/readyz", "/metrics"):
        truth.hold(site.stranger.get(address))


def test_the_page_for_people_is_there(site: Site) -> None:
    page = site.stranger.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def strict(site: Site) -> None:
    """From now on nothing may be submitted."""
    site.ledger.tenants.change_settings(site.acme.access.tenant, TenantSettings(batches_per_hour=0))


def a_list(*names: str, url: str | None = None) -> dict[str, Any]:
    """Contract B's body, with URLs that nobody is asked for."""
    return {
        "calls": [
            {
                "external_id": name,
                "audio_url": url or f"https://example.org/{name}.mp3",
                "user_email": "agent@company.com",
                "call_date": "2025-01-15T14:30:00Z",
            }
            for name in names
        ]
    }


def test_the_page_that_shows_the_document_loads_nothing_from_elsewhere(site: Site) -> None:
    page = site.stranger.get("/docs")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) >= 2
    for source in sources:
        assert source.startswith("/")
        assert site.stranger.get(source).status_code == 200
