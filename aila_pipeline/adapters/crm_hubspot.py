"""HubSpot: calls as call engagements on the contacts' timelines.

Lives here: what of a call goes into which of HubSpot's objects and properties, and in which order. Does not: requests
and errors (crm_hubspot_requests.py), when to send (the outbox). docs/crm.md says what HubSpot promises and what not.

One call is one engagement because HubSpot holds `aila_call_id` unique and the engagement is upserted by it. A search
before the creation could not promise that: new objects take "a few moments" to appear in HubSpot's searches.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from aila_pipeline.adapters.crm import ASSOCIATION, CALL, CONTACT, CrmCall, CrmContact, Remember
from aila_pipeline.adapters.crm_hubspot_requests import Requests, told
from aila_pipeline.errors import DeliveryFailed, DeliveryRefused

MAX_SUMMARY_LETTERS = 10_000
"""HubSpot takes 65,536 in `hs_call_body`, and a letter that is escaped takes up to six."""

_GROUP = "aila"
_PROPERTIES: dict[str, dict[str, tuple[str, str]]] = {
    "calls": {
        "aila_call_id": ("string", "Aila call id"),
        "aila_message_id": ("string", "Aila message id"),
        "aila_status": ("string", "Aila processing status"),
        "aila_score": ("number", "Aila quality score"),
        "aila_checklist": ("string", "Aila checklist"),
    },
    "contacts": {"aila_contact_id": ("string", "Aila contact id")},
}
"""Our own properties with type and label. Few: a free account has ten of its own for each kind of object."""

_CONTACT_PROPERTIES = ("email", "phone", "firstname", "lastname")
_PHONES = {"phone": "hs_searchable_calculated_phone_number", "mobilephone": "hs_searchable_calculated_mobile_number"}
"""HubSpot's kinds of numbers, each with the property in which it is searched without its country's code."""

_UNIQUE = frozenset({"aila_call_id", "aila_contact_id"})

_Properties = dict[str, str]


class HubSpot:
    """One HubSpot account, opened by the token of a private app."""

    def __init__(self, token: str, url: str | None = None) -> None:
        self._hubspot = Requests(token, url)
        self._owners: dict[str, str | None] = {}
        self._prepared: set[str] = set()

    def sync(self, call: CrmCall, known: Mapping[str, str], remember: Remember) -> Mapping[str, str]:
        """See `Crm.sync`."""
        ids = dict(known)

        def keep(kind: str, remote_id: str) -> str:
            if ids.get(kind) != remote_id:
                remember(kind, remote_id)
                ids[kind] = remote_id
            return remote_id

        contact_id = None
        if call.contact is not None:
            contact_id = ids.get(CONTACT) or keep(CONTACT, self._contact(call.contact))
        call_id = keep(CALL, self._upsert("calls", "aila_call_id", call.call_id, self._call_properties(call)))
        # Once made, an association is left to people: who takes a call off a contact had a reason.
        if call.contact is None or contact_id is None or ids.get(ASSOCIATION) == f"{call_id}-{contact_id}":
            return ids
        try:
            self._associate(call_id, contact_id)
        except DeliveryRefused:
            if CONTACT not in known:
                raise
            # The contact that we remember may have been deleted or merged away since.
            contact_id = keep(CONTACT, self._contact(call.contact))
            self._associate(call_id, contact_id)
        keep(ASSOCIATION, f"{call_id}-{contact_id}")
        return ids

    def _contact(self, contact: CrmContact) -> str:
        """The id of HubSpot's contact for this person: found, or made.

        What people have written into a contact that exists is kept; only its blanks are filled.
        """
        first, _, last = (contact.name or "").partition(" ")
        ours = {"email": contact.email, "phone": contact.phone, "firstname": first, "lastname": last.strip()}
        told = {name: value for name, value in ours.items() if value}
        if contact.email:
            found = self._by_email(contact.email)
        else:
            found = self._by_phone(contact.phone) if contact.phone else None
        if found is None and contact.email:
            return self._upsert("contacts", "email", contact.email, told)
        if found is None:
            return self._upsert("contacts", "aila_contact_id", contact.id, told)
        named = found.properties.get("firstname") or found.properties.get("lastname")
        blank = {
            name: value
            for name, value in told.items()
            if not (named if name in {"firstname", "lastname"} else found.properties.get(name))
        }
        if blank:
            self._hubspot.ask(self._hubspot.sdk.objects.update, "contacts", found.id, {"properties": blank})
        return str(found.id)

    def _by_email(self, email: str) -> Any:
        """The contact with this address, or None. Asked in a body, as addresses in paths end up in logs."""
        asked = {"idProperty": "email", "inputs": [{"id": email}], "properties": list(_CONTACT_PROPERTIES)}
        answer = self._hubspot.ask(self._hubspot.sdk.batches.read, "contacts", asked | {"propertiesWithHistory": []})
        return next(iter(answer.results), None)

    def _by_phone(self, phone: str) -> Any:
        """The oldest contact with this number, or None.

        HubSpot searches without the country's code, so what it finds is compared again.
        """
        import phonenumbers  # noqa: PLC0415 - slow to import

        try:
            national = phonenumbers.national_significant_number(phonenumbers.parse(phone))
        except phonenumbers.NumberParseException:
            return None
        asked = {
            "filterGroups": [
                {"filters": [{"propertyName": searchable, "operator": "EQ", "value": national}]}
                for searchable in _PHONES.values()
            ],
            "properties": [*_CONTACT_PROPERTIES, "mobilephone"],
            "limit": 100,
        }
        same = {phonenumbers.MatchType.EXACT_MATCH, phonenumbers.MatchType.NSN_MATCH}
        found = [
            one
            for one in self._hubspot.ask(self._hubspot.sdk.searches.do_search, "contacts", asked).results
            if any(phonenumbers.is_number_match(one.properties.get(kind) or "", phone) in same for kind in _PHONES)
        ]
        return min(found, key=lambda one: int(one.id), default=None)

    def _owner(self, email: str | None) -> str | None:
        """The id of the account's user with this address, or None."""
        if not email:
            return None
        if email not in self._owners:
            try:
                found = self._hubspot.ask(self._hubspot.sdk.owners.get_page, email=email, limit=1).results
            except DeliveryRefused as refusal:
                if refusal.status != 403:
                    raise
                found = []  # A token without crm.objects.owners.read: records without an owner are better than none.
            self._owners[email] = str(found[0].id) if found else None
        return self._owners[email]

    def _call_properties(self, call: CrmCall) -> _Properties:
        """What the engagement shows."""
        direction = call.direction.upper() if call.direction in {"inbound", "outbound"} else None
        phone = call.contact.phone if call.contact else None
        shown = {
            "hs_timestamp": str(round(call.started_at.timestamp() * 1000)),
            "hs_call_title": _title(call),
            "hs_call_body": _body(call),
            # The conversation took place, whether or not it could be processed: that is `aila_status`.
            "hs_call_status": "COMPLETED",
            "hs_call_direction": direction,
            "hs_call_duration": None if call.seconds is None else str(round(call.seconds * 1000)),
            "hs_call_from_number": phone if direction == "INBOUND" else None,
            "hs_call_to_number": phone if direction == "OUTBOUND" else None,
            "hubspot_owner_id": self._owner(call.owner_email),
        }
        # Ours are told even if empty: a second attempt that gives no score takes the first one's away.
        ours = {
            "aila_message_id": call.message_id,
            "aila_status": call.status,
            "aila_score": "" if call.score is None else f"{call.score:g}",
            "aila_checklist": call.checklist or "",
        }
        return {name: value for name, value in shown.items() if value is not None} | ours

    def _associate(self, call_id: str, contact_id: str) -> None:
        """Shows the call on the contact's timeline; once more changes nothing."""
        self._hubspot.ask(self._hubspot.sdk.associations.create_default, "calls", call_id, "contacts", contact_id)

    def _upsert(self, kind: str, unique: str, value: str, properties: _Properties) -> str:
        """The id of the one object whose unique property has this value: changed, or made."""
        asked = {"inputs": [{"idProperty": unique, "id": value, "properties": properties}]}
        try:
            answer = self._hubspot.ask(self._hubspot.sdk.batches.upsert, kind, asked)
        except DeliveryRefused as refusal:
            # HubSpot words it in several ways if it does not know a property; so look once which ones it has.
            if refusal.status != 400 or not self._prepare(kind):
                raise
            answer = self._hubspot.ask(self._hubspot.sdk.batches.upsert, kind, asked)
        if not answer.results or not answer.results[0].id:
            errors = getattr(answer, "errors", None) or []
            raise DeliveryRefused(told(207, {"category": errors[0].category if errors else ""}), status=207)
        return str(answer.results[0].id)

    def _prepare(self, kind: str) -> bool:
        """Makes our properties where the account lacks them; whether this is the first time that it looks.

        Another worker may have made them since the request that was refused, so it is worth asking again either way.
        Raises `DeliveryRefused` if one of them cannot hold what makes an upsert safe.
        """
        if kind in self._prepared:
            return False
        there = {one.name: one for one in self._hubspot.ask(self._hubspot.sdk.properties.get_all, kind).results}
        for name in _UNIQUE & _PROPERTIES[kind].keys() & there.keys():
            if not there[name].has_unique_value:
                raise DeliveryRefused(
                    f"HubSpot's property {name} is not unique; delete it, it is made anew", status=400
                )
        lacking = {name: told for name, told in _PROPERTIES[kind].items() if name not in there}
        if lacking:
            self._make(self._hubspot.sdk.groups.create, kind, {"name": _GROUP, "label": "Aila"})
        for name, (sort, label) in lacking.items():
            field = {"name": name, "label": label, "type": sort, "groupName": _GROUP}
            field["fieldType"] = "number" if sort == "number" else "text"
            self._make(self._hubspot.sdk.properties.create, kind, field | {"hasUniqueValue": name in _UNIQUE})
        self._prepared.add(kind)
        return True

    def _make(self, create: Callable[..., Any], kind: str, made: Mapping[str, object]) -> None:
        """Creates a property or group, unless it is there by now."""
        try:
            self._hubspot.ask(create, kind, made)
        except DeliveryFailed as failure:
            if failure.status != 409:
                raise


def _title(call: CrmCall) -> str:
    if call.score is not None:
        return f"Call, quality {call.score:g} of 100"
    return "Call" if call.status == "completed" else "Call, not processed"


def _body(call: CrmCall) -> str:
    """The engagement's text. HubSpot shows it as HTML, so nothing that was said may become any."""
    summary = call.summary or ""
    if len(summary) > MAX_SUMMARY_LETTERS:
        summary = summary[: MAX_SUMMARY_LETTERS - 1] + "…"
    facts = (
        None if call.score is None else f"Quality: {call.score:g} of 100 (checklist {call.checklist})",
        None if call.error_code is None else f"Not processed: {call.error_code}",
        None if call.external_id is None else f"External id: {call.external_id}",
        None if call.api_url is None else f"In full: {call.api_url}",
    )
    parts = (summary, "\n".join(filter(None, facts)))
    return html.escape("\n\n".join(filter(None, parts))).replace("\n", "<br>")
