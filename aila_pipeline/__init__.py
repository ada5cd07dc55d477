"""Bulk phone-call ingestion on Dagster: from files in a drop zone to transcribed, scored calls."""

import os

# onnxruntime, which faster-whisper finds speech with, reports its use to its maker from the moment it is imported
# (1.32: a session file `.ses` in the temporary directory shows it). Only the environment, set before that, prevents it;
# here, because everything of this project passes here first, however it is started.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
