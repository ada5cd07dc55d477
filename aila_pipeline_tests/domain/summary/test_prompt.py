"""How a call is put to a model."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.summary import Question, prompt
from aila_pipeline.domain.summary.reading import read
from aila_pipeline_tests.domain.conversations import said

QUESTIONS = (Question(id="greeting", text="Did the operator say hello?"),)


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_whatever_is_said_the_rules_stay_the_same_and_the_call_stays_one_json_object(words: str) -> None:
    spoken = said("client 0.0-1.0: x")
    turn = spoken.turns[0].model_copy(
        update={"words": (spoken.turns[0].words[0].model_copy(update={"text": words}),), "text": words}
    )
    shown = read(spoken.model_copy(update={"turns": (turn,)}), most_characters=10_000)
    system, user = prompt.messages(shown, QUESTIONS)
    assert (system.role, user.role) == ("system", "user")
    assert system.content == prompt.RULES
    told = json.loads(user.content)
    assert set(told) == {"questions", "omitted_lines", "transcript"}
    assert [line["words"] for line in told["transcript"]] == [words.strip()]


def test_questions_and_what_was_left_out_are_told_beside_the_call() -> None:
    call = said(*(f"client {n}.0-{n}.9: something that was said" for n in range(10, 99)))
    _, user = prompt.messages(read(call, most_characters=200), QUESTIONS)
    told = json.loads(user.content)
    assert told["questions"] == [{"id": "greeting", "question": "Did the operator say hello?"}]
    assert told["omitted_lines"] == 89 - len(told["transcript"])


def test_a_request_to_mend_an_answer_shows_it_and_what_is_wrong() -> None:
    asked = prompt.messages(read(said("client 0.0-1.0: hello"), most_characters=100), ())
    *before, answer, order = prompt.repair(asked, "x" * 100_000, ["topics: must be a list"])
    assert tuple(before) == asked
    assert answer.role == "assistant"
    assert len(answer.content) <= prompt.MOST_REPEATED
    assert "- topics: must be a list" in order.content


def test_the_digest_of_questions_tells_them_apart_but_not_their_order() -> None:
    one, two = Question(id="a", text="Is it?"), Question(id="b", text="Was it?")
    assert prompt.digest((one, two)) == prompt.digest((two, one))
    assert len({prompt.digest(each) for each in ((), (one,), (one, two), (one.model_copy(update={"text": "?"}),))}) == 4
