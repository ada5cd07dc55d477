"""Audio URLs: which are well formed, which a tenant may have read, and what a signature in one means.

Lives here: rules about the text of a URL. Does not: fetching, which addresses may be connected to
(adapters/fetch_addresses.py), or whether anything lies there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import parse_qsl, quote, unquote_plus

from aila_pipeline.domain.intake.fields import printable

MAX_KEY_BYTES = 1024
"""Amazon S3's limit; other stores have taken it over."""

MAX_URL_CHARACTERS = 8192

_S3 = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,62})/(.*)", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,62})(?:/(.*))?", re.IGNORECASE | re.DOTALL)

_WEB = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:@\[\]]+)(?::([1-9][0-9]{0,4}))?", re.IGNORECASE)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ALL_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class S3Url:
    """An object in a bucket; the key is literal, nothing in it is percent-decoded."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def s3_url(url: str) -> S3Url | None:
    """The object that an `s3://bucket/key` URL names, or None if it names none.

    Keys with `.` or `..` between slashes are legal in S3, but clients and directories read them as another place.
    """
    match = _S3.fullmatch(url)
    if not match or not printable(url):
        return None
    bucket, key = match[1], match[2]
    parts = key.split("/")
    if not key or key.endswith("/") or len(key.encode()) > MAX_KEY_BYTES or {".", ".."} & set(parts):
        return None
    return S3Url(bucket, key)


@dataclass(frozen=True, slots=True)
class WebUrl:
    """A file on a web server: exactly what is connected to and asked for, in ASCII.

    `scheme` is http or https; `host` a name in lower case, or an IP address without brackets; `target` path and query,
    as they were written.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """`host:port`, an IPv6 address in brackets: as AILA_FETCH_ALLOW has it."""
        return f"{self._shown_host}:{self.port}"

    @property
    def host_header(self) -> str:
        """The host, with the port where it is not the scheme's own."""
        return self._shown_host if self.port == _DEFAULT_PORTS[self.scheme] else self.place

    @property
    def _shown_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.target}"


def web_url(url: str) -> WebUrl | None:
    """The file that an http or https URL names, or None if it has not the strict form.

    No credentials, blanks, control characters, backslashes or quotes; a fragment is dropped. Nothing is guessed or
    repaired: whoever reads a URL another way than whoever connects is how filters are fooled.

    >>> str(web_url("HTTPS://Example.org:443/a%20b.mp3?x=1#t=5"))
    'https://example.org/a%20b.mp3?x=1'
    >>> web_url("http://0x7f.1/") is None
    True
    """
    if len(url) > MAX_URL_CHARACTERS or not url.isprintable() or any(char in ' \\"<>' for char in url):
        return None
    match = _WEB.fullmatch(url)
    authority = _AUTHORITY.fullmatch(match[2]) if match else None
    if not match or not authority:
        return None
    scheme, target = match[1].lower(), quote(match[3], safe=_ALL_ASCII)
    host = _host(authority[1])
    port = int(authority[2] or _DEFAULT_PORTS[scheme])
    if host is None or port > 65535:
        return None
    found = WebUrl(scheme, host, port, target if target.startswith("/") else "/" + target)
    return found if len(str(found)) <= MAX_URL_CHARACTERS else None


def _host(text: str) -> str | None:
    """An IP address or a name, in lower-case ASCII; None for what is neither."""
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        name = text.lower() if text.isascii() else _idna(text)
        # No top-level domain is a number; resolvers read 127.1, 0x7f000001 and 017700000001 as addresses.
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return str(IPv4Address(name))
    except (AddressValueError, UnicodeError):
        return None
    return name if len(name) <= 253 and _NAME.fullmatch(name) else None


def _idna(name: str) -> str:
    """The name as DNS knows it; UnicodeError if it has none."""
    if len(name) > 253:
        raise UnicodeError  # the codec takes quadratic time
    if set("ßẞς") & set(name):
        raise UnicodeError  # IDNA 2003 reads them otherwise than browsers do: it would name another host
    return name.encode("idna").decode("ascii").lower()


def is_web_url(url: str) -> bool:
    """Whether it is an http or https URL, well formed or not."""
    return url.lower().startswith(("http://", "https://"))


def expires_at(url: str) -> datetime | None:
    """When the signature of an http or https URL ends, in UTC; None if there is none, or none that tells.

    Amazon and Google (a date and seconds, or `Expires` beside a signature), CloudFront, Azure.
    """
    found = web_url(url)
    if found is None:
        return None
    values = {name.lower(): value for name, value in parse_qsl(found.target.partition("?")[2])}
    return min(_ends(values), default=None)


def _ends(values: Mapping[str, str]) -> Iterator[datetime]:
    for family in ("x-amz-", "x-goog-"):
        try:
            signed = datetime.strptime(values[f"{family}date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            yield signed + timedelta(seconds=int(values[f"{family}expires"]))
        except (KeyError, ValueError, OverflowError):
            pass  # not signed in this way
    try:
        if "signature" in values:
            yield datetime.fromtimestamp(int(values["expires"]), UTC)
        if "sig" in values:
            told = datetime.fromisoformat(values["se"])
            yield told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        pass


def _names(text: str, prefix: str = "") -> frozenset[str]:
    return frozenset(prefix + name for name in text.split())


_AMAZON_4 = _names("algorithm credential date expires signedheaders signature security-token", "x-amz-")
_GOOGLE_4 = _names("algorithm credential date expires signedheaders signature", "x-goog-")
_AZURE = _names("sv ss srt sr sp st se spr sip si sig skoid sktid skt ske sks skv saoid suoid scid sdd")
_SIGNATURES = (
    (_names("x-amz-signature"), _AMAZON_4),
    (_names("x-goog-signature"), _GOOGLE_4),
    (_names("signature awsaccesskeyid"), _names("signature awsaccesskeyid expires x-amz-security-token")),
    (_names("signature googleaccessid"), _names("signature googleaccessid expires")),
    (_names("signature key-pair-id"), _names("signature key-pair-id expires policy hash-algorithm")),
    (_names("sig sv"), _AZURE),
)
"""By which parameters a signed URL is known, and which then belong to the signature. A lone `se` or `expires` may be
anything, and two files must not be taken for one."""


def unsigned(url: str) -> str:
    """The URL without its signature: the same for the same file signed anew. What is no web URL comes back as it is.

    >>> unsigned("https://host/a.mp3?id=7&sv=2024-05-04&se=2026-01-01&sp=r&sig=abc")
    'https://host/a.mp3?id=7'
    """
    found = web_url(url)
    if found is None:
        return url
    path, mark, query = str(found).partition("?")
    pieces = [(unquote_plus(piece.partition("=")[0]).lower(), piece) for piece in query.split("&")]
    present = {name for name, _ in pieces}
    dropped = frozenset[str]().union(*(names for marks, names in _SIGNATURES if marks <= present))
    if not dropped:
        return str(found)
    kept = "&".join(piece for name, piece in pieces if name not in dropped)
    return path + mark + kept if kept else path


def allowed(url: str, allowed_sources: Iterable[str]) -> bool:
    """Whether `url` lies in one of the `s3://bucket/prefix` places.

    A place ends at a slash, written or not.

    >>> allowed("s3://calls/2026/a.wav", ["s3://calls/2026"])
    True
    >>> allowed("s3://calls/2026-private/a.wav", ["s3://calls/2026"])
    False
    """
    wanted = s3_url(url)
    if wanted is None:
        return False
    return any(_within(wanted, place) for place in allowed_sources)


def _within(wanted: S3Url, place: str) -> bool:
    """Whether the object lies at or below the place."""
    match = _PLACE.fullmatch(place)
    if not match or match[1] != wanted.bucket:
        return False
    prefix = (match[2] or "").rstrip("/")
    return not prefix or wanted.key == prefix or wanted.key.startswith(prefix + "/")
