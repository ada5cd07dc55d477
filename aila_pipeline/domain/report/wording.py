"""Wording: how figures, times and codes are written for a person.

Lives here: formats and short explanations. Does not: anything about the page's structure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from aila_pipeline.domain.models import Role, Warn
from aila_pipeline.domain.summary import Gap

DASH = "–"
"""Stands where there is nothing to show."""

WARNINGS: dict[str, str] = {
    Warn.MONO_AUDIO: "one channel: speakers cannot be told apart",
    Warn.DUAL_MONO: "both channels are the same: speakers cannot be told apart",
    Warn.SILENT_CHANNEL: "a channel is silent",
    Warn.EXTRA_CHANNELS: "more than two channels",
    Warn.NO_SPEECH: "no speech was found",
    Warn.PARTIAL_TRANSCRIPT: "parts of it could not be recognised",
    Warn.DURATION_MISMATCH: "its length is not the declared one",
    Warn.TIME_WITHOUT_ZONE: "its time had no zone; the tenant's was taken",
    Warn.AUDIO_WITHOUT_ROW: "audio without a row",
    Warn.COLUMN_IGNORED: "a column was not known and ignored",
    Warn.NO_CHECKLIST: "no checklist for its segment",
    Warn.CHECKLIST_UNUSABLE: "not scored: its checklist must be imported again",
    Warn.INSIGHTS_INCOMPLETE: "the language model's summary is not whole",
    Warn.PHONE_UNUSUAL: "its phone number cannot be one; kept as given",
    Warn.USER_AMBIGUOUS: "several users have its operator's name",
}

GAPS: dict[Gap, str] = {
    Gap.MODEL_UNAVAILABLE: "the language model did not answer",
    Gap.BUDGET_SPENT: "the batch's budget was spent",
    Gap.ANSWER_UNUSABLE: "the language model's answer could not be read",
    Gap.PART_LEFT_OUT: "parts of the answer broke the rules",
    Gap.QUOTE_NOT_FOUND: "parts of the answer rested on what was not said",
    Gap.QUESTION_NOT_ANSWERED: "a question of the checklist has no answer",
    Gap.TRANSCRIPT_CUT: "the middle of this long call was not read",
    Gap.UNEXPECTED: "a case that the program does not know",
}

ROLES: dict[Role, str] = {Role.OPERATOR: "Operator", Role.CLIENT: "Client", Role.UNKNOWN: "Speaker"}


def clock(seconds: float | None) -> str:
    """A place in a recording, or a length: `m:ss`, from an hour on `h:mm:ss`.

    >>> clock(65.4), clock(3725), clock(None)
    ('1:05', '1:02:05', '–')
    """
    if seconds is None:
        return DASH
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """A length of work or of many recordings, in the two units that matter.

    >>> span(42), span(185), span(7500), span(200000)
    ('42 s', '3 min 5 s', '2 h 5 min', '55 h 33 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """A figure with its unit, or a dash. The unit comes after a narrow no-break space.

    >>> number(12.345, 1), number(None)
    ('12.3', '–')
    """
    if value is None:
        return DASH
    return f"{value:.{digits}f}" + (f"\u202f{unit}" if unit else "")


def percent(share: float | None) -> str:
    """A share of 1 in percent."""
    return number(None if share is None else share * 100, 0, "%")


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return DASH if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def mood(value: float | None) -> str:
    """A sentiment with its sign, and a word for it: within a third of 0, which one word alone can move, is neutral.

    >>> mood(-0.5), mood(0.1), mood(None)
    ('−0.50 negative', '+0.10 neutral', '–')
    """
    if value is None:
        return DASH
    word = "neutral" if abs(value) <= 1 / 3 else "positive" if value > 0 else "negative"
    return f"{value:+.2f} {word}".replace("-", "−")


def safe_link(link: str | None) -> str | None:
    """The link if it leads to the web; None for `javascript:` and the like, and for what is no URL."""
    try:
        return link if link and urlsplit(link).scheme in {"http", "https"} else None
    except ValueError:
        return None


def opening(text: str, letters: int = 140) -> str:
    """The first words of a text, cut at a word's end."""
    if len(text) <= letters:
        return text
    cut = text[:letters]
    return (cut[: cut.rfind(" ")] if " " in cut else cut).rstrip(" ,.;:") + " …"
