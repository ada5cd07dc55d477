"""Answer: the form in which a language model answers, as a JSON schema for the server and as models for us.

Lives here: the form of each part, reading JSON out of what came. Does not: whether it is true (checking.py).

Only what every server with structured output knows is in the schema: types, enums, required keys, no others, null. So
lengths and counts are told in words (prompt.py) and checked by us, whatever the server promised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aila_pipeline.domain.models import Role
from aila_pipeline.domain.summary.models import (
    MAX_QUOTE,
    MAX_SUMMARY,
    MAX_TEXT,
    MAX_TOPIC,
    Feeling,
    Question,
    Resolved,
    YesOrNo,
)

MOST_CHARACTERS = 40_000
"""A longer answer is not read: the longest that keeps all limits has about 30,000."""

PARTS = (
    "summary", "topics", "intent", "objections", "commitments", "next_steps", "resolution", "sentiment", "answers",
)  # fmt: skip
"""The keys of an answer, in the order in which they are asked for."""

_LINK = re.compile(r"[a-z]{2,10}://|javascript:|www\.\w|\]\(|<[a-z/!]", re.IGNORECASE)


def _plain(text: str) -> str:
    """One line without control characters. Refuses links and markup: nobody says them, so an order to write them is."""
    if _LINK.search(text):
        raise ValueError("holds a link or markup")
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not plain:
        raise ValueError("is empty")
    return plain


SummaryText = Annotated[str, Field(max_length=MAX_SUMMARY), AfterValidator(_plain)]
NotedText = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_plain)]
TopicText = Annotated[str, Field(max_length=MAX_TOPIC), AfterValidator(_plain)]


class _Part(BaseModel):
    """Keys that nobody asked for are not looked at: a model that adds some is not wrong in the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Cited(_Part):
    """A quote as the model gives it."""

    line: int
    words: Annotated[str, Field(min_length=1, max_length=MAX_QUOTE)]


class Claim(_Part):
    """Something noted."""

    text: NotedText
    quote: Cited | None


class ClaimedResolution(_Part):
    """Whether the client got what was wanted."""

    verdict: Resolved
    quote: Cited | None


class ClaimedSentiment(_Part):
    """How one side felt."""

    role: Role
    label: Feeling
    reason: NotedText
    quote: Cited | None


class ClaimedAnswer(_Part):
    """An answer to a question."""

    id: str
    verdict: YesOrNo
    quote: Cited | None


def schema(questions: Sequence[Question]) -> dict[str, Any]:
    """The JSON schema of an answer to these questions."""
    text = {"type": "string"}
    quote = {"anyOf": [_object(line={"type": "integer"}, words=text), {"type": "null"}]}
    claim = _object(text=text, quote=quote)
    # An enum must not be empty; where nothing is asked, any answer is one too many and is left out.
    ids = {"type": "string", "enum": [question.id for question in questions]} if questions else text
    return _object(
        summary=text,
        topics=_list(text),
        intent={"anyOf": [claim, {"type": "null"}]},
        objections=_list(claim),
        commitments=_list(claim),
        next_steps=_list(claim),
        resolution=_object(verdict=_one_of(Resolved), quote=quote),
        sentiment=_list(
            _object(role={"type": "string", "enum": [*Role]}, label=_one_of(Feeling), reason=text, quote=quote)
        ),
        answers=_list(_object(id=ids, verdict=_one_of(YesOrNo), quote=quote)),
    )


def parse(text: str) -> dict[str, Any] | str:
    """The JSON object in what the model wrote, or what is wrong with it. A Markdown fence around it is forgiven."""
    if len(text) > MOST_CHARACTERS:
        return "it is far too long"
    bare = text.strip()
    if bare.startswith("```"):
        bare = bare.removesuffix("```").split("\n", 1)[-1]
    try:
        found = json.loads(bare)
    except (ValueError, RecursionError):
        return "it is not one JSON object and nothing else"
    return found if isinstance(found, dict) else "it is not a JSON object"


def _object(**properties: Any) -> dict[str, Any]:
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _one_of(values: Any) -> dict[str, Any]:
    return {"type": "string", "enum": list(get_args(values))}
