"""What is wrong with a checklist, or with what is asked of one.

Lives here: the refusals; whatever is active stays active. Does not: finding the mistakes (domain/scoring).
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError


class ChecklistError(AilaError):
    """A checklist cannot be used as asked; nothing was changed."""


class ChecklistInvalid(ChecklistError):
    code, what = "CHECKLIST_INVALID", "the checklist cannot be used"
    advice = "mend it there; what is active stays until then"


class ChecklistConflict(ChecklistError):
    code, what = "CHECKLIST_CONFLICT", "this version was imported before and asks something else"
    advice = "give the changed checklist a new `version`"


class ChecklistUnknown(ChecklistError):
    code, what = "CHECKLIST_UNKNOWN", "the tenant has no such checklist"
    advice = "`aila checklists list` shows all, `aila checklists import` adds one"
