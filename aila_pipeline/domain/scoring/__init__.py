"""Scoring: a call held against the checklist of its segment.

Lives here: the names that others use. checklist.py says what a checklist is, checklist_file.py reads one, selection.py
chooses one for a call, phrases.py finds what was said, verdicts.py judges.
"""

from aila_pipeline.domain.scoring.checklist import MAX_SEGMENT_LETTERS, Checklist, plain_segment
from aila_pipeline.domain.scoring.checklist_file import parse_checklist, parse_checklists
from aila_pipeline.domain.scoring.phrases import Evidence
from aila_pipeline.domain.scoring.selection import Selection, choose, segment_label
from aila_pipeline.domain.scoring.verdicts import ItemScore, Score, Verdict, score

__all__ = [
    "MAX_SEGMENT_LETTERS",
    "VERSION",
    "Checklist",
    "Evidence",
    "ItemScore",
    "Score",
    "Selection",
    "Verdict",
    "choose",
    "parse_checklist",
    "parse_checklists",
    "plain_segment",
    "score",
    "segment_label",
]

VERSION = "2"
"""Raised when the same transcript, insights and checklist would give another score."""
