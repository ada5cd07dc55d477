"""The search for many phrases at once finds what the plain search for each finds."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from aila_pipeline.domain.models import Recognition, Role, Transcript
from aila_pipeline.domain.scoring.phrases import Search, Speech
from aila_pipeline.domain.transcript import merge_turns
from aila_pipeline.domain.words import tokens
from aila_pipeline_tests.domain.conversations import VOCABULARY, recognitions, said

searches = st.builds(
    Search,
    phrase=st.lists(st.sampled_from([*VOCABULARY, "helo", "orders", "..."]), min_size=1, max_size=4).map(" ".join),
    role=st.sampled_from([Role.OPERATOR, Role.CLIENT, Role.UNKNOWN, "any"]),
    similarity=st.sampled_from([50, 80, 85, 95, 100]),
    after=st.just(-inf) | st.floats(0, 60),
    before=st.just(inf) | st.floats(0, 60),
).filter(lambda search: bool(tokens(search.phrase)))


def plainly(transcript: Transcript, search: Search) -> tuple[float, float] | None:
    """How alike the best place is and when it begins: every stretch of every turn compared, one after the other."""
    wanted = tokens(search.phrase)
    best: tuple[float, float] | None = None
    for length in (len(wanted), len(wanted) + 1, len(wanted) - 1):
        places = [
            (fuzz.ratio(" ".join(wanted), " ".join(text for text, _ in run[at : at + length])), run[at][1].start)
            for turn in transcript.turns
            if search.role in {"any", turn.role}
            for run in [[(text, word) for word in turn.words for text in tokens(word.text)]]
            for at in (range(len(run) - length + 1) if length else ())
            if run[at][1].start <= search.before and run[at + length - 1][1].end >= search.after
        ]
        good = [place for place in places if place[0] >= search.similarity]
        # max takes the first of several: the earliest, or with `after` the last.
        chosen = max(good if search.after == -inf else good[::-1], key=lambda place: place[0], default=None)
        if chosen is not None and (best is None or chosen[0] > best[0]):
            best = chosen
    return best


@given(recognitions, st.lists(searches, max_size=8))
def test_all_at_once_finds_the_same_places_as_one_by_one(recognition: Recognition, wanted: list[Search]) -> None:
    transcript = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    found = Speech(transcript).find(wanted)
    told = {search: (hit[0], hit[1].start) for search, hit in found.items()}
    assert told == {search: best for search in wanted if (best := plainly(transcript, search)) is not None}


def test_a_stretch_does_not_run_over_the_end_of_a_turn() -> None:
    call = said("operator 0-2: good", "client 3-4: yes", "operator 5-7: morning everybody")
    assert Speech(call).find([Search("good morning", Role.OPERATOR, 85)]) == {}


def test_a_word_of_two_parts_is_quoted_whole() -> None:
    call = said("operator 0-4: that is twenty-five euros")
    ((_, evidence),) = Speech(call).find([Search("five euros", Role.OPERATOR, 100)]).values()
    assert (evidence.quote, evidence.start) == ("twenty-five euros", 2)


def test_who_spoke_is_told_by_the_nearest_word() -> None:
    call = said("client 0-2: hello there", "operator 3-5: good morning")
    assert [Speech(call).speaker_at(at) for at in (0.2, 4.1)] == [Role.CLIENT, Role.OPERATOR]
    assert Speech(said()).speaker_at(1) is Role.UNKNOWN
