"""API keys: shown once, known by their digest, and of no use when one character is changed or they are revoked.

Lives here: keys in the ledger. Does not: the header (api/test_access.py).
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import pytest

from aila_pipeline.adapters.ledger import Ledger, keys
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.tables import api_keys
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_tenant, rows


def a_key(ledger: Ledger, firm: str = "acme") -> str:
    tenant = a_tenant(ledger, firm)
    return ledger.keys.create(tenant, ledger.tenants.ensure_user(tenant, "ops"), now=NOW)


def found(ledger: Ledger, key: str) -> Access:
    access = ledger.keys.find(key)
    assert access is not None
    return access


def test_a_key_opens_its_own_tenant_and_user(ledger: Ledger) -> None:
    acme, globex = a_key(ledger), a_key(ledger, "globex")
    assert found(ledger, acme).tenant == a_tenant(ledger)
    assert found(ledger, globex).tenant == a_tenant(ledger, "globex")
    assert found(ledger, acme).user_id == ledger.tenants.ensure_user(a_tenant(ledger), "ops")


def test_a_key_is_kept_as_its_digest_alone(ledger: Ledger) -> None:
    key = a_key(ledger)
    (row,) = rows(ledger, api_keys)
    assert row.digest == hashlib.sha256(key.encode()).hexdigest()
    secret = key.split("_", 2)[2]  # which may have such signs of its own
    assert not any(secret in str(value) or key in str(value) for value in row)
    assert key.endswith(row.hint)
    assert len(row.hint) == 4


def test_a_key_with_any_one_character_changed_opens_nothing(ledger: Ledger) -> None:
    key = a_key(ledger)
    for place, character in enumerate(key):
        for other in {"a", "b", "_", character.swapcase()} - {character}:
            assert ledger.keys.find(key[:place] + other + key[place + 1 :]) is None
    assert ledger.keys.find(key) is not None


@pytest.mark.parametrize("text", ["", "aila_", "aila__", "aila_x_", "_", "x" * 10_000, "aila_\0_\0", "aïla_x_y", "🔑"])
def test_text_that_is_no_key_opens_nothing(ledger: Ledger, text: str) -> None:
    a_key(ledger)
    assert ledger.keys.find(text) is None


def test_parts_of_two_keys_open_nothing(ledger: Ledger) -> None:
    """The id of one tenant's key with the secret of another's."""
    one, two = a_key(ledger), a_key(ledger, "globex")
    (id_of_one, secret_of_two) = one.split("_")[1], "_".join(two.split("_")[2:])
    assert ledger.keys.find(f"aila_{id_of_one}_{secret_of_two}") is None


def test_a_revoked_key_opens_nothing_from_then_on(ledger: Ledger) -> None:
    key, other = a_key(ledger), a_key(ledger)
    key_id = found(ledger, key).key_id
    assert ledger.keys.revoke(key_id, now=NOW) is True
    assert ledger.keys.find(key) is None
    assert ledger.keys.find(other) is not None
    assert ledger.keys.revoke(key_id, now=NOW) is False
    assert ledger.keys.revoke("key_nobody", now=NOW) is False


def test_a_key_is_compared_in_constant_time_also_where_there_is_none(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown, changed and right keys all go through the same comparison of whole digests."""
    compared: list[tuple[int, int]] = []

    def watching(one: str, two: str) -> bool:
        compared.append((len(one), len(two)))
        return hmac.compare_digest(one, two)

    key = a_key(ledger)
    monkeypatch.setattr(keys, "hmac", type("Watching", (), {"compare_digest": staticmethod(watching)}))
    for asked in (key, key[:-1] + "!", "aila_nobody_secret"):
        ledger.keys.find(asked)
    assert compared == [(64, 64)] * 3


def test_the_last_use_only_moves_forward(ledger: Ledger) -> None:
    key_id = found(ledger, a_key(ledger)).key_id
    for minutes in (5, 3):
        ledger.keys.used({key_id: NOW + timedelta(minutes=minutes)})
    (listed,) = ledger.keys.all()
    assert listed.last_used_at == NOW + timedelta(minutes=5)


def test_all_keys_are_listed_newest_first_without_anything_that_opens(ledger: Ledger) -> None:
    first = a_key(ledger)
    tenant = a_tenant(ledger, "globex")
    second = ledger.keys.create(tenant, ledger.tenants.ensure_user(tenant, "eve"), now=NOW + timedelta(seconds=1))
    listed = ledger.keys.all()
    assert [(key.firm, key.login) for key in listed] == [("globex", "eve"), ("acme", "ops")]
    assert [key.hint for key in listed] == [second[-4:], first[-4:]]
    assert not any(key[10:-4] in str(listed) for key in (first, second))
