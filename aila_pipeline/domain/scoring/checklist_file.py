"""Checklist file: YAML text to a checklist, with line numbers for whoever has to mend it.

Lives here: reading, and telling what is wrong where. Does not: what a checklist may say (checklist.py), or opening
files (the caller hands the text over, and its origin for the message).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aila_pipeline.domain.scoring.checklist import Checklist
from aila_pipeline.errors import ChecklistInvalid

MAX_LETTERS = 1_000_000
"""No checklist that a person wrote is longer."""

_Loader = yaml.SafeLoader


def parse_checklist(text: str, origin: str) -> Checklist:
    """The checklist that the text holds.

    Raises `ChecklistInvalid` with `origin`, the line of the first mistake and what is wrong; further mistakes follow.
    """
    try:
        node = _node(text)
        for line, reason in _refused(text, node):
            raise ChecklistInvalid(f"{origin}, line {line}: {reason}")
        return Checklist.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506 - the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ChecklistInvalid(f"{origin}, line {line}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ChecklistInvalid(f"{origin}, line 1: not YAML: it holds characters that YAML does not allow") from error
    except (RecursionError, ValueError) as error:
        if not isinstance(error, ValidationError):
            # ValueError: a date such as 2026-02-31 is looked at by PyYAML itself.
            raise ChecklistInvalid(f"{origin}, line 1: a value cannot be read") from error
        told = sorted((_line(node, _location(details)), _reason(details)) for details in _innermost(error.errors()))
        raise ChecklistInvalid("; ".join(f"{origin}, line {line}: {reason}" for line, reason in told)) from error


def parse_checklists(texts: Mapping[str, str]) -> tuple[Checklist, ...]:
    """All checklists of a directory, by id, from their texts by origin.

    Raises `ChecklistInvalid` as `parse_checklist` does, and when two files have one id or serve one segment: which of
    them counts must not be left to chance.
    """
    parsed = [(origin, parse_checklist(text, origin)) for origin, text in sorted(texts.items())]
    seen: dict[str, str] = {}
    for origin, checklist in parsed:
        claims = [
            f"the id {checklist.id!r}",
            *(f"the segment {part.strip().casefold()!r}" for part in checklist.segments),
        ]
        for claim in dict.fromkeys(claims):
            if claim in seen:
                raise ChecklistInvalid(f"{origin}, line 1: {claim} is already taken by {seen[claim]}")
            seen[claim] = origin
    return tuple(sorted((checklist for _, checklist in parsed), key=lambda checklist: checklist.id))


def _node(text: str) -> yaml.Node:
    """The document as nodes, which know their lines. Raises `yaml.YAMLError`."""
    if len(text) > MAX_LETTERS:
        raise yaml.MarkedYAMLError(problem=f"more than {MAX_LETTERS} characters")
    node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    if node is None:
        raise yaml.MarkedYAMLError(problem="the file is empty")
    return node


def _refused(text: str, root: yaml.Node) -> Iterator[tuple[int, str]]:
    """What PyYAML would take, but must not be taken here: aliases (which can grow without end), a key given twice."""
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            yield line, "anchors and aliases (& and *) are not read here; write the value out"
            return
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for name, count in Counter(key.value for key in keys).items():
                if count > 1:
                    last = [key for key in keys if key.value == name][-1]
                    yield last.start_mark.line + 1, f"the key {name!r} is given twice"
            waiting.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _location(details: ErrorDetails) -> tuple[str | int, ...]:
    """Where it is in the YAML. Behind an item's number pydantic tells the item's kind, which is no step there."""
    location = details["loc"]
    return location[:2] + location[3:] if location[:1] == ("items",) else location


def _line(node: yaml.Node, location: Iterable[str | int]) -> int:
    """The line of the node at this location, or of the nearest one above it that exists."""
    line = node.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _innermost(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Leaves out what only follows from another error: a list "too short" because one of its parts is wrong."""
    for details in errors:
        place = details["loc"]
        if not any(len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in errors):
            yield details


def _reason(details: ErrorDetails) -> str:
    """What is wrong, in words for somebody who writes YAML and not Python."""
    steps = [f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in _location(details)]
    place = "".join(steps).removeprefix(".")
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        message = "there is no such key here"
    elif details["type"] == "missing":
        message = "is missing"
    elif details["type"] == "model_type":
        message = "a checklist is a list of `key: value` lines: id, version, title, segments, items"
    elif details["type"] == "string_type":
        message = "must be text; put it in quotes (yes, no, on, off and numbers are no text in YAML)"
    return f"{place}: {message}" if place else message
