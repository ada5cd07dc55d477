"""The demo's home: a throw-away place with settings of its own, and the sample calls on their ways into it.

Lives here: which samples come through which intake, and what should become of them. Does not: running (demo.py).
Nothing of the user's own settings counts here, whatever the environment or `.env` says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from aila_pipeline.adapters.outside import DIRECTORY_BUCKET, RECORDINGS
from aila_pipeline.cli.drop import Dropped, drop
from aila_pipeline.cli.files import Given
from aila_pipeline.cli.opening import Opened
from aila_pipeline.client import Client
from aila_pipeline.demo.notice_receiver import NoticeReceiver
from aila_pipeline.demo.samples import manifest, samples, write_pair
from aila_pipeline.domain.deliveries import Notice
from aila_pipeline.errors import AudioInvalid, FileNotFound
from aila_pipeline.settings import Settings

COUNTRY, FIRM, USER = "kz", "acme", "ops@acme.example"
DROPPED_PAIR, DROPPED_LIST = "drop-zone-pair", "drop-zone-list"
API_PAIR, API_LIST = "api-pair", "api-list"

SAMPLES: Mapping[str, tuple[str, ...]] = {
    DROPPED_PAIR: ("sales_01", "sales_04", "sales_10", "support_01", "support_08", "support_09"),
    DROPPED_LIST: ("sales_03", "support_02"),
    API_PAIR: ("sales_07", "sales_09", "support_03", "support_06"),
    API_LIST: ("sales_08", "support_07"),
}
"""Which sample calls come through which intake; in the lists m4a and aac, which a pair may not hold by its contract."""

Outcome = Counter[str]
"""How many calls ended how: `completed`, or the error's code."""

EXPECTED: Mapping[str, Outcome] = {
    name: Counter({"completed": len(chosen)} | ({AudioInvalid.code: 1, FileNotFound.code: 1} if bad else {}))
    for name, chosen in SAMPLES.items()
    for bad in (name == DROPPED_PAIR,)
}
"""What must become of each: two more calls of the first pair are bad on purpose."""

NOTICES: Counter[str] = Counter(
    {
        Notice.CALL_COMPLETED: sum(outcome["completed"] for outcome in EXPECTED.values()),
        Notice.CALL_FAILED: sum(outcome.total() - outcome["completed"] for outcome in EXPECTED.values()),
        Notice.BATCH_COMPLETED: sum(set(outcome) == {"completed"} for outcome in EXPECTED.values()),
        Notice.BATCH_PARTIAL: sum(len(outcome) > 1 for outcome in EXPECTED.values()),
    }
)
"""What the firm must be told of it."""


def demo_settings(home: Path, *, near: Sequence[str] = ()) -> Settings:
    """Every setting at its default, but for home and model, and the `host:port`s on this machine that take part.

    A delivery does not wait for more to deliver: nothing comes behind the samples.
    """
    chosen: dict[str, Any] = {name: _default(field) for name, field in Settings.model_fields.items()}
    chosen |= {"home": home, "whisper_model": "demo", "demo": True}
    chosen |= {"fetch_allow": tuple(near), "delivery_linger_seconds": 1.0}
    return Settings(_env_file=None, **chosen)


def environment(settings: Settings) -> dict[str, str]:
    """The same settings for the processes of the stack, which read them from their environment."""
    return {f"AILA_{name.upper()}": _written(value) for name, value in settings.model_dump(mode="json").items()}


def drop_samples(here: Opened, folder: Path) -> list[Dropped]:
    """Through the drop zone: a pair, two calls of it bad, and a list of calls whose audio lies in the store already."""
    csv, archive = write_pair(folder / DROPPED_PAIR, names=SAMPLES[DROPPED_PAIR], bad=True)
    urls = {}
    for name in SAMPLES[DROPPED_LIST]:
        sample = samples()[name]
        key = f"{RECORDINGS}{COUNTRY}/{FIRM}/{sample.file}"
        here.store.write(key, sample.path.read_bytes())
        urls[name] = f"s3://{DIRECTORY_BUCKET}/{key}"
    body = folder / "batch.json"
    body.write_text(json.dumps(manifest(urls), indent=2), encoding="utf-8")
    return [
        drop(here, Given(csv=csv, zip=archive), country=COUNTRY, firm=FIRM, name=DROPPED_PAIR),
        drop(here, Given(manifest=body), country=COUNTRY, firm=FIRM, name=DROPPED_LIST),
    ]


def tell_receiver(here: Opened, receiver: NoticeReceiver) -> None:
    """Have the firm told of all that happens to its calls."""
    tenant = here.ledger.tenants.ensure(COUNTRY, FIRM)
    url = f"http://{receiver.place}/notices"
    receiver.secret = here.ledger.destinations.add_webhook(tenant, url, Notice, now=datetime.now(UTC)).secret


def submit_samples(here: Opened, folder: Path, *, api_url: str, audio_host: str) -> dict[str, str]:
    """Through the API, with a key of its own: a pair by upload, and a list of http URLs. The batches' ids by name."""
    tenant = here.ledger.tenants.ensure(COUNTRY, FIRM)
    user_id = here.ledger.tenants.ensure_user(tenant, USER)
    key = here.ledger.keys.create(tenant, user_id, now=datetime.now(UTC))
    csv, archive = write_pair(folder / API_PAIR, names=SAMPLES[API_PAIR])
    urls = {name: f"http://{audio_host}/{samples()[name].file}" for name in SAMPLES[API_LIST]}
    with Client(api_url, key) as client:
        return {
            API_PAIR: client.submit_pair(csv, archive),
            API_LIST: client.submit_calls(manifest(urls)["calls"]),
        }


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _written(value: Any) -> str:
    """A value as an environment variable; empty stands for None where a setting may be left out."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
