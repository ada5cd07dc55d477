"""Where turns begin and end, and that nothing is lost between recogniser and transcript."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given

from aila_pipeline.domain.models import Recognition, Role, Utterance
from aila_pipeline.domain.transcript import PAUSE_SECONDS, merge_turns
from aila_pipeline_tests.domain.conversations import heard, recognitions, words


def turns(recognition: Recognition) -> list[tuple[Role, str]]:
    """Who said what, with the client on the left."""
    return [(turn.role, turn.text) for turn in merge_turns(recognition, Role.CLIENT, Role.OPERATOR).turns]


def test_channels_are_merged_in_time_with_their_roles() -> None:
    left, right = words(2.0, 3.0, "my phone is broken"), words(0.0, 1.5, "how can i help")
    assert turns(heard(left, right)) == [(Role.OPERATOR, "how can i help"), (Role.CLIENT, "my phone is broken")]


def test_an_answer_in_between_ends_the_turn() -> None:
    operator = words(0.0, 1.0, "your name please") + words(2.0, 2.5, "thank you")
    client = words(1.2, 1.6, "smith")
    assert turns(heard(client, operator)) == [
        (Role.OPERATOR, "your name please"),
        (Role.CLIENT, "smith"),
        (Role.OPERATOR, "thank you"),
    ]


def test_a_backchannel_does_not_shred_the_turn_it_lies_in() -> None:
    """The operator breathes for 0.5 s, the client says "okay" in it: one long turn, with a short one inside."""
    operator = words(0.0, 2.0, "i will send you") + words(2.5, 4.0, "a new phone")
    client = words(2.1, 2.4, "okay")
    assert turns(heard(client, operator)) == [(Role.OPERATOR, "i will send you a new phone"), (Role.CLIENT, "okay")]


def test_who_talks_over_another_overlaps_that_turn_and_leaves_it_whole() -> None:
    operator, client = words(0.0, 4.0, "the plan costs ten dollars"), words(3.0, 6.0, "that is too expensive")
    merged = merge_turns(heard(client, operator), Role.CLIENT, Role.OPERATOR)
    assert [(turn.start, turn.end) for turn in merged.turns] == [(0.0, 4.0), (3.0, 6.0)]


def test_a_long_pause_begins_a_new_turn_of_the_same_speaker() -> None:
    over = PAUSE_SECONDS + 0.01
    assert turns(heard((), words(0.0, 1.0, "one moment") + words(1.0 + over, 4.0, "here it is"))) == [
        (Role.OPERATOR, "one moment"),
        (Role.OPERATOR, "here it is"),
    ]
    assert len(turns(heard((), words(0.0, 1.0, "one moment") + words(1.0 + PAUSE_SECONDS, 4.0, "here it is")))) == 1


def test_a_single_channel_has_no_known_speaker() -> None:
    assert turns(heard(words(0.0, 1.0, "hello there"))) == [(Role.UNKNOWN, "hello there")]


def test_channels_beyond_the_second_are_unknown() -> None:
    assert [role for role, _ in turns(heard(words(0, 1, "a"), words(2, 3, "b"), words(4, 5, "c")))] == [
        Role.CLIENT,
        Role.OPERATOR,
        Role.UNKNOWN,
    ]


def test_silence_gives_an_empty_transcript() -> None:
    merged = merge_turns(heard((), (), seconds=9.0), Role.CLIENT, Role.OPERATOR)
    assert (merged.turns, merged.seconds) == ((), 9.0)


def test_words_without_times_are_spread_over_their_utterance() -> None:
    bare = heard((), ()).model_copy(
        update={"utterances": (Utterance(channel=1, start=1.0, end=3.0, text="abc d", words=()),)}
    )
    (turn,) = merge_turns(bare, Role.CLIENT, Role.OPERATOR).turns
    assert [(word.text, word.start, word.end) for word in turn.words] == [("abc", 1.0, 2.5), ("d", 2.5, 3.0)]


def test_spaces_of_the_recogniser_are_trimmed_and_unspaced_scripts_stay_unspaced() -> None:
    assert turns(heard(words(0, 1, "你 好"), language="zh")) == [(Role.UNKNOWN, "你好")]
    spaced = tuple(word.model_copy(update={"text": f" {word.text}"}) for word in words(0, 1, "hello there"))
    assert turns(heard(spaced)) == [(Role.UNKNOWN, "hello there")]


@given(recognitions)
def test_no_word_is_lost_or_made_up(recognition: Recognition) -> None:
    merged = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    before = [(u.channel, word) for u in recognition.utterances for word in u.words]
    after = [(turn.channel, word) for turn in merged.turns for word in turn.words]
    assert sorted(before, key=repr) == sorted(after, key=repr)


@given(recognitions)
def test_turns_are_in_time_order_and_those_of_one_channel_do_not_overlap(recognition: Recognition) -> None:
    merged = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    assert [turn.start for turn in merged.turns] == sorted(turn.start for turn in merged.turns)
    for channel in range(recognition.channels):
        own = [turn for turn in merged.turns if turn.channel == channel]
        assert all(first.end <= then.start for first, then in pairwise(own))
        assert all(turn.words[0].start == turn.start and turn.words[-1].end == turn.end for turn in own)
