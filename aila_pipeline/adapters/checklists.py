"""Checklists: the YAML files of the configured directory.

Lives here: reading them. Does not: what a checklist may say (domain/scoring).
"""

from __future__ import annotations

from pathlib import Path

from aila_pipeline.domain.scoring import Checklist, parse_checklists
from aila_pipeline.errors import SettingInvalid


def read_checklists(directory: Path) -> tuple[Checklist, ...]:
    """All checklists of the directory, in the order of their file names.

    Raises SettingInvalid when the directory cannot be read, or a file breaks a rule (with its line).
    """
    try:
        texts = {path.name: path.read_text("utf-8") for path in sorted(directory.glob("*.y*ml"))}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"AILA_CHECKLISTS {directory} cannot be read ({type(error).__name__})") from error
    if not texts:
        raise SettingInvalid(f"AILA_CHECKLISTS {directory} holds no .yaml file")
    return parse_checklists(texts)
