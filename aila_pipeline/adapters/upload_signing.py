"""Upload signing: tokens that allow one PUT to a store that signs no URLs itself.

Lives here: making and checking tokens, and the secret under them. Does not: URLs and requests (api), S3's own signed
URLs (s3_store.py).

A token holds the object's key, the content type and the end of its time, and a signature over them. It hides nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from aila_pipeline.errors import SettingInvalid, UploadForbidden
from aila_pipeline.settings import Settings

SECRET_FILE = "upload-signing.key"  # noqa: S105 - its name, not what is in it
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """One key that may be written with one content type until `expires_at`, which counts in whole seconds."""

    key: str
    content_type: str
    expires_at: datetime


class UploadSigning:
    """Signs with the secret of a home, so that all its processes take each other's tokens."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def token(self, grant: UploadGrant) -> str:
        """Text that is safe in a URL's path. Raises SettingInvalid when there is no secret to sign with."""
        told = json.dumps([grant.key, grant.content_type, int(grant.expires_at.timestamp())], ensure_ascii=False)
        return self._signer.sign(base64_encode(told)).decode()

    def grant(self, token: str, now: datetime) -> UploadGrant:
        """What the token allows; UploadForbidden when it is not ours as it stands, or its time is over."""
        try:
            told = self._signer.unsign(token)
            # Base64 can be written in several ways; only the one that was handed out counts.
            if not hmac.compare_digest(self._signer.sign(told), token.encode()):
                raise UploadForbidden()
            key, content_type, until = json.loads(base64_decode(told))
        except (BadData, UnicodeEncodeError):
            raise UploadForbidden() from None
        grant = UploadGrant(key, content_type, datetime.fromtimestamp(until, UTC))
        if now >= grant.expires_at:
            raise UploadForbidden("its time is over")
        return grant

    @cached_property
    def _signer(self) -> Signer:
        return Signer(_secret(self._settings), salt="upload", key_derivation="hmac", digest_method=hashlib.sha256)


def _secret(settings: Settings) -> str:
    """AILA_UPLOAD_SECRET; unless it is set, what the home keeps, made by whoever asks first."""
    if settings.upload_secret:  # an empty one is unset, as an empty AILA_DATABASE_URL is
        given = settings.upload_secret.get_secret_value()
        if len(given) < _SECRET_BYTES:
            raise SettingInvalid(f"AILA_UPLOAD_SECRET has less than {_SECRET_BYTES} characters")
        return given
    path = settings.home / SECRET_FILE
    try:
        secret = _kept(path) or _made(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path} cannot be read or made ({type(error).__name__})") from error
    if len(secret) < _SECRET_BYTES:
        raise SettingInvalid(f"{path} is damaged: remove it, and a new one is made")
    return secret


def _kept(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def _made(path: Path) -> str:
    """A new secret, written whole and linked into place; another process's, if that was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)
    return path.read_text(encoding="ascii").strip()
