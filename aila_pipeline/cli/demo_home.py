"""The demo's home: a throw-away place with settings of its own, and the sample calls in its drop zone.

Lives here: which samples come through which door, and what should become of them. Does not: running (demo.py).
Nothing of the user's own settings counts here, whatever the environment or `.env` says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from aila_pipeline.adapters.outside import DIRECTORY_BUCKET, RECORDINGS
from aila_pipeline.cli.drop import Dropped, drop
from aila_pipeline.cli.files import Given
from aila_pipeline.cli.opening import Opened
from aila_pipeline.demo.samples import IN_PAIR, manifest, samples, write_pair
from aila_pipeline.errors import AudioInvalid, FileNotFound
from aila_pipeline.settings import Settings

COUNTRY, FIRM = "kz", "acme"
PAIR, MANIFEST = "sample-pair", "sample-manifest"
IN_MANIFEST = ("sales_03", "sales_08", "support_02", "support_07")
"""m4a and aac, which a pair may not hold by the CSV contract."""

Outcome = Counter[str]
"""How many calls ended how: `completed`, or the error's code."""

EXPECTED: Mapping[str, Outcome] = {
    PAIR: Counter({"completed": len(IN_PAIR), AudioInvalid.code: 1, FileNotFound.code: 1}),
    f"{MANIFEST}.json": Counter({"completed": len(IN_MANIFEST)}),
}
"""What must become of each drop: two of the pair's calls are bad on purpose."""


def demo_settings(home: Path) -> Settings:
    """Every setting at its default, but for the home and the model."""
    chosen: dict[str, Any] = {name: _default(field) for name, field in Settings.model_fields.items()}
    chosen |= {"home": home, "whisper_model": "demo", "demo": True}
    return Settings(_env_file=None, **chosen)


def environment(settings: Settings) -> dict[str, str]:
    """The same settings for the processes of Dagster, which read them from their environment."""
    return {f"AILA_{name.upper()}": _written(value) for name, value in settings.model_dump(mode="json").items()}


def drop_samples(here: Opened, folder: Path) -> list[Dropped]:
    """A pair of twelve calls, two of them bad, and a manifest of four whose audio lies in the store already."""
    csv, archive = write_pair(folder, bad=True)
    urls = {}
    for name in IN_MANIFEST:
        sample = samples()[name]
        key = f"{RECORDINGS}{COUNTRY}/{FIRM}/{sample.file}"
        here.store.write(key, sample.path.read_bytes())
        urls[name] = f"s3://{DIRECTORY_BUCKET}/{key}"
    body = folder / "batch.json"
    body.write_text(json.dumps(manifest(urls), indent=2), encoding="utf-8")
    return [
        drop(here, Given(csv=csv, zip=archive), country=COUNTRY, firm=FIRM, name=PAIR),
        drop(here, Given(manifest=body), country=COUNTRY, firm=FIRM, name=MANIFEST),
    ]


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _written(value: Any) -> str:
    """A value as an environment variable; empty stands for None where a setting may be left out."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
