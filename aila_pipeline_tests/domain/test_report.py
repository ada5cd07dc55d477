"""The page of a batch: what stands in it, that it fetches nothing, and that no name or text can break it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.models import Role
from aila_pipeline.domain.report import BatchReport, ReportedCall, ReportedError, render
from aila_pipeline.domain.report.model import failures
from aila_pipeline.domain.report.plots import score_bins, talk_bar, timeline
from aila_pipeline.domain.report.wording import GAPS
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline.domain.summary import Gap, Noted, Quote, RoleSentiment, Summary
from aila_pipeline_tests.domain.conversations import said
from aila_pipeline_tests.domain.reports import a_call, a_failed_call, a_report

HOSTILE = """"><script>alert('x')</script><img src=x onerror=alert(1)>{{ 7 * 7 }}&amp;\u202egpj.exe"""
VOID = {"meta", "input", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, and the text; complains about tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(report: BatchReport) -> Page:
    return Page(render(report))


def test_the_page_tells_the_batch_its_counts_and_its_warnings() -> None:
    text = page(a_report(a_call(2), a_call(3), a_failed_call(4), warnings=("AUDIO_WITHOUT_ROW: 2 files",))).text
    for told in (
        "kz/acme",
        "batch_01jd6r6b1q",
        "2026-01-13 09:30 UTC",
        "after 3 min 12 s",
        "AUDIO_WITHOUT_ROW: 2 files",
    ):
        assert told in text
    for count in ("3 calls", "2 completed", "1 failed", "1 min 10 s of audio"):
        assert count in text


def test_a_call_opens_to_transcript_figures_and_checklist() -> None:
    seen = page(a_report(a_call(2)))
    assert len(seen.all("details")) == 1
    for told in (
        "0:05 Client hello my router is broken and i am not happy with your service",
        "Words per minute",
        "Greets the client within the first 20 seconds",
        "how can i help",
        "Longest silence 4.8\u202fs at 0:17",
    ):
        assert told in seen.text


def test_failures_are_grouped_by_code_with_what_to_do_and_lead_to_their_calls() -> None:
    other = ReportedError(code="AUDIO_INVALID", message="not readable as audio", advice="send it again", retryable=True)
    calls = (a_failed_call(2, error=other), a_failed_call(3), a_failed_call(4))
    groups = failures(calls)
    assert [(group.code, len(group.calls), group.happened) for group in groups] == [
        ("FILE_NOT_FOUND", 2, "the archive has no entry of this name"),
        ("AUDIO_INVALID", 1, "not readable as audio"),
    ]
    seen = page(a_report(*calls))
    assert "a later attempt may succeed" in seen.text
    assert {"#call-2", "#call-3", "#call-4"} <= {link["href"] for link in seen.all("a")}
    assert {"call-2", "call-3", "call-4"} == {body["id"] for body in seen.all("tbody") if "id" in body}


def test_no_call_is_left_out_however_many_fail() -> None:
    seen = page(a_report(*(a_failed_call(n) for n in range(2, 302))))
    assert sum(str(link["href"]).startswith("#call-") for link in seen.all("a")) == 300
    assert "all 300" in seen.text


def test_hostile_names_and_texts_stay_text() -> None:
    call = a_call(
        2,
        said(f"client 0-4: {HOSTILE}", "operator 5-6: hello", language='"><script>'),
        audio_name=HOSTILE,
        external_id=HOSTILE + "2",
        user_name=HOSTILE,
        warnings=(HOSTILE,),
        link="javascript:alert(1)",
    )
    failed = a_failed_call(3, error=ReportedError(code=HOSTILE, message=HOSTILE, advice=HOSTILE), segment_type=HOSTILE)
    report = a_report(call, failed, tenant=HOSTILE, source=HOSTILE, warnings=(HOSTILE,), link="data:text/html,x")
    seen, plain = page(report), page(a_report(a_call(2), a_failed_call(3)))
    assert len(seen.scripts) == len(plain.scripts) == 1
    assert seen.all("img") == []
    assert not any(name.startswith("on") for _, attributes in seen.elements for name in attributes)
    assert not any(re.match(r"(?i)\s*(javascript|data):", str(link.get("href"))) for link in seen.all("a"))
    assert "{{ 7 * 7 }}" in seen.text


def test_the_page_fetches_nothing_and_its_policy_allows_its_own_script_alone() -> None:
    seen = page(a_report(a_call(2)))
    assert not any({"src", "srcset", "data", "poster"} & attributes.keys() for _, attributes in seen.elements)
    assert seen.all("link") == []
    assert "url(" not in render(a_report(a_call(2)))
    policy = next(str(meta["content"]) for meta in seen.all("meta") if "http-equiv" in meta)
    digest = base64.b64encode(hashlib.sha256(seen.scripts[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_the_page_is_accessible_in_its_structure() -> None:
    seen = page(a_report(a_call(2), a_failed_call(3)))
    assert seen.all("html") == [{"lang": "en"}]
    assert len(seen.all("h1")) == 1
    assert all(head.get("scope") in {"col", "row"} for head in seen.all("th"))
    labelled = {label["for"] for label in seen.all("label")}
    assert {field["id"] for tag in ("input", "select") for field in seen.all(tag)} <= labelled
    assert all("aria-label" in picture for picture in seen.all("svg") if picture.get("role") == "img")


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2.2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *(
            (text, ground)
            for text in ("ink", "quiet", "accent", "good", "bad", "open")
            for ground in ("ground", "card")
        ),
        *((f"{role}-ink", "card") for role in ("operator", "client", "unknown")),
        *((colour, f"{colour}-ground") for colour in ("good", "bad", "open")),
    ],
)
def test_text_stands_out_from_its_ground(scheme: int, text: str, ground: str) -> None:
    """4.5:1 at least (WCAG 2.2, 1.4.3), by light and by dark."""
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", render(a_report()).split(":root {")[1 + scheme]))
    lighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_a_transcript_is_marked_with_its_language() -> None:
    seen = page(a_report(a_call(2, said("client 0-2: добрый день", language="ru"))))
    assert [turns["lang"] for turns in seen.all("ol")] == ["ru"]


@pytest.mark.parametrize(
    "report",
    [
        a_report(),
        a_report(status=BatchStatus.SUBMITTED, finished_at=None, model=None, source=None),
        a_report(ReportedCall(call_id="aila_1", position=0, status=CallStatus.PENDING), status=BatchStatus.PROCESSING),
        a_report(a_call(2, said(seconds=0.0), audio=None)),
        a_report(a_call(2, said(seconds=9.0), warnings=("NO_SPEECH",), segment_type=None)),
        a_report(a_call(2, said("unknown 0-3: hello there", "unknown 4-5: yes", seconds=6.0))),
    ],
    ids=["no calls", "submitted", "pending", "zero length", "no speech", "mono"],
)
def test_a_batch_with_little_to_show_is_still_a_page(report: BatchReport) -> None:
    assert "Call batch report" in page(report).text


def test_scores_fall_into_tenths_and_100_into_the_last() -> None:
    bins = score_bins([0, 9.9, 10, 55, 99.9, 100])
    assert [bin.count for bin in bins] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert [bin.height for bin in bins if bin.count] == [1, 0.5, 0.5, 1]


def test_a_talk_bar_divides_the_call_and_a_timeline_keeps_its_places() -> None:
    """Operator 4 s, client 2 s, silence 4 s of 10 s."""
    call = a_call(2, said("operator 0-4: a b", "client 5-7: c d", seconds=10.0))
    bar = talk_bar(call)
    assert bar is not None
    assert [(part.kind, part.offset, part.length) for part in bar.parts] == [
        ("operator", 0, 40),
        ("client", 40, 20),
        ("silence", 60, 40),
    ]
    assert bar.told == "Operator 40\u202f%, Client 20\u202f%, silence 40\u202f%"
    assert [(lane.label, [(part.offset, part.length) for part in lane.parts]) for lane in timeline(call)] == [
        ("Client", [(50, 20)]),
        ("Operator", [(0, 40)]),
    ]


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_gives_a_page_whose_tags_match(name: str, source: str, warnings: list[str]) -> None:
    seen = page(
        a_report(a_failed_call(2, audio_name=name, external_id=source), source=source, warnings=tuple(warnings))
    )
    assert len(seen.scripts) == 1


QUOTE = Quote(start=12.0, quote="i will send you a new router")
READ = Summary(
    language_model="test-model",
    summary="The router is broken; a new one is sent.",
    topics=("router",),
    intent=Noted(text="Wants a router that works.", evidence=Quote(start=5.1, quote="my router is broken")),
    commitments=(Noted(text="A new router is sent.", evidence=QUOTE),),
    resolution="resolved",
    resolution_evidence=QUOTE,
    sentiment=(RoleSentiment(role=Role.CLIENT, label="mixed", reason="Angry first, then glad."),),
    gaps=(Gap.QUOTE_NOT_FOUND,),
)


def test_a_language_models_summary_is_shown_with_its_quotes_and_what_it_lacks() -> None:
    text = Page(render(a_report(a_call(summary=READ)))).text
    for told in (
        "by test-model",
        "The router is broken; a new one is sent.",
        "Wants a router that works.",
        "0:05 my router is broken",
        "0:12 i will send you a new router",
        "Client: mixed. Angry first, then glad.",
        "Not whole: parts of the answer rested on what was not said.",
    ):
        assert told in text, told


def test_without_a_language_model_nothing_is_said_of_a_summary() -> None:
    assert "Topics" not in Page(render(a_report(a_call(summary=Summary())))).text


def test_a_summary_cannot_break_the_page() -> None:
    noted = Noted(text=HOSTILE, evidence=Quote(start=0, quote=HOSTILE))
    hostile = READ.model_copy(update={"language_model": HOSTILE, "summary": HOSTILE, "topics": (HOSTILE,)})
    hostile = hostile.model_copy(update={"intent": noted, "objections": (noted,)})
    plain = Page(render(a_report(a_call(summary=READ))))
    page = Page(render(a_report(a_call(summary=hostile))))
    assert page.scripts == plain.scripts
    assert page.all("img") == plain.all("img")


def test_every_gap_has_words() -> None:
    assert set(GAPS) == set(Gap)
