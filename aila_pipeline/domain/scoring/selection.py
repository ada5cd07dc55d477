"""Selection: which checklist a call is held against.

Lives here: the choice by the call's segment, between what a tenant has made active and the files that serve everybody;
and the short name of a segment by which a score remembers for whom it was made. Does not: what a checklist asks
(checklist.py), keeping what is active (adapters/ledger/checklists.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from aila_pipeline.domain.scoring.checklist import ANY_SEGMENT, Checklist, plain_segment
from aila_pipeline.errors import ChecklistInvalid

_LABEL_LETTERS, _CUT_LETTERS = 57, 40


@dataclass(frozen=True)
class Selection:
    """The checklists that score one tenant's calls.

    A call's segment is served by the tenant's own checklist for it, else by the tenant's own for `*`, else as `choose`
    finds it among the files. So what a tenant has for all other segments goes before any file.
    """

    files: tuple[Checklist, ...] = ()
    active: Mapping[str, Checklist | ChecklistInvalid] = field(default_factory=dict)
    """The tenant's own, by segment; or why one cannot be used, which concerns the calls of its segment alone."""

    def of(self, segment_type: str | None) -> Checklist | None:
        """The checklist for calls of this segment, or None if none is meant for it.

        Raises ChecklistInvalid when the one that is meant cannot be used.
        """
        return self.of_label(segment_label(segment_type))

    def of_label(self, label: str) -> Checklist | None:
        """The same, for a segment of which only the label is known."""
        found = self._by_label.get(label) or self.active.get(ANY_SEGMENT)
        if isinstance(found, ChecklistInvalid):
            raise ChecklistInvalid(found.detail)
        return found or choose(self.files, self._named_in_files.get(label))

    @cached_property
    def _by_label(self) -> dict[str, Checklist | ChecklistInvalid]:
        return {segment_label(name): checklist for name, checklist in self.active.items() if name != ANY_SEGMENT}

    @cached_property
    def _named_in_files(self) -> dict[str, str]:
        return {segment_label(name): name for checklist in self.files for name in checklist.segments}


def segment_label(segment_type: str | None) -> str:
    """A segment in at most 57 printable characters; the same for all spellings of it, empty for none.

    >>> segment_label(" Sales"), segment_label(None), len(segment_label("x" * 100))
    ('sales', '', 57)
    """
    plain = plain_segment(segment_type or "")
    if len(plain) <= _LABEL_LETTERS and plain.isprintable():
        return plain
    cut = "".join(filter(str.isprintable, plain[:_CUT_LETTERS])).strip()
    return f"{cut}~{hashlib.sha256(plain.encode()).hexdigest()[:16]}"


def choose(checklists: Iterable[Checklist], segment_type: str | None) -> Checklist | None:
    """The checklist for a segment: the one that names it, else the one for `*`, else None.

    Of several that would do, the first by id: the outcome does not hang on the order of files in a directory.
    """
    by_id = sorted(checklists, key=lambda checklist: checklist.id)
    named = (checklist for checklist in by_id if checklist.serves(segment_type))
    return next(named, next((checklist for checklist in by_id if ANY_SEGMENT in checklist.segments), None))
