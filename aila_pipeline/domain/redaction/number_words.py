"""Number words: how digits and numbers are said in English and Russian.

Lives here: word lists, lower case, ё written as е. Does not: put words together (numerals.py).

Only the forms in which numbers are dictated are listed: `пять`, not `пяти`, which counts or tells the time.
"""

from __future__ import annotations

from aila_pipeline.domain.redaction.lexing import word_list


def _values(first: int, step: int, words: str) -> dict[str, int]:
    """Word to value; `/` parts the forms of one value, a space the values."""
    return {word: first + n * step for n, forms in enumerate(words.split()) for word in forms.split("/")}


UNITS = _values(0, 1, "zero/oh/o/nought/naught/null one two three four five six seven eight nine/niner") | _values(
    0, 1, "ноль/нуль/нолик один/одна/одно два/две три четыре пять шесть семь восемь девять"
)
TEENS = _values(10, 1, "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen") | _values(
    10,
    1,
    "десять одиннадцать двенадцать тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
)
TENS = _values(20, 10, "twenty thirty forty/fourty fifty sixty seventy eighty ninety") | _values(
    20, 10, "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто"
)
HUNDREDS = _values(100, 100, "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот")
HUNDRED = frozenset({"hundred"})
THOUSAND = word_list("thousand тысяча тысячи тысяч тысячу тыс")
VAST = word_list("million millions billion billions миллион миллиона миллионов миллиард миллиарда млн млрд")

SEVERAL = _values(0, 1, "zeros/zeroes/ohs/os/noughts ones twos threes fours fives sixes sevens eights nines") | _values(
    0,
    1,
    "нуля/нулей/ноля/нолей/нули единицы/единиц/единички двойки/двоек тройки/троек четверки/четверок пятерки/пятерок"
    " шестерки/шестерок семерки/семерок восьмерки/восьмерок девятки/девяток",
)
"""A digit said several times: three sevens, два нуля."""
DIGIT_NOUNS = _values(
    1, 1, "единица/единичка/единице двойка тройка четверка пятерка шестерка семерка восьмерка девятка"
)
TIMES = {
    "double": 2, "triple": 3, "treble": 3, "quadruple": 4, "двойной": 2, "двойная": 2, "тройной": 3, "дважды": 2,
    "трижды": 3,
}  # fmt: skip
"""Says that the next digit comes so many times."""
BY_TIMES = frozenset({"times", "раза", "раз"})

WEAK_ZEROS = frozenset({"oh", "o"})
"""Zero inside a number, a sigh before one."""

FILLERS = word_list("""
    uh um er erm ah hm hmm mm mhm uhhuh huh okay ok yes yeah right sure so well then wait sorry no hold on like
    dash hyphen dot minus space slash plus again got it hello
    э ээ эээ эм мм ммм ну вот так да ага угу это хорошо потом затем дальше далее сейчас секунду секундочку минуту
    извините простите нет тире дефис точка минус пробел дробь плюс снова еще алло
    """)
"""What a speaker says between the parts of one number, or the other to encourage."""
SOFT = frozenset({"and", "и", "а"})
"""Joins the digits of a number, but also two amounts: only between single digits, or before a filler."""
MOST_FILLERS = 4

LETTER_NAMES = {
    "ка": "K", "кей": "K", "кэй": "K", "зет": "Z", "зэт": "Z", "зед": "Z", "зи": "Z", "тэ": "T", "ти": "T", "эн": "N",
    "эм": "M", "бэ": "B", "би": "B", "дэ": "D", "ди": "D", "гэ": "G", "джи": "G", "эс": "S", "эр": "R", "эль": "L",
    "эл": "L", "пэ": "P", "пи": "P", "вэ": "V", "ви": "V", "эф": "F", "эйч": "H", "аш": "H", "икс": "X", "си": "C",
    "эй": "A", "джей": "J", "ар": "R", "зэ": "Z", "кью": "Q", "ю": "U", "уай": "Y", "дабл": "W", "zed": "Z", "zee": "Z",
}  # fmt: skip
"""Latin letters as they are spelled out in Russian, and the Z in English."""
_CYRILLIC = dict(zip("абвгдезийклмнопрстуфхц", "ABVGDEZIJKLMNOPRSTUFHC", strict=True))
_WORDS_OF_ONE_LETTER = frozenset("aiавикосуя")


def letter(word: str, *, capital: bool, in_row: bool) -> str | None:
    """The Latin letter that a word spells. One that is a word as well counts if it is a capital in a row of letters."""
    if len(word) > 1:
        return LETTER_NAMES.get(word)
    if not word.isalpha() or (word in _WORDS_OF_ONE_LETTER and not (capital and in_row)):
        return None
    return _CYRILLIC.get(word, word.upper())
