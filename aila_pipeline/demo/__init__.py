"""Demo: a small speech model, sample calls that it understands, sample checklists.

Lives here: where these files are. Does not: reading them (samples.py, and the adapters for model and checklists).
"""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
"""A Whisper model of 5 MB in CTranslate2 format, with the options that it hears best with in `aila.json`."""

SAMPLES = Path(__file__).parent / "samples"
"""Twenty phone calls in every audio format, and `calls.json`, which says what is in them."""

CHECKLISTS = Path(__file__).parent / "checklists"
"""What a sales and a support call are judged by."""
