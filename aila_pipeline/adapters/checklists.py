"""Checklists in force: what each tenant has made active in the ledger, and the YAML files that serve everybody else.

Lives here: reading both at one moment, so that all calls of a run are held against the same. Does not: what a checklist
may say, or choosing one for a call (domain/scoring).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.domain.scoring import Checklist, Selection, parse_checklists
from aila_pipeline.errors import SettingInvalid


class ChecklistsInForce:
    """The checklists of all tenants. A tenant's are read once: what changes meanwhile counts for the next run."""

    def __init__(self, files: tuple[Checklist, ...], ledger: Ledger) -> None:
        self._files, self._ledger = files, ledger
        self.of = cache(self._of)

    @classmethod
    def now(cls, directory: Path, ledger: Ledger) -> ChecklistsInForce:
        """With the files of this directory; raises as `read_checklists` does."""
        return cls(read_checklists(directory), ledger)

    def _of(self, tenant_id: str) -> Selection:
        """Those of one tenant; whoever has nothing active has the files alone."""
        return Selection(self._files, self._ledger.checklists.active(tenant_id))


def read_checklists(directory: Path) -> tuple[Checklist, ...]:
    """All checklists of the directory, in the order of their file names.

    Raises SettingInvalid when the directory cannot be read, ChecklistInvalid with its line when a file breaks a rule.
    """
    try:
        texts = {path.name: path.read_text("utf-8") for path in sorted(directory.glob("*.y*ml"))}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"AILA_CHECKLISTS {directory} cannot be read ({type(error).__name__})") from error
    if not texts:
        raise SettingInvalid(f"AILA_CHECKLISTS {directory} holds no .yaml file")
    return parse_checklists(texts)
