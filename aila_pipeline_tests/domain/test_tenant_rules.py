"""What an operator may set for a tenant: every setting by its name, and no value that would fail later."""

from __future__ import annotations

import pytest

from aila_pipeline.domain.intake.fields import zone_of
from aila_pipeline.domain.intake.sources import allowed
from aila_pipeline.domain.models import Role, TenantSettings
from aila_pipeline.domain.tenant_rules import changed
from aila_pipeline.errors import SettingInvalid

GOOD = {
    "timezone": "Asia/Almaty",
    "fallback_encoding": "cp1251",
    "phone_region": "KZ",
    "left_channel": "operator",
    "right_channel": "client",
    "language": "ru",
    "hotwords": "Kaspi Astana",
    "initial_prompt": "A call about a loan.",
    "allowed_sources": "s3://partner/calls/,s3://other",
    "create_users": "false",
    "batches_per_hour": "0",
    "calls_per_hour": "1000000",
    "concurrent_batches": "3",
}


def test_every_setting_can_be_set_from_text() -> None:
    found = changed(TenantSettings(), GOOD)
    assert set(GOOD) == set(TenantSettings.model_fields)
    assert found.left_channel is Role.OPERATOR
    assert found.calls_per_hour == 1_000_000
    assert found.create_users is False
    assert str(zone_of(found)) == "Asia/Almaty"
    assert allowed("s3://partner/calls/a.wav", found.allowed_sources)
    assert allowed("s3://other/a.wav", found.allowed_sources)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "Mars/Base"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("fallback_encoding", "klingon"),
        ("fallback_encoding", "rot13"),
        ("fallback_encoding", "zlib"),
        ("fallback_encoding", ""),
        ("phone_region", "kz"),
        ("phone_region", "ZZ"),
        ("left_channel", "operator"),
        ("right_channel", "agent"),
        ("language", "Russian"),
        ("hotwords", "x" * 501),
        ("initial_prompt", "x" * 501),
        ("allowed_sources", "https://host/calls"),
        ("allowed_sources", "s3://"),
        ("allowed_sources", "s3://bucket/../other"),
        ("create_users", "perhaps"),
        ("create_users", ""),
        ("batches_per_hour", "-1"),
        ("calls_per_hour", "many"),
        ("concurrent_batches", "1.5"),
        ("concurrent_batches", ""),
    ],
)
def test_a_value_that_would_fail_later_is_refused_by_its_name_and_not_quoted(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=rf"^a setting cannot work: {name}: ") as refused:
        changed(TenantSettings(), {name: value})
    assert not value or f"'{value}'" not in refused.value.detail


def test_a_name_that_is_no_setting_is_answered_with_those_that_are() -> None:
    with pytest.raises(SettingInvalid, match=r"it has timezone, .*concurrent_batches"):
        changed(TenantSettings(), {"time_zone": "UTC"})


def test_a_value_set_before_there_was_a_rule_hinders_no_other_change() -> None:
    old = TenantSettings(timezone="Mars/Base")
    assert changed(old, {"calls_per_hour": "5"}).timezone == "Mars/Base"


def test_both_roles_can_be_swapped_at_once() -> None:
    found = changed(TenantSettings(), {"left_channel": "operator", "right_channel": "client"})
    assert (found.left_channel, found.right_channel) == (Role.OPERATOR, Role.CLIENT)
