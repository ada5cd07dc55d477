"""Make: the package's sample calls, written anew from the dialogues.

    python -m tools.sample_calls.make [--out DIRECTORY]

Lives here: the command and the manifest `calls.json` (what a call is about, who speaks, when, what). The same
dialogues, flite and FFmpeg give the same files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aila_pipeline.demo import SAMPLES
from tools.demo_model.flite import RATE_HZ
from tools.sample_calls.dialogues import Dialogue, Speaker, problems, read
from tools.sample_calls.encoding import encode
from tools.sample_calls.mixing import Recording, perform

_FIRST_CALL = datetime(2026, 1, 13, 9, 0, tzinfo=UTC)


def main() -> None:
    """Read the dialogues, refuse unfit ones, write recordings and manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SAMPLES, help="where to write (default: the package's samples)")
    out: Path = parser.parse_args().out
    dialogues = read()
    unfit = [problem for dialogue in dialogues for problem in problems(dialogue)]
    if unfit:
        raise SystemExit("\n".join(unfit))
    out.mkdir(parents=True, exist_ok=True)
    calls = []
    for number, dialogue in enumerate(dialogues):
        recording = perform(dialogue)
        audio = dialogue.audio
        encode(recording.samples, RATE_HZ, out / audio.file, audio)
        calls.append(_entry(number, dialogue, recording))
        size = (out / audio.file).stat().st_size
        print(f"{audio.file:16} {recording.seconds:5.1f} s {size / 1000:6.0f} kB  {dialogue.about}")
    (out / "calls.json").write_text(json.dumps(calls, indent=1) + "\n", "utf-8")


def _entry(number: int, dialogue: Dialogue, recording: Recording) -> dict[str, Any]:
    return {
        "name": dialogue.name,
        "about": dialogue.about,
        "file": dialogue.audio.file,
        "codec": dialogue.audio.codec,
        "sample_rate_hz": dialogue.audio.rate_hz,
        "layout": dialogue.audio.layout,
        "seconds": round(recording.seconds, 2),
        "segment_type": dialogue.segment_type,
        "started_at": f"{_FIRST_CALL + timedelta(minutes=25 * number):%Y-%m-%dT%H:%M:%SZ}",
        "direction": dialogue.direction,
        # 555-01xx is set aside for fiction.
        "client_phone": f"+1202555{100 + number:04d}",
        "operator": _person(dialogue.operator, "northstar.example"),
        "client": _person(dialogue.client, "mail.example"),
        "turns": [dataclasses.asdict(turn) for turn in sorted(recording.turns, key=lambda turn: turn.start)],
    }


def _person(speaker: Speaker, domain: str) -> dict[str, str]:
    return {
        "name": speaker.name,
        "email": f"{speaker.name.lower().replace(' ', '.')}@{domain}",
        "voice": speaker.voice,
    }


if __name__ == "__main__":
    main()
