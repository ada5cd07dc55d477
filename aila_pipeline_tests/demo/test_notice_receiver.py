"""The demo's receiver believes a good signature and nothing else, and counts each message once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
from standardwebhooks import Webhook

from aila_pipeline.demo.notice_receiver import NoticeReceiver, notice_receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def send(receiver: NoticeReceiver, number: int, *, secret: str = SECRET, age: timedelta = timedelta(0)) -> int:
    body = json.dumps({"type": "call.completed", "data": {"n": number}})
    at = datetime.now(UTC) - age
    headers = {
        "webhook-id": f"msg_{number}",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(f"msg_{number}", at, body),
    }
    with httpx.Client(trust_env=False) as client:
        return client.post(f"http://{receiver.place}/notices", content=body, headers=headers).status_code


def test_a_message_with_a_good_signature_is_kept_once() -> None:
    with notice_receiver() as receiver:
        receiver.secret = SECRET
        assert [send(receiver, 1), send(receiver, 2), send(receiver, 1)] == [204, 204, 204]
        assert receiver.counts == {"call.completed": 2}
        assert receiver.refused == 0


def test_any_other_message_is_refused() -> None:
    with notice_receiver() as receiver:
        assert send(receiver, 1) == 400, "nothing is believed before the secret is known"
        receiver.secret = SECRET
        assert send(receiver, 2, secret="whsec_" + "A" * 32) == 400
        assert send(receiver, 3, age=timedelta(hours=1)) == 400
        assert receiver.counts == {}
        assert receiver.refused == 3
