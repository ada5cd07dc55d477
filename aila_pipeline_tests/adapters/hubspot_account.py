"""A HubSpot account in memory, which answers as HubSpot's documentation says that HubSpot does.

Lives here: objects, properties, rules and refusals. Does not: HTTP or faults (hubspot_server.py). What is documented:
developers.hubspot.com/docs, CRM objects (contacts, calls), properties, associations v4, owners, search, error handling.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, dict[str, Any]]

STANDARD: dict[str, dict[str, str]] = {
    "contacts": {
        "email": "email",
        "phone": "string",
        "mobilephone": "string",
        "firstname": "string",
        "lastname": "string",
        "hs_searchable_calculated_phone_number": "read_only",
        "hs_searchable_calculated_mobile_number": "read_only",
    },
    "calls": {
        "hs_timestamp": "datetime",
        "hs_call_title": "string",
        "hs_call_body": "string",
        "hs_call_duration": "number",
        "hs_call_from_number": "string",
        "hs_call_to_number": "string",
        "hs_call_direction": "INBOUND OUTBOUND",
        "hs_call_status": "BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED IN_PROGRESS MISSED NO_ANSWER",
        "hubspot_owner_id": "owner",
    },
}
"""Properties that every account has, with their type or their options."""

SCOPES = frozenset({
    "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.owners.read",
    "crm.schemas.contacts.read", "crm.schemas.contacts.write",
})  # fmt: skip
"""Calls have no scopes of their own: they go by those of contacts."""

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, category: str, message: str, **more: object) -> None:
        self.answer: Answer = (
            status,
            {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category} | more,
        )


@dataclass
class Account:
    """Contacts, calls, associations, properties and users of one account."""

    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    owners: dict[str, str] = field(default_factory=dict)
    """Ids of users by e-mail."""
    objects: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: {"contacts": {}, "calls": {}})
    """Properties of objects by kind and id."""
    associations: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of call and contact."""
    custom: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {"contacts": {}, "calls": {}})
    groups: dict[str, set[str]] = field(default_factory=lambda: {"contacts": set(), "calls": set()})
    search_lags: bool = False
    """Whether objects that are made from now on stay unseen by searches."""
    unseen: set[str] = field(default_factory=set)
    next_id: int = 501

    def need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise RefusalError(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes")

    def add(self, kind: str, properties: Mapping[str, str]) -> str:
        """An object as a person makes one: no rule is looked at."""
        made = str(self.next_id)
        self.next_id += 1
        self.objects[kind][made] = dict(properties)
        if self.search_lags:
            self.unseen.add(made)
        return made

    def delete(self, kind: str, object_id: str) -> None:
        """Moves an object to the bin, with its associations."""
        del self.objects[kind][object_id]
        self.associations = {pair for pair in self.associations if object_id not in pair}

    def read(self, kind: str, body: Mapping[str, Any]) -> Answer:
        self.need("crm.objects.contacts.read")
        unknown(body, {"idProperty", "inputs", "properties", "propertiesWithHistory"})
        found = [self._find(kind, body.get("idProperty"), one["id"]) for one in body["inputs"]]
        results = [self._shown(kind, one, body["properties"]) for one in found if one is not None]
        if None not in found:
            return 200, {"status": "COMPLETE", "results": results, **TIMES}
        gone = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some objects"}
        missing = {"numErrors": 1, "errors": [gone | {"context": {}, "errors": [], "links": {}}]}
        return 207, {"status": "COMPLETE", "results": results, **missing, **TIMES}

    def upsert(self, kind: str, body: Mapping[str, Any]) -> Answer:
        self.need("crm.objects.contacts.write")
        unknown(body, {"inputs"})
        results = []
        for one in body["inputs"]:
            unknown(one, {"idProperty", "id", "properties"})
            there = self._find(kind, one["idProperty"], one["id"])
            told = {one["idProperty"]: one["id"]} | one["properties"]
            self._check(kind, told, there)
            made = self.add(kind, {}) if there is None else there
            self.objects[kind][made].update(told)
            results.append(self._shown(kind, made, list(told)) | {"new": there is None})
        return 200, {"status": "COMPLETE", "results": results, **TIMES}

    def update(self, kind: str, object_id: str, body: Mapping[str, Any]) -> Answer:
        self.need("crm.objects.contacts.write")
        unknown(body, {"properties"})
        if object_id not in self.objects[kind]:
            raise RefusalError(404, "OBJECT_NOT_FOUND", "Object not found")
        self._check(kind, body["properties"], object_id)
        self.objects[kind][object_id].update(body["properties"])
        return 200, self._shown(kind, object_id, list(body["properties"]))

    def search(self, kind: str, body: Mapping[str, Any]) -> Answer:
        self.need("crm.objects.contacts.read")
        unknown(body, {"filterGroups", "properties", "limit", "after", "sorts", "query"})
        groups = body["filterGroups"]
        if len(groups) > 5 or body.get("limit", 10) > 200:
            raise RefusalError(400, "VALIDATION_ERROR", "There was a problem with the request.")
        found = [
            one
            for one in self.objects[kind]
            if one not in self.unseen and any(all(self._fits(kind, one, rule) for rule in g["filters"]) for g in groups)
        ]
        results = [self._shown(kind, one, body["properties"]) for one in found[: body.get("limit", 10)]]
        return 200, {"total": len(found), "results": results}

    def associate(self, call_id: str, contact_id: str) -> Answer:
        self.need("crm.objects.contacts.write")
        if call_id not in self.objects["calls"] or contact_id not in self.objects["contacts"]:
            raise RefusalError(404, "OBJECT_NOT_FOUND", f"No object {contact_id}")
        self.associations.add((call_id, contact_id))
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}
        made = {"from": {"id": call_id}, "to": {"id": contact_id}, "associationSpec": spec}
        return 200, {"status": "COMPLETE", "results": [made], **TIMES}

    def owner(self, email: str) -> Answer:
        self.need("crm.objects.owners.read")
        found = [{"id": self.owners[email], "email": email}] if email in self.owners else []
        more = {"type": "PERSON", "createdAt": WHEN, "updatedAt": WHEN, "archived": False}
        return 200, {"results": [one | more for one in found]}

    def properties(self, kind: str) -> Answer:
        self.need("crm.schemas.contacts.read")
        shape = {"label": "", "type": "string", "fieldType": "text", "groupName": "x", "description": "", "options": []}
        standard = [shape | {"name": name, "hasUniqueValue": name == "email"} for name in STANDARD[kind]]
        return 200, {"results": standard + [shape | one for one in self.custom[kind].values()]}

    def make_property(self, kind: str, body: Mapping[str, Any]) -> Answer:
        self.need("crm.schemas.contacts.write")
        unknown(body, {"name", "label", "type", "fieldType", "groupName", "hasUniqueValue"})
        if (body["type"], body["fieldType"]) not in {("string", "text"), ("number", "number")}:
            raise RefusalError(400, "VALIDATION_ERROR", "Invalid type and field type")
        if body["groupName"] not in self.groups[kind]:
            raise RefusalError(400, "VALIDATION_ERROR", f"group {body['groupName']} does not exist")
        if body["name"] in self.custom[kind]:
            raise RefusalError(409, "CONFLICT", f"Property {body['name']} already exists")
        self.custom[kind][body["name"]] = dict(body)
        return 201, {"description": "", "options": [], **body}

    def make_group(self, kind: str, body: Mapping[str, Any]) -> Answer:
        self.need("crm.schemas.contacts.write")
        unknown(body, {"name", "label"})
        if body["name"] in self.groups[kind]:
            raise RefusalError(409, "CONFLICT", f"Property group {body['name']} already exists")
        self.groups[kind].add(body["name"])
        return 201, {"archived": False, "displayOrder": -1, **body}

    def _find(self, kind: str, unique: str | None, value: str) -> str | None:
        """The object whose unique property has this value."""
        if unique is None:
            return value if value in self.objects[kind] else None
        if unique != "email" and not self.custom[kind].get(unique, {}).get("hasUniqueValue"):
            raise RefusalError(
                400, "VALIDATION_ERROR", f"Unable to perform update/upsert by non-unique property {unique}"
            )
        same = str.casefold if unique == "email" else str
        holding = (one for one, told in self.objects[kind].items() if same(told.get(unique, "")) == same(value))
        return next(holding, None)

    def _check(self, kind: str, told: Mapping[str, Any], object_id: str | None) -> None:
        """Refuses properties that the account does not have, and values that they do not take."""
        for name, value in told.items():
            if not isinstance(value, str):
                raise RefusalError(400, "VALIDATION_ERROR", "Invalid input JSON: a property is no string")
            sort = STANDARD[kind].get(name) or self.custom[kind].get(name, {}).get("type")
            wrong = "PROPERTY_DOESNT_EXIST" if sort is None else self._wrong(sort, value)
            if wrong:
                detail = f'[{{"isValid":false,"message":"{value} was not valid","error":"{wrong}","name":"{name}"}}]'
                raise RefusalError(400, "VALIDATION_ERROR", f"Property values were not valid: {detail}")
        if kind == "calls" and object_id is None and "hs_timestamp" not in told:
            raise RefusalError(400, "VALIDATION_ERROR", "Error creating CALL. Some required properties were not set.")
        holder = self._find(kind, "email", told["email"]) if told.get("email") else None
        if holder not in {None, object_id}:
            raise RefusalError(409, "CONFLICT", f"Contact already exists. Existing ID: {holder}")

    def _wrong(self, sort: str, value: str) -> str | None:
        """The code for a value that this type does not take."""
        takes: dict[str, Callable[[str], bool]] = {
            "string": lambda text: len(text) <= 65_536,
            "number": lambda text: re.fullmatch(r"-?\d+(\.\d+)?", text) is not None,
            "datetime": lambda text: re.fullmatch(r"\d{13}", text) is not None,
            "email": lambda text: EMAIL.fullmatch(text) is not None,
            "owner": lambda text: text in self.owners.values(),
        }
        codes = {"number": "INVALID_LONG", "email": "INVALID_EMAIL", "owner": "INVALID_OWNER_ID"}
        if not value:
            return None  # An empty value clears the property.
        if sort == "read_only":
            return "READ_ONLY_VALUE"
        if sort not in takes:
            return None if value in sort.split() else "INVALID_OPTION"
        return None if takes[sort](value) else codes.get(sort, "INVALID_DATE")

    def _fits(self, kind: str, object_id: str, rule: Mapping[str, Any]) -> bool:
        unknown(rule, {"propertyName", "operator", "value"})
        if rule["operator"] != "EQ" or rule["propertyName"] not in STANDARD[kind].keys() | self.custom[kind].keys():
            raise RefusalError(400, "VALIDATION_ERROR", "There was a problem with the request.")
        return bool(
            self._shown(kind, object_id, [rule["propertyName"]])["properties"][rule["propertyName"]] == rule["value"]
        )

    def _shown(self, kind: str, object_id: str, names: list[str]) -> dict[str, Any]:
        """An object as answers show it; numbers are searchable as area code and local number alone."""
        told = self.objects[kind][object_id]
        local = {
            "hs_searchable_calculated_phone_number": re.sub(r"\D", "", told.get("phone", ""))[-10:],
            "hs_searchable_calculated_mobile_number": re.sub(r"\D", "", told.get("mobilephone", ""))[-10:],
        }
        shown = {name: local.get(name) or told.get(name) or None for name in names}
        return {"id": object_id, "properties": shown, "createdAt": WHEN, "updatedAt": WHEN, "archived": False}


WHEN = "2026-01-13T10:30:00.000Z"
TIMES = {"startedAt": WHEN, "completedAt": WHEN}


def unknown(body: Mapping[str, Any], fields: set[str]) -> None:
    """Refuses fields that the documentation does not have."""
    if body.keys() - fields:
        raise RefusalError(400, "VALIDATION_ERROR", f"Invalid input JSON: unrecognized {sorted(body.keys() - fields)}")
