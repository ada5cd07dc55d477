"""Services: where the tests find PostgreSQL, an S3 server and Chromium, and fresh corners of them.

Lives here: reading what `tools/services/run` exports, making and removing databases and buckets. Does not: starting
anything. A test that needs a service fails without it, since a skipped test proves nothing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.s3_client import client_from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: run these tests by `make test-services`, or below `tools/services/run`")
    return value


def database_url() -> str:
    """SQLAlchemy URL of the test server's own database; its user may create others."""
    return _required("AILA_TEST_DATABASE_URL")


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, which is dropped afterwards, whoever is still connected."""
    server = sa.create_engine(database_url(), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"test_{secrets.token_hex(8)}"
    with server.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"drop database {name} with (force)"))


def s3_client() -> S3Client:
    """A client of the test server."""
    _required("AWS_ENDPOINT_URL_S3")
    return client_from_environment()


@contextmanager
def fresh_bucket(*, versioned: bool = False) -> Iterator[str]:
    """The name of an empty bucket, which is removed afterwards with all that is in it."""
    client = s3_client()
    name = f"test-{secrets.token_hex(8)}"
    client.create_bucket(Bucket=name)
    if versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield name
    finally:
        _remove_bucket(client, name)
        client.close()


def _remove_bucket(client: S3Client, name: str) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        found = [
            {"Key": item["Key"], "VersionId": item["VersionId"]}
            for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if found:
            client.delete_objects(Bucket=name, Delete={"Objects": found, "Quiet": True})  # type: ignore[typeddict-item]
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    client.delete_bucket(Bucket=name)


def chromium() -> Path:
    """The browser to start."""
    return Path(_required("AILA_TEST_CHROMIUM"))
