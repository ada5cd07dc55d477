"""The OpenAPI document is true: schemathesis asks everything it describes, and every answer is as described."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.api.process import an_api

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
)


@pytest.mark.slow
def test_no_server_error_and_no_undocumented_answer(home: Path, tmp_path: Path) -> None:
    """Examples, boundary values and generated requests of every operation, with a valid key."""
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    tenant = ledger.tenants.ensure("kz", "acme")
    wide = TenantSettings(batches_per_hour=10**6, calls_per_hour=10**8, concurrent_batches=10**6)
    ledger.tenants.change_settings(tenant, wide)
    key = ledger.keys.create(tenant, ledger.tenants.ensure_user(tenant, "ops"), now=datetime.now(UTC))
    ledger.close()
    with an_api(home, AILA_PROBE_SECONDS="0", AILA_DAGSTER_URL="http://127.0.0.1:9") as api:
        found = httpx.get(f"{api.url}/openapi.json").json()
        command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{api.url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS)]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "7", "--no-color"]
        command += ["--suppress-health-check", "all", "--continue-on-failure", "--generation-database", "none"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    operations = sum(len(methods) for methods in found["paths"].values())
    assert operations >= 20, json.dumps(list(found["paths"]))
