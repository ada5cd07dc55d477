"""What the recogniser is told before a call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aila_pipeline.domain.hints import LONGEST, hints_for
from aila_pipeline.domain.models import ArchiveSource, CallDetails, Hints, Role, TenantSettings

TENANT = TenantSettings(hotwords="Kaspi Astana", initial_prompt="A call about a loan.")


def a_call(**metadata: Any) -> CallDetails:
    return CallDetails(
        source=ArchiveSource(name="call.wav"),
        started_at=datetime(2026, 1, 13, tzinfo=UTC),
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
        metadata=metadata,
    )


def test_a_call_without_hints_has_those_of_its_tenant() -> None:
    assert hints_for(TENANT, a_call()) == Hints(hotwords="Kaspi Astana", initial_prompt="A call about a loan.")
    assert hints_for(TenantSettings(), a_call()).given == {}


def test_a_call_s_hot_words_are_added_and_its_prompt_takes_the_tenant_s_place() -> None:
    call = a_call(hotwords="Aigerim", initial_prompt="A call\nabout  a card.")
    assert hints_for(TENANT, call) == Hints(hotwords="Kaspi Astana Aigerim", initial_prompt="A call about a card.")


@pytest.mark.parametrize("value", [None, 7, ["a"], {"a": 1}, "", "  "])
def test_what_is_no_text_is_no_hint(value: object) -> None:
    assert hints_for(TenantSettings(), a_call(hotwords=value, initial_prompt=value)).given == {}


def test_an_endless_text_is_cut() -> None:
    assert hints_for(TenantSettings(), a_call(hotwords="x" * 9_999)).hotwords == "x" * LONGEST
