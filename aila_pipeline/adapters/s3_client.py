"""The S3 client: how it is made and configured, and what its errors mean here.

Lives here: what concerns any request. Does not: the requests (s3_store.py, s3_multipart.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aila_pipeline.errors import KeyInvalid, ObjectChanged, ObjectMissing, SettingInvalid, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFIG = Config(
    signature_version="s3v4",  # boto3 still presigns with version 2 for some regions and servers
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
    # Servers other than AWS refuse, or store as content, the checksum trailers that boto3 sends by default.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
"""How clients of this store are configured."""

Page = TypeVar("Page")

_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "NotFound", "404"})
_CHANGED = frozenset({"PreconditionFailed", "412"})
_BAD_KEY = frozenset({"KeyTooLongError", "InvalidObjectName", "InvalidURI"})


def client_from_environment() -> S3Client:
    """A client from boto3's own settings: `AWS_ENDPOINT_URL_S3`, `AWS_ACCESS_KEY_ID` and so on."""
    try:
        return boto3.session.Session().client("s3", config=CONFIG)
    except (BotoCoreError, ValueError) as error:
        # The text of these may repeat what was set, a secret included.
        raise SettingInvalid(f"no S3 client can be made from the AWS_* settings ({type(error).__name__})") from None


class WriteConflict(StoreUnavailable):
    """Several wrote the same key on condition at the same time, and the server asks to try again (AWS, 409)."""


def code_of(error: ClientError) -> str:
    """S3's code, or the HTTP status where an answer has no body to tell one (HEAD)."""
    return error.response.get("Error", {}).get("Code", "?")


@contextmanager
def translated(key: str) -> Iterator[None]:
    """The client's errors as ours. Their texts stay out of ours: they can quote settings and signatures."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in _MISSING:
            raise ObjectMissing(key) from None
        if code in _CHANGED:
            raise ObjectChanged(key) from None
        if code in _BAD_KEY:
            raise KeyInvalid(f"the server says {code}") from None
        if code == "ConditionalRequestConflict":
            raise WriteConflict(code) from None
        raise StoreUnavailable(f"{error.operation_name} was answered with {code}") from None
    except BotoCoreError as error:
        # The names say it: EndpointConnectionError, ReadTimeoutError, NoCredentialsError ...
        raise StoreUnavailable(type(error).__name__) from None


def translated_pages(pages: Iterable[Page]) -> Iterator[Page]:
    """The pages, with the errors of fetching them as ours, but not those of whoever uses them."""
    iterator = iter(pages)
    while True:
        with translated(""):
            page = next(iterator, None)
        if page is None:
            return
        yield page
