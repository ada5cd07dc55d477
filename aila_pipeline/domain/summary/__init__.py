"""Summary: what a language model makes of a call, bound by a schema and by what was really said.

Lives here: the names that others use. models.py says what a summary is, reading.py shows a transcript as lines,
prompt.py says what the model is told, answer.py what it may answer, checking.py what of an answer is kept, costs.py
what asking costs. Does not: asking a server (adapters/language_model.py).
"""

from aila_pipeline.domain.summary.models import (
    Answer,
    Gap,
    Noted,
    Question,
    Quote,
    RoleSentiment,
    Summary,
)

__all__ = ["Answer", "Gap", "Noted", "Question", "Quote", "RoleSentiment", "Summary"]
