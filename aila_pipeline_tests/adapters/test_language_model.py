"""One request to a language model, against a server that behaves well and badly."""

from __future__ import annotations

import json
import logging
import time

import pytest

from aila_pipeline.adapters.language_model import LanguageModel, NoReply, Reply
from aila_pipeline.domain.summary import answer
from aila_pipeline.domain.summary.prompt import Message
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.openai_server import (
    KEY,
    Asked,
    OpenAiServer,
    a_model,
    an_openai_server,
    changed,
    hangs_up,
    in_turn,
    refuses,
    says,
    slowly,
)

CALL = (
    Message(role="system", content="rules"),
    Message(role="user", content=json.dumps({"questions": [], "transcript": []})),
)
SCHEMA = answer.schema(())


def test_an_answer_comes_with_the_tokens_that_the_server_counted() -> None:
    with an_openai_server(says("hello", usage={"prompt_tokens": 12, "completion_tokens": 3})) as server:
        assert a_model(server).ask(CALL, SCHEMA) == Reply("hello", 12, 3, cut_off=False)


def test_the_request_binds_the_answer_by_a_strict_schema_and_leaves_nothing_to_chance() -> None:
    with an_openai_server(says("hello")) as server:
        a_model(server).ask(CALL, SCHEMA)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body["temperature"] == 0
    assert asked.body["response_format"]["json_schema"]["strict"] is True
    assert asked.body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert set(asked.body) == {"model", "messages", "temperature", "max_tokens", "response_format"}


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": -1}, {"prompt_tokens": "many", "completion_tokens": 10**12}])
def test_a_server_that_counts_no_tokens_is_no_failure(usage: dict[str, object]) -> None:
    with an_openai_server(says("hello", usage=usage)) as server:
        assert a_model(server).ask(CALL, SCHEMA) == Reply("hello", None, None, cut_off=False)


def test_an_answer_cut_off_at_its_longest_says_so() -> None:
    with an_openai_server(says("{", finish="length")) as server:
        reply = a_model(server).ask(CALL, SCHEMA)
    assert isinstance(reply, Reply)
    assert reply.cut_off


def test_a_server_without_schemas_gets_the_schema_in_words_and_is_not_asked_the_other_way_again() -> None:
    def plain(asked: Asked) -> None:
        (refuses(400) if "response_format" in asked.body else says("hello"))(asked)

    with an_openai_server(plain) as server:
        model = a_model(server)
        assert isinstance(model.ask(CALL, SCHEMA), Reply)
        forms = [each.body.get("response_format", {}).get("type") for each in server.asked]
        assert forms == ["json_schema", "json_object", None]
        assert json.dumps(SCHEMA) in server.asked[-1].body["messages"][0]["content"]
        assert isinstance(model.ask(CALL, SCHEMA), Reply)
        assert len(server.asked) == 4


def test_a_model_with_other_names_for_limits_is_asked_by_those() -> None:
    def modern(asked: Asked) -> None:
        for name in ("max_tokens", "temperature"):
            if name in asked.body:
                return refuses(400, {"error": {"message": "unsupported", "param": name}})(asked)
        return says("hello")(asked)

    with an_openai_server(modern) as server:
        assert isinstance(a_model(server).ask(CALL, SCHEMA), Reply)
    assert server.asked[-1].body["max_completion_tokens"] == server.asked[0].body["max_tokens"]
    assert server.asked[-1].body["response_format"]["type"] == "json_schema"


def test_once_a_form_was_taken_a_refusal_is_about_the_call() -> None:
    with an_openai_server(in_turn(says("hello"), refuses(400))) as server:
        model = a_model(server)
        model.ask(CALL, SCHEMA)
        assert model.ask(CALL, SCHEMA) == NoReply("status 400")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "again", "hopeless", "billed"),
    [
        (429, True, False, False),
        (500, True, False, False),
        (503, True, False, False),
        (504, True, False, True),
        (401, False, True, False),
        (404, False, True, False),
        (413, False, False, False),
        (307, False, True, False),
    ],
)
def test_a_status_tells_whether_to_come_again(status: int, again: bool, hopeless: bool, billed: bool) -> None:
    with an_openai_server(refuses(status, location="http://127.0.0.1:9/stolen")) as server:
        found = a_model(server).ask(CALL, SCHEMA)
    assert found == NoReply(f"status {status}", again=again, hopeless=hopeless, perhaps_billed=billed)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("told", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-1", None), ("nan", None), ("soon", None)])
def test_the_pause_that_a_server_asks_for_is_told(told: str, seconds: float | None) -> None:
    with an_openai_server(refuses(429, retry_after=told)) as server:
        found = a_model(server).ask(CALL, SCHEMA)
    assert isinstance(found, NoReply)
    assert found.after_seconds == seconds


def test_a_server_that_is_too_slow_is_not_waited_for_and_may_have_billed() -> None:
    with an_openai_server(slowly(3.0, says("late"))) as server:
        began = time.monotonic()
        found = a_model(server, timeout_seconds=0.3).ask(CALL, SCHEMA)
        assert time.monotonic() - began < 2.0
    assert isinstance(found, NoReply)
    assert (found.again, found.perhaps_billed) == (True, True)


def test_an_answer_that_drips_is_given_up_at_the_same_time() -> None:
    def drips(asked: Asked) -> None:
        asked.handler.send_response(200)
        asked.handler.send_header("content-length", "1000")
        asked.handler.end_headers()
        for _ in range(40):
            asked.handler.wfile.write(b" ")
            asked.handler.wfile.flush()
            time.sleep(0.1)

    with an_openai_server(drips) as server:
        began = time.monotonic()
        found = a_model(server, timeout_seconds=0.5).ask(CALL, SCHEMA)
        assert time.monotonic() - began < 2.0
    assert found == NoReply("the answer came too slowly", again=True, perhaps_billed=True)


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with an_openai_server(says("x" * 5_000_000)) as server:
        found = a_model(server).ask(CALL, SCHEMA)
    assert found == NoReply("the answer is far too long", perhaps_billed=True)


def test_a_broken_connection_may_have_been_billed_and_none_at_all_was_not() -> None:
    with an_openai_server(hangs_up) as server:
        broken = a_model(server).ask(CALL, SCHEMA)
        gone = LanguageModel(base_url="http://127.0.0.1:9/v1", api_key=None, model="m", timeout_seconds=5)
        server.clients.callback(gone.close)
        nobody = gone.ask(CALL, SCHEMA)
    assert isinstance(broken, NoReply)
    assert isinstance(nobody, NoReply)
    assert (broken.again, broken.perhaps_billed) == (True, True)
    assert (nobody.again, nobody.perhaps_billed) == (True, False)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b"\xff\xfe", b"[1]"])
def test_what_is_no_chat_completion_is_no_answer(body: bytes) -> None:
    with an_openai_server(lambda asked: asked.answer(200, body)) as server:
        found = a_model(server).ask(CALL, SCHEMA)
    assert found == NoReply("the answer is no chat completion", again=True, perhaps_billed=True)


def test_a_model_that_refuses_to_speak_has_said_nothing() -> None:
    with an_openai_server(says(None)) as server:
        found = a_model(server).ask(CALL, SCHEMA)
    assert isinstance(found, Reply)
    assert found.text == ""


def test_neither_key_nor_call_nor_answer_is_logged_however_talkative_the_sdk_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_LOG", "debug")
    secret = (*CALL, Message(role="user", content="the canary sings"))
    behaviour = in_turn(refuses(400, {"error": {"message": "the canary sings"}}), says("canary"))
    with an_openai_server(behaviour) as server, caplog.at_level(logging.DEBUG):
        found = a_model(server).ask(secret, SCHEMA)
    assert isinstance(found, Reply)
    assert "canary" not in caplog.text
    assert KEY not in caplog.text


def test_another_servers_key_and_organisation_in_the_environment_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "somebody-else")
    with an_openai_server(says("hello")) as server:
        model = LanguageModel(base_url=server.url, api_key=None, model="m", timeout_seconds=5)
        server.clients.callback(model.close)
        assert isinstance(model.ask(CALL, SCHEMA), Reply)
    assert "somebody-else" not in server.everything


def test_without_a_server_in_the_settings_there_is_no_model() -> None:
    assert LanguageModel.from_settings(Settings()) is None


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the demo sets them for its processes, whatever the environment around it says."""
    for name in ("BASE_URL", "API_KEY", "MODEL", "BATCH_BUDGET"):
        monkeypatch.setenv(f"AILA_LLM_{name}", "")
    settings = Settings()
    assert (settings.llm_base_url, settings.llm_api_key, settings.llm_batch_budget) == (None, None, None)
    assert LanguageModel.from_settings(settings) is None


def test_settings_name_server_model_and_key() -> None:
    with an_openai_server(changed()) as server:
        model = LanguageModel.from_settings(_settings(server))
        assert model is not None
        server.clients.callback(model.close)
        assert isinstance(model.ask((CALL[0], Message(role="user", content=_one_line())), SCHEMA), Reply)
    assert server.asked[0].body["model"] == "local"
    assert server.asked[0].headers["authorization"] == "Bearer k"


def _settings(server: OpenAiServer) -> Settings:
    return Settings.model_validate({"llm_base_url": server.url, "llm_model": "local", "llm_api_key": "k"})


def _one_line() -> str:
    return json.dumps({"questions": [], "transcript": [{"line": 1, "speaker": "client", "words": "hello there"}]})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"llm_base_url": "http://x/v1"}, "belong together"),
        ({"llm_model": "m"}, "belong together"),
        ({"llm_base_url": "ftp://x", "llm_model": "m"}, "must begin with"),
        ({"llm_batch_budget": "1", "llm_prompt_price": "1"}, "needs AILA_LLM_PROMPT_PRICE"),
        ({"llm_prompt_price": "-1"}, "greater than or equal to 0"),
        ({"llm_prompt_price": "NaN"}, "finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(given: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings.model_validate(given)
