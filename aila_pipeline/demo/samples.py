"""Samples: the sample calls, what is said in them, and submissions made of them.

Lives here: reading `samples/calls.json`, writing a CSV + ZIP pair, building a JSON manifest. Does not: making the
calls (tools/sample_calls). The names, addresses and numbers are invented; the numbers are reserved for fiction.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from aila_pipeline.demo import SAMPLES

IN_PAIR = (
    *("sales_01", "sales_04", "sales_07", "sales_09", "sales_10"),
    *("support_01", "support_03", "support_06", "support_08", "support_09"),
)
"""Calls in formats of the CSV + ZIP contract; m4a and aac are for lists of URLs alone."""

UNREADABLE, MISSING = "unreadable.mp3", "missing.wav"
"""The bad calls' file names: a text that calls itself MP3, and a row without a file."""

_ZIP_DATE = (2026, 1, 13, 18, 0, 0)


@dataclass(frozen=True)
class SpokenTurn:
    """What was really said: seconds from the start of the recording, lower-case words without punctuation."""

    role: Literal["operator", "client"]
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Person:
    """Somebody in a sample call, and the flite voice that speaks for them."""

    name: str
    email: str
    voice: str


@dataclass(frozen=True)
class Sample:
    """One sample call. `layout`: stereo (client left, operator right), mono, or the mix of both on two channels."""

    name: str
    about: str
    file: str
    codec: str
    sample_rate_hz: int
    layout: Literal["stereo", "mono", "dual_mono"]
    seconds: float
    segment_type: str
    started_at: str
    direction: Literal["inbound", "outbound"]
    client_phone: str
    operator: Person
    client: Person
    turns: tuple[SpokenTurn, ...]

    @property
    def path(self) -> Path:
        """Where the recording lies."""
        return SAMPLES / self.file


@cache
def samples() -> Mapping[str, Sample]:
    """All sample calls by name."""
    calls = TypeAdapter(list[Sample]).validate_json((SAMPLES / "calls.json").read_bytes())
    return {call.name: call for call in calls}


def spoken(name: str) -> tuple[SpokenTurn, ...]:
    """The turns of a sample call as they were spoken, in order of their start.

    Raises:
        KeyError: there is no sample of this name.
    """
    return samples()[name].turns


def write_pair(folder: Path, *, names: Sequence[str] | None = None, bad: bool = False) -> tuple[Path, Path]:
    """Writes `metadata.csv` and `audios.zip` of sample calls into `folder`, made if need be; returns both paths.

    `names` defaults to `IN_PAIR`. `bad` adds two calls that can only fail: a text named .mp3, and a row whose file is
    not in the archive. The same arguments write the same bytes.

    Raises:
        KeyError: there is no sample of some name.
        ValueError: a name is there twice.
    """
    chosen = [samples()[name] for name in (IN_PAIR if names is None else names)]
    if len({sample.name for sample in chosen}) < len(chosen):
        raise ValueError("each sample call can be in a pair once")
    rows = [_row(sample, sample.file) for sample in chosen]
    entries = [(sample.file, sample.path.read_bytes()) for sample in chosen]
    if bad:
        model = next(iter(samples().values()))
        rows += [_row(model, UNREADABLE, "BAD-1"), _row(model, MISSING, "BAD-2")]
        entries.append((UNREADABLE, b"This is a text, not a recording.\n" * 40))
    folder.mkdir(parents=True, exist_ok=True)
    metadata, audios = folder / "metadata.csv", folder / "audios.zip"
    audios.write_bytes(_zipped(entries))
    metadata.write_bytes(_csv(rows))
    return metadata, audios


def manifest(urls: Mapping[str, str]) -> dict[str, Any]:
    """The body of a JSON batch: one call for each (sample's name, URL of its audio).

    Raises:
        KeyError: there is no sample of some name.
    """
    return {"calls": [_item(samples()[name], url) for name, url in urls.items()]}


def _row(sample: Sample, file: str, partner_call_id: str | None = None) -> dict[str, str]:
    return {
        "audio_file_name": file,
        "client_phone_number": sample.client_phone,
        "operator_name": sample.operator.name,
        "start_time": sample.started_at.removesuffix("Z"),
        "segment_type": sample.segment_type,
        "right_channel": "operator",
        "left_channel": "client",
        "direction": sample.direction,
        "partner_call_id": partner_call_id or f"CALL-{sample.name}",
        "operator_group_name": f"{sample.segment_type} team",
    }


def _item(sample: Sample, url: str) -> dict[str, Any]:
    return {
        "external_id": f"demo_{sample.name}",
        "audio_url": url,
        "user_email": sample.operator.email,
        "contact_name": sample.client.name,
        "contact_phone": sample.client_phone,
        "contact_email": sample.client.email,
        "call_date": sample.started_at,
        "direction": sample.direction,
        "duration": round(sample.seconds),
        "metadata": {"segment_type": sample.segment_type, "left_channel": "client", "right_channel": "operator"},
    }


def _csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _zipped(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """An archive with a fixed date, so that the same pair is the same bytes; stored, as audio is packed already."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for name, content in entries:
            target.writestr(zipfile.ZipInfo(name, _ZIP_DATE), content)
    return archive.getvalue()
