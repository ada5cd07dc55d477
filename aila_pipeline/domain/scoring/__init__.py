"""Scoring: a call held against the checklist of its segment.

Lives here: the names that others use. checklist.py says what a checklist is, checklist_file.py reads one, phrases.py
finds what was said, verdicts.py judges.
"""

from aila_pipeline.domain.scoring.checklist import Checklist, choose
from aila_pipeline.domain.scoring.checklist_file import parse_checklist, parse_checklists
from aila_pipeline.domain.scoring.phrases import Evidence
from aila_pipeline.domain.scoring.verdicts import ItemScore, Score, Verdict, score

__all__ = [
    "VERSION",
    "Checklist",
    "Evidence",
    "ItemScore",
    "Score",
    "Verdict",
    "choose",
    "parse_checklist",
    "parse_checklists",
    "score",
]

VERSION = "1"
"""Raised when the same transcript, insights and checklist would give another score."""
