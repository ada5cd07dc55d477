"""HubSpot: one contact, one engagement, one association, whatever goes wrong on the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aila_pipeline.adapters.crm import ASSOCIATION, CALL, CONTACT, CrmCall, CrmContact, open_crm
from aila_pipeline.adapters.crm_hubspot import MAX_SUMMARY_LETTERS
from aila_pipeline.adapters.crm_hubspot_requests import Requests
from aila_pipeline.errors import DeliveryFailed, DeliveryRefused, SettingInvalid
from aila_pipeline_tests.adapters.hubspot_server import TOKEN, HubSpotServer, running_hubspot

PHONE, EMAIL = "+77012345678", "dana@client.example"
DANA = CrmContact(id="con_1", phone=PHONE, email=EMAIL, name="Dana Bekova Akhmetova")
BY_PHONE = replace(DANA, email=None)


@pytest.fixture
def hubspot() -> Iterator[HubSpotServer]:
    """An empty account, which has not even our properties."""
    with running_hubspot() as server:
        yield server


class Kept(dict[str, str]):
    """Remembers remote ids as the ledger does."""

    def remember(self, kind: str, remote_id: str) -> None:
        self[kind] = remote_id


def a_call(**changes: object) -> CrmCall:
    call = CrmCall(
        message_id="msg_1",
        call_id="aila_1",
        external_id="CALL-001",
        status="completed",
        started_at=datetime(2026, 1, 13, 10, 30, tzinfo=UTC),
        seconds=61.25,
        direction="inbound",
        score=87.5,
        checklist="sales",
        summary="Asked for <prices> & terms.\nWill call back.",
        error_code=None,
        contact=DANA,
        owner_email=None,
        api_url="https://aila.example/api/v1/calls/aila_1",
    )
    return replace(call, **changes)  # type: ignore[arg-type]


def sync(hubspot: HubSpotServer, call: CrmCall, kept: Kept) -> None:
    """As a process does that has just been started."""
    open_crm("hubspot", token=TOKEN, url=hubspot.url).sync(call, dict(kept), kept.remember)


def sole_call(hubspot: HubSpotServer) -> dict[str, str]:
    (found,) = hubspot.account.objects["calls"].values()
    return found


def sole_contact(hubspot: HubSpotServer) -> dict[str, str]:
    (found,) = hubspot.account.objects["contacts"].values()
    return found


def assert_one_of_each(hubspot: HubSpotServer) -> None:
    (call,), (contact,) = hubspot.account.objects["calls"], hubspot.account.objects["contacts"]
    assert hubspot.account.associations == {(call, contact)}


def test_a_call_shows_its_score_and_redacted_summary_on_the_contact(hubspot: HubSpotServer) -> None:
    """In an account that has never heard of us: what it lacks is made."""
    kept = Kept()
    sync(hubspot, a_call(), kept)
    assert_one_of_each(hubspot)
    assert sole_contact(hubspot) == {
        "email": EMAIL,
        "phone": PHONE,
        "firstname": "Dana",
        "lastname": "Bekova Akhmetova",
    }
    assert sole_call(hubspot) == {
        "hs_timestamp": "1768300200000",
        "hs_call_title": "Call, quality 87.5 of 100",
        "hs_call_body": "Asked for &lt;prices&gt; &amp; terms.<br>Will call back.<br><br>Quality: 87.5 of 100 "
        "(checklist sales)<br>External id: CALL-001<br>In full: https://aila.example/api/v1/calls/aila_1",
        "hs_call_status": "COMPLETED",
        "hs_call_direction": "INBOUND",
        "hs_call_duration": "61250",
        "hs_call_from_number": PHONE,
        "aila_call_id": "aila_1",
        "aila_message_id": "msg_1",
        "aila_status": "completed",
        "aila_score": "87.5",
        "aila_checklist": "sales",
    }
    (call, contact), *_ = hubspot.account.associations
    assert kept == {CALL: call, CONTACT: contact, ASSOCIATION: f"{call}-{contact}"}


def test_a_call_that_could_not_be_processed_says_why(hubspot: HubSpotServer) -> None:
    failed = a_call(
        status="failed", error_code="AUDIO_INVALID", score=None, checklist=None, summary=None, direction="outbound"
    )
    sync(hubspot, failed, Kept())
    told = sole_call(hubspot)
    assert told["hs_call_title"] == "Call, not processed"
    assert told["hs_call_body"].startswith("Not processed: AUDIO_INVALID<br>")
    assert (told["aila_status"], told["aila_score"]) == ("failed", "")
    assert told["hs_call_to_number"] == PHONE
    assert "hs_call_from_number" not in told


def test_the_same_message_again_changes_nothing_and_asks_little(hubspot: HubSpotServer) -> None:
    kept = Kept()
    sync(hubspot, a_call(), kept)
    before, remembered = repr(hubspot.account), dict(kept)
    hubspot.asked.clear()
    sync(hubspot, a_call(), kept)
    assert (repr(hubspot.account), dict(kept)) == (before, remembered)
    assert hubspot.asked == ["POST /crm/v3/objects/calls/batch/upsert"]


@pytest.mark.parametrize(
    "contact", [DANA, BY_PHONE, CrmContact(id="con_1", name="Dana")], ids=["email", "phone", "name"]
)
@pytest.mark.parametrize("forgotten", [(), (CALL,), (CONTACT,), (ASSOCIATION,), (CALL, CONTACT, ASSOCIATION)], ids=str)
def test_a_crash_before_an_id_was_remembered_leaves_one_of_each(
    hubspot: HubSpotServer, contact: CrmContact, forgotten: tuple[str, ...]
) -> None:
    """Also while HubSpot's search does not yet find what was made."""
    hubspot.account.search_lags = True
    kept = Kept()
    sync(hubspot, a_call(contact=contact), kept)
    for kind in forgotten:
        del kept[kind]
    sync(hubspot, a_call(contact=contact), kept)
    assert_one_of_each(hubspot)


@pytest.mark.parametrize("lost", ["contacts/batch/upsert", "calls/batch/upsert", "associations", "properties/calls"])
@pytest.mark.parametrize("status", [None, 502])
def test_an_answer_lost_on_its_way_back_leaves_one_of_each(
    hubspot: HubSpotServer, lost: str, status: int | None
) -> None:
    """The request was carried out, and nobody here knows it."""
    hubspot.account.search_lags = True
    hubspot.fail(path=lost, status=status, after=True)
    kept = Kept()
    with pytest.raises(DeliveryFailed):
        sync(hubspot, a_call(contact=BY_PHONE), kept)
    sync(hubspot, a_call(contact=BY_PHONE), kept)
    assert_one_of_each(hubspot)


def test_the_same_message_sent_by_several_workers_at_once_leaves_one_of_each(hubspot: HubSpotServer) -> None:
    """In an account without our properties, which all of them then make."""
    hubspot.account.search_lags = True
    with ThreadPoolExecutor(6) as workers:
        for done in [workers.submit(sync, hubspot, a_call(contact=BY_PHONE), Kept()) for _ in range(12)]:
            done.result()
    assert_one_of_each(hubspot)


def test_each_id_is_remembered_before_the_next_step(hubspot: HubSpotServer) -> None:
    kept = Kept()
    hubspot.fail(path="calls/batch/upsert", status=500)
    with pytest.raises(DeliveryFailed):
        sync(hubspot, a_call(), kept)
    assert kept.keys() == {CONTACT}
    hubspot.fail(path="associations", status=500)
    with pytest.raises(DeliveryFailed):
        sync(hubspot, a_call(), kept)
    assert kept.keys() == {CONTACT, CALL}


def test_a_later_attempt_of_a_call_changes_its_engagement(hubspot: HubSpotServer) -> None:
    """Another message of the same call; a score that is gone does not stay."""
    kept = Kept()
    sync(hubspot, a_call(), kept)
    sync(hubspot, a_call(message_id="msg_2", status="failed", error_code="AUDIO_INVALID", score=None), kept)
    assert_one_of_each(hubspot)
    assert (sole_call(hubspot)["aila_message_id"], sole_call(hubspot)["aila_score"]) == ("msg_2", "")


def test_a_contact_that_people_keep_is_filled_and_not_overwritten(hubspot: HubSpotServer) -> None:
    contact = hubspot.account.add("contacts", {"email": "Dana@Client.example", "firstname": "Mrs"})
    sync(hubspot, a_call(), Kept())
    assert hubspot.account.objects["contacts"] == {
        contact: {"email": "Dana@Client.example", "firstname": "Mrs", "phone": PHONE}
    }


@pytest.mark.parametrize("written", ["+7 (701) 234-56-78", "8 701 234 56 78", "7012345678"])
def test_a_contact_without_email_is_found_by_its_number_however_it_is_written(
    hubspot: HubSpotServer, written: str
) -> None:
    first = hubspot.account.add("contacts", {"mobilephone": written, "firstname": "Dana"})
    hubspot.account.add("contacts", {"phone": written})
    kept = Kept()
    sync(hubspot, a_call(contact=BY_PHONE), kept)
    assert kept[CONTACT] == first
    assert hubspot.account.objects["contacts"][first]["firstname"] == "Dana"


def test_the_same_number_in_another_country_is_somebody_else(hubspot: HubSpotServer) -> None:
    other = hubspot.account.add("contacts", {"phone": "+17012345678"})
    kept = Kept()
    sync(hubspot, a_call(contact=BY_PHONE), kept)
    assert kept[CONTACT] != other


def test_a_call_without_a_contact_is_logged_alone(hubspot: HubSpotServer) -> None:
    sync(hubspot, a_call(contact=None), Kept())
    assert len(hubspot.account.objects["calls"]) == 1
    assert hubspot.account.objects["contacts"] == {}


def test_a_contact_deleted_since_is_made_again(hubspot: HubSpotServer) -> None:
    kept = Kept()
    sync(hubspot, a_call(), kept)
    hubspot.account.delete("contacts", kept[CONTACT])
    sync(hubspot, a_call(call_id="aila_2", message_id="msg_2"), Kept({CONTACT: kept[CONTACT]}))
    assert len(hubspot.account.objects["contacts"]) == 1
    assert len(hubspot.account.associations) == 1


def test_an_association_that_a_person_removed_stays_removed(hubspot: HubSpotServer) -> None:
    kept = Kept()
    sync(hubspot, a_call(), kept)
    hubspot.account.associations.clear()
    sync(hubspot, a_call(message_id="msg_2"), kept)
    assert hubspot.account.associations == set()


def test_the_operator_owns_the_engagement(hubspot: HubSpotServer) -> None:
    hubspot.account.owners["op@acme.example"] = "77"
    crm = open_crm("hubspot", token=TOKEN, url=hubspot.url)
    for n in range(2):
        crm.sync(a_call(call_id=f"aila_{n}", owner_email="op@acme.example"), {}, Kept().remember)
        crm.sync(a_call(call_id=f"aila_{n + 2}", owner_email="gone@acme.example"), {}, Kept().remember)
    assert [told.get("hubspot_owner_id") for told in hubspot.account.objects["calls"].values()] == ["77", None] * 2
    assert hubspot.asked.count("GET /crm/v3/owners/") == 2


def test_without_the_right_to_read_users_the_engagement_has_no_owner(hubspot: HubSpotServer) -> None:
    hubspot.account.scopes.remove("crm.objects.owners.read")
    sync(hubspot, a_call(owner_email="op@acme.example"), Kept())
    assert "hubspot_owner_id" not in sole_call(hubspot)


def test_the_longest_summary_is_taken(hubspot: HubSpotServer) -> None:
    sync(hubspot, a_call(summary="&" * (MAX_SUMMARY_LETTERS + 1)), Kept())
    assert sole_call(hubspot)["hs_call_body"].startswith("&amp;" * (MAX_SUMMARY_LETTERS - 1) + "…<br>")


def test_a_token_that_may_not_make_properties_is_told_so(hubspot: HubSpotServer) -> None:
    hubspot.account.scopes.remove("crm.schemas.contacts.write")
    with pytest.raises(DeliveryRefused, match=r"HubSpot answered 403 \(MISSING_SCOPES, correlation [-0-9a-f]{36}\)"):
        sync(hubspot, a_call(), Kept())
    assert hubspot.account.objects["calls"] == {}


def test_a_property_of_our_name_that_is_not_unique_is_not_trusted(hubspot: HubSpotServer) -> None:
    hubspot.account.custom["calls"]["aila_call_id"] = {"name": "aila_call_id", "type": "string"}
    with pytest.raises(DeliveryRefused, match="aila_call_id is not unique"):
        sync(hubspot, a_call(), Kept())
    assert hubspot.account.objects["calls"] == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [({"contact": replace(DANA, email="nobody at all")}, "INVALID_EMAIL"), ({"direction": None}, None)],
    ids=["a value that HubSpot does not take", "no direction"],
)
def test_a_refusal_names_the_code_and_never_the_value(
    hubspot: HubSpotServer, change: dict[str, object], code: str | None
) -> None:
    if code is None:
        sync(hubspot, a_call(**change), Kept())
        assert "hs_call_direction" not in sole_call(hubspot)
        return
    with pytest.raises(DeliveryRefused) as caught:
        sync(hubspot, a_call(**change), Kept())
    assert code in caught.value.message
    assert "nobody" not in caught.value.message


@pytest.mark.parametrize("status", [300, 307, 400, 401, 403, 404, 415, 422])
def test_what_will_never_be_taken_is_refused(hubspot: HubSpotServer, status: int) -> None:
    """A 400 may mean that a property is lacking, so it is looked up, and the request sent a second time."""
    hubspot.fail(path="calls/batch/upsert", status=status, headers={"Location": hubspot.url}, times=2)
    with pytest.raises(DeliveryRefused, match=f"HubSpot answered {status}") as caught:
        sync(hubspot, a_call(), Kept({CONTACT: "501"}))
    assert (caught.value.retryable, caught.value.status) == (False, status)
    assert hubspot.asked.count("POST /crm/v3/objects/calls/batch/upsert") == (2 if status == 400 else 1)


@pytest.mark.parametrize("status", [408, 409, 423, 429, 477, 500, 502, 503, 504, 524])
def test_what_may_be_taken_later_is_not_tried_again_here(hubspot: HubSpotServer, status: int) -> None:
    hubspot.fail(path="calls/batch/upsert", status=status)
    with pytest.raises(DeliveryFailed, match=f"HubSpot answered {status}") as caught:
        sync(hubspot, a_call(), Kept({CONTACT: "501"}))
    assert (caught.value.retryable, caught.value.retry_after_seconds) == (True, None)
    assert len(hubspot.asked) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}, 10.0),
        ({"Retry-After": "soon"}, None),
    ],
    ids=["said", "the limit's interval", "unreadable"],
)
def test_the_wait_that_hubspot_asks_for_is_told(
    hubspot: HubSpotServer, headers: dict[str, str], seconds: float | None
) -> None:
    body = b'{"status":"error","message":"You have reached your ten_secondly limit.","errorType":"RATE_LIMIT"}'
    hubspot.fail(status=429, headers=headers, body=body)
    with pytest.raises(DeliveryFailed, match=r"429 \(RATE_LIMIT\)") as caught:
        sync(hubspot, a_call(), Kept())
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b"[]", b"null", b'"x"', b"{}", b'{"results":[]}', b'{"results":[{}]}']
)
@pytest.mark.parametrize("status", [200, 502])
def test_any_answer_gives_an_error_of_ours(hubspot: HubSpotServer, status: int, body: bytes) -> None:
    """A proxy on the way may answer anything."""
    hubspot.fail(path="calls/batch/upsert", status=status, body=body)
    with pytest.raises((DeliveryFailed, DeliveryRefused)):
        sync(hubspot, a_call(), Kept({CONTACT: "501"}))


def test_a_host_that_says_nothing_is_given_up(hubspot: HubSpotServer) -> None:
    hubspot.fail(status=200, seconds=3)
    requests = Requests(TOKEN, hubspot.url, timeout=(0.2, 0.2))
    with pytest.raises(DeliveryFailed, match="did not answer"):
        requests.ask(requests.sdk.owners.get_page, limit=1)


def test_no_host_there_may_be_one_later() -> None:
    with running_hubspot() as gone:
        pass
    with pytest.raises(DeliveryFailed, match="did not answer") as caught:
        sync(gone, a_call(), Kept())
    assert caught.value.status is None


def test_neither_logs_nor_errors_tell_whose_call_it_was(
    hubspot: HubSpotServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Even with all logging on, and in the traceback that an unhandled error would print."""
    caplog.set_level(logging.DEBUG)
    wrong = EMAIL.replace("@", "/at/")
    sync(hubspot, a_call(owner_email="op@acme.example"), Kept())
    with pytest.raises(DeliveryRefused) as caught:
        sync(hubspot, a_call(contact=replace(DANA, email=wrong)), Kept())
    shown = caplog.text + str(caught.getrepr(style="native")) + repr(a_call())
    assert "HubSpot answered 400" in shown
    for secret in (PHONE, EMAIL, wrong, "Bekova", "prices", TOKEN, "op@acme.example"):
        assert secret not in shown


def test_the_token_goes_to_hubspot_alone() -> None:
    with running_hubspot() as elsewhere, running_hubspot() as hubspot:
        hubspot.fail(status=302, headers={"Location": f"{elsewhere.url}/crm/v3/owners/"}, times=9)
        with pytest.raises(DeliveryRefused):
            sync(hubspot, a_call(), Kept())
        assert elsewhere.asked == []


@pytest.mark.parametrize("url", ["http://hubspot.example", "ftp://127.0.0.1", "api.hubapi.com", "http://[", "https://"])
def test_a_token_is_not_sent_where_others_can_read_it(url: str) -> None:
    with pytest.raises(SettingInvalid):
        open_crm("hubspot", token=TOKEN, url=url)


def test_a_crm_that_nobody_wrote_is_told_with_those_there_are() -> None:
    with pytest.raises(SettingInvalid, match="known are hubspot"):
        open_crm("hubspto", token=TOKEN)
    with pytest.raises(SettingInvalid, match="token"):
        open_crm("hubspot", token=" ")
