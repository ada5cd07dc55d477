"""People in the ledger: made once, linked with their calls, never overwritten, in the transaction of the result.

Lives here: the room on both databases. Does not: the rules one by one (domain/test_people.py), many shards at once
(test_people_at_once.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.leases import Leases
from aila_pipeline.adapters.ledger.people import Matched
from aila_pipeline.adapters.ledger.people_tables import contacts, observations
from aila_pipeline.adapters.ledger.records import Tenant, WorkCall
from aila_pipeline.adapters.ledger.tables import calls, stage_results, users
from aila_pipeline.domain.models import SubmittedCall, TenantSettings
from aila_pipeline.domain.people import UserWanted, people_version
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import AudioInvalid, LeaseLost, UserNotFound
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_tenant,
    a_worker,
    an_accepted_batch,
    holding,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound


def versions(found: list[WorkCall]) -> list[tuple[WorkCall, Version]]:
    """The calls with the version that matching them would give."""
    return [(call, people_version(call.details, call.tenant.settings.phone_region)) for call in found if call.details]


def match(ledger: Ledger, *submitted: SubmittedCall, tenant: Tenant | None = None) -> list[Matched]:
    """Match the people of a new batch with these calls."""
    (shard,) = an_accepted_batch(ledger, *submitted, tenant=tenant).shards
    with holding(ledger, shard) as work:
        return ledger.people.match(work, versions(work.calls()))


def meet(ledger: Ledger, tenant: Tenant | None = None, **said: Any) -> Matched:
    """Match the people of one call."""
    (matched,) = match(ledger, a_call(0, **said), tenant=tenant)
    return matched


def changed(ledger: Ledger, **settings: Any) -> Tenant:
    return ledger.tenants.change_settings(a_tenant(ledger), TenantSettings(**settings))


PERSON: dict[str, Any] = {"user_email": "ann@acme.example", "contact_phone": "+77012345678", "contact_name": "John Doe"}


def test_new_people_are_made_and_linked_with_their_call_and_its_result(ledger: Ledger) -> None:
    matched = meet(ledger, **PERSON, user_name="Ann Lee", user_group="Sales", contact_email="John@Example.com")
    (user,) = rows(ledger, users, users.c.email.is_not(None))
    (contact,) = rows(ledger, contacts)
    assert (user.login, user.email, user.name, user.name_key, user.user_group, user.only_name) == (
        "ann@acme.example",
        "ann@acme.example",
        "Ann Lee",
        "ann lee",
        "Sales",
        None,
    )
    assert (contact.phone, contact.email, contact.name) == ("+77012345678", "john@example.com", "John Doe")
    (call,) = rows(ledger, calls)
    assert (call.user_id, call.contact_id) == (user.id, contact.id)
    assert (call.id, call.warnings) == (matched.call.id, [])
    (result,) = rows(ledger, stage_results)
    assert result.stage == Stage.PEOPLE
    assert result.document == {
        "user": {"id": user.id, "created": True, "matched_by": None},
        "contact": {"id": contact.id, "created": True, "matched_by": None},
    }
    assert_sound(ledger)


def test_known_people_are_linked_and_the_result_tells_by_what(ledger: Ledger) -> None:
    first, second = meet(ledger, **PERSON), meet(ledger, **PERSON | {"user_email": "ANN@acme.example"})
    assert first.user is not None
    assert second.user is not None
    assert second.contact is not None
    assert (second.user.id, second.user.created, second.user.matched_by) == (first.user.id, False, "email")
    assert (second.contact.created, second.contact.matched_by) == (False, "phone")
    assert len(rows(ledger, contacts)) == 1


def test_calls_of_one_group_find_who_was_made_a_moment_ago(ledger: Ledger) -> None:
    found = match(ledger, *(a_call(n, contact_phone="+77012345678", user_name="Ann Lee") for n in range(5)))
    assert len({matched.contact.id for matched in found if matched.contact}) == 1
    assert len({matched.user.id for matched in found if matched.user}) == 1
    assert [matched.user.created for matched in found if matched.user] == [True, False, False, False, False]


def test_people_of_another_tenant_are_other_people(ledger: Ledger) -> None:
    here, there = meet(ledger, **PERSON), meet(ledger, a_tenant(ledger, "globex"), **PERSON)
    assert here.contact is not None
    assert there.contact is not None
    assert here.contact.id != there.contact.id
    assert there.contact.created


def test_what_differs_is_noted_once_and_nothing_is_overwritten(ledger: Ledger) -> None:
    first = meet(ledger, **PERSON, user_name="Ann Lee")
    other = {"user_name": "Ann May", "contact_name": "J. Doe"}
    second, third = meet(ledger, **PERSON | other), meet(ledger, **PERSON | other | {"contact_name": "j.  DOE"})
    assert second.user is not None
    assert second.contact is not None
    assert third.contact is not None
    assert (second.user.observations, second.contact.observations, third.contact.observations) == (1, 1, 0)
    assert [row.name for row in rows(ledger, contacts)] == ["John Doe"]
    assert {(row.field, row.value, row.call_id) for row in rows(ledger, observations)} == {
        ("name", "Ann May", second.call.id),
        ("name", "J. Doe", second.call.id),
    }
    assert first.user is not None
    assert {row.user_id for row in rows(ledger, observations)} == {None, first.user.id}


def test_phone_of_one_contact_and_email_of_another_link_the_one_of_the_phone(ledger: Ledger) -> None:
    by_phone = meet(ledger, contact_phone="+77012345678").contact
    by_email = meet(ledger, contact_email="john@example.com").contact
    both = meet(ledger, contact_phone="+77012345678", contact_email="john@example.com").contact
    assert by_phone is not None
    assert by_email is not None
    assert both is not None
    assert (both.id, both.observations) == (by_phone.id, 1)
    kept = {row.id: (row.phone, row.email) for row in rows(ledger, contacts)}
    assert kept == {by_phone.id: ("+77012345678", None), by_email.id: (None, "john@example.com")}


def test_a_user_met_by_name_alone_is_given_the_address_that_a_later_call_tells(ledger: Ledger) -> None:
    """And from then on signs in by it: a key for the address is this user's."""
    named = meet(ledger, user_name="Ann Lee").user
    with_email = meet(ledger, user_name="ann lee", user_email="Ann@acme.example").user
    assert named is not None
    assert with_email is not None
    assert (with_email.id, with_email.created, with_email.matched_by) == (named.id, False, "name")
    (row,) = rows(ledger, users, users.c.id == named.id)
    assert (row.email, row.login) == ("ann@acme.example", "ann@acme.example")
    assert ledger.tenants.ensure_user(a_tenant(ledger), "Ann@acme.example") == named.id


def test_who_submits_for_the_tenant_is_the_same_user_in_calls(ledger: Ledger) -> None:
    submitter = ledger.tenants.ensure_user(a_tenant(ledger), "Ops@acme.example")
    met = meet(ledger, user_email="ops@ACME.example", user_name="Cy Poe").user
    assert met is not None
    assert (met.id, met.created) == (submitter, False)
    assert [row.name for row in rows(ledger, users, users.c.id == submitter)] == ["Cy Poe"]


def test_a_submitter_whose_row_has_no_address_yet_is_found_by_the_login(ledger: Ledger) -> None:
    submitter = ledger.tenants.ensure_user(a_tenant(ledger), "ops@acme.example")
    ledger.database.write(lambda c: c.execute(sa.update(users).values(email=None)))
    met = meet(ledger, user_email="ops@acme.example").user
    assert met is not None
    assert met.id == submitter
    assert [row.email for row in rows(ledger, users, users.c.id == submitter)] == ["ops@acme.example"]


def test_a_name_that_several_have_links_nobody_and_warns(ledger: Ledger) -> None:
    meet(ledger, user_name="Ann Lee", user_email="a@acme.example")
    meet(ledger, user_name="Ann Lee", user_email="b@acme.example")
    matched = meet(ledger, user_name="Ann Lee")
    assert (matched.user, matched.warnings) == (None, ("USER_AMBIGUOUS",))
    (call,) = rows(ledger, calls, calls.c.id == matched.call.id)
    assert (call.user_id, call.warnings) == (None, ["USER_AMBIGUOUS"])


def test_what_cannot_be_a_number_makes_nobody_and_warns(ledger: Ledger) -> None:
    found = match(ledger, a_call(0, contact_phone="anonymous"), a_call(1, contact_phone="anonymous"))
    assert [matched.contact for matched in found] == [None, None]
    assert [row.warnings for row in rows(ledger, calls)] == [["PHONE_UNUSUAL"]] * 2
    assert rows(ledger, contacts) == []


def test_a_very_long_name_fits_the_ledger(ledger: Ledger) -> None:
    """255 characters may fold into many more; PostgreSQL refuses what is longer than its column."""
    first, second = meet(ledger, user_name="\ufdfa" * 255), meet(ledger, user_name="\ufdfa" * 255)
    assert first.user is not None
    assert second.user is not None
    assert first.user.id == second.user.id


def test_where_users_are_not_made_an_unknown_one_refuses_the_call_and_leaves_nothing(ledger: Ledger) -> None:
    tenant = changed(ledger, create_users=False)
    known = ledger.people.ensure_user(tenant, UserWanted("ann@acme.example", "Ann Lee", None))
    assert known is not None
    unknown, good = match(
        ledger,
        a_call(0, user_email="eve@acme.example", contact_phone="+77010000000"),
        a_call(1, user_name="Ann Lee", contact_phone="+77012345678"),
        tenant=tenant,
    )
    assert isinstance(unknown.refusal, UserNotFound)
    assert good.user is not None
    assert (good.refusal, good.user.id) == (None, known.id)
    assert [row.phone for row in rows(ledger, contacts)] == ["+77012345678"]
    assert [row.call_id for row in rows(ledger, stage_results)] == [good.call.id]
    refused, passed = unknown.call.details, good.call.details
    assert refused is not None
    assert passed is not None
    with pytest.raises(UserNotFound):
        ledger.people.require_user(tenant, refused)
    ledger.people.require_user(tenant, passed)
    ledger.people.require_user(changed(ledger), refused)


def test_making_a_user_again_makes_nobody(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    first = ledger.people.ensure_user(tenant, UserWanted(None, "Ann Lee", None))
    again = ledger.people.ensure_user(tenant, UserWanted("ann@acme.example", "ann LEE", "Sales"))
    assert first is not None
    assert again is not None
    assert (first.created, again.created, again.id) == (True, False, first.id)
    ledger.people.ensure_user(tenant, UserWanted("lee@acme.example", "Ann Lee", None))
    assert ledger.people.ensure_user(tenant, UserWanted(None, "Ann Lee", None)) is None


def test_a_worker_that_lost_its_shard_makes_nobody(ledger: Ledger) -> None:
    (shard,) = an_accepted_batch(ledger, a_call(0, **PERSON)).shards
    late = a_worker(ledger, shard, token="late")
    needing = versions(late.calls())
    Leases(ledger.database).claim(shard, token="new", run_id="run-2", seconds=30, now=NOW + timedelta(hours=1))
    with pytest.raises(LeaseLost):
        ledger.people.match(late, needing)
    assert rows(ledger, contacts) == rows(ledger, stage_results) == []


def test_results_gathered_before_are_kept_with_the_people(ledger: Ledger) -> None:
    (shard,) = an_accepted_batch(ledger, a_call(0, **PERSON)).shards
    with holding(ledger, shard) as work:
        (call,) = work.calls()
        work.save(call, Version(Stage.SCORES, "v1", ()), {}, seconds=0.1, warnings=["NO_CHECKLIST"])
        ledger.people.match(work, versions([call]))
        assert {row.stage for row in rows(ledger, stage_results)} == {Stage.SCORES, Stage.PEOPLE}
    assert rows(ledger, calls)[0].warnings == ["NO_CHECKLIST"]


def test_a_call_with_new_data_is_nobodys_until_it_is_matched_again(ledger: Ledger) -> None:
    (shard,) = an_accepted_batch(ledger, a_call(0, "c", **PERSON)).shards
    with holding(ledger, shard) as work:
        ledger.people.match(work, versions(work.calls()))
    run(ledger, shard, failing={"c": AudioInvalid()})
    assert rows(ledger, calls)[0].contact_id is not None
    again = an_accepted_batch(ledger, a_call(0, "c", url="s3://calls/mended.wav", contact_phone="+77019999999"))
    assert [(row.user_id, row.contact_id) for row in rows(ledger, calls)] == [(None, None)]
    with holding(ledger, again.shards[0]) as work:
        (matched,) = ledger.people.match(work, versions(work.calls()))
    assert matched.contact is not None
    assert rows(ledger, calls)[0].contact_id == matched.contact.id
