"""Cues: words near a number that tell what it is.

Lives here: the word lists, and how far they reach. Does not: what follows from a cue (verdict.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Flag, auto

from aila_pipeline.domain.redaction.lexing import Form, Token, word_list
from aila_pipeline.domain.redaction.numerals import starts

REACH = 8
"""Words over which a cue before a number reaches: "the security code, let me turn it over, nine oh four"."""
NEAR = 3
"""The same for words that make a number an amount: "comes to about"."""
AFTER = 2
"""And for what is counted after it: "12,450 happy customers"."""


class Cue(Flag):
    """What the words around a number say of it."""

    NONE = 0
    SECRET = auto()
    """A code that must go although it is short."""
    NUMBER = auto()
    """The number of something, not an amount."""
    PHONE = auto()
    CARD = auto()
    AMOUNT = auto()
    """How much, how many, how long, or which model."""


_SECRET = word_list("cvv cvc cvv2 cvc2 cvn pin otp passcode password пин пинкод цвв цвц пароль пароля")
_SECRET_PAIRS = frozenset(
    tuple(pair.split())
    for pair in """
    security code/verification code/confirmation code/access code/one time/sms code/text code/three digits/3 digits/
    four digit code/код безопасности/код подтверждения/код проверки/код доступа/из смс/из sms/код смс/смс код/
    три цифры/3 цифры/трех цифр/обратной стороны/обратной стороне/кодовое число
    """.replace("\n", "").split("/")
)
_PHONE = word_list("""
    phone cell mobile telephone landline fax whatsapp call ring text reach dial
    телефон телефона телефону мобильный мобильного сотовый домашний городской рабочий контактный факс ватсап вотсап
    whatsapp звоните позвоните перезвоните наберите перезвонить позвонить
    """)
_CARD = word_list("card visa mastercard amex карта карты карту карте карточка карточки виза мастеркард мир")
_NUMBER = (
    _PHONE
    | _CARD
    | word_list("""
    number numbers code account id reference ref invoice policy passport licence license tracking contract ticket
    member case serial iban social ssn booking confirmation
    номер номера номеру номером код кода счет счета счету договор договора заказ заказа заявка заявки накладная
    накладной полис полиса паспорт паспорта удостоверение инн иин бин снилс кпп огрн иик айбан iban трек реквизиты
    """)
)
_AMOUNT = word_list("""
    price prices cost costs total totals sum amount fee fees salary budget around about almost nearly over under than
    pay paid worth roughly approximately charge owe between
    model version iso build
    цена цены стоит стоимость стоила итого сумма сумму сумме всего около примерно почти больше меньше более менее до
    от зарплата зарплату кредит курс платеж оплата баланс бюджет
    модель модели версия артикул гост госту госта
    """)
_COUNTED = word_list("""
    dollar dollars buck bucks euro euros pound pounds cent cents tenge rubles roubles won yen yuan usd eur kzt rub
    percent percents people persons customers clients users visitors calls orders units pieces items tickets copies
    hour hours minute minutes second seconds day days night nights week weeks month months year years time times
    mile miles meter meters metre metres kilometer kilometers km kilo kilos kg gram grams liter liters degrees points
    gigabyte gigabytes gb megabyte megabytes mb square feet foot inch inches thousand million plus tax m
    тг шт час часа часов дня день дней лет год года году годов годах раз раза кг км гб мб человек люди м штук штуки
    """)
_COUNTED_STEMS = tuple(
    word_list("""
    руб тенге доллар евро копе процент клиент звонк звонок заказов посетител пользовател минут секунд недел месяц
    километр метр грамм килограмм литр градус балл бонус гигабайт мегабайт тысяч миллион экземпляр единиц квадрат мест
    этаж билет страниц подписчик
    """)
)
_CURRENCY = frozenset("$€£₸₽¥₴₩%°")


_TOLD: dict[str, Cue] = {}
for _cue, _words in (
    (Cue.SECRET, _SECRET),
    (Cue.NUMBER, _NUMBER),
    (Cue.PHONE, _PHONE),
    (Cue.CARD, _CARD),
    (Cue.AMOUNT, _AMOUNT),
):
    for _word in _words:
        _TOLD[_word] = _TOLD.get(_word, Cue.NONE) | _cue


def before(lexed: Sequence[Token], at: int, floor: int, asked: Mapping[int, Cue]) -> Cue:
    """What the words before token `at` say of the number there.

    Nothing before token `floor` counts, nor before anything already found. `asked`: what another speaker asked for
    just before the token that begins at that character.
    """
    told = asked.get(lexed[at].start, Cue.NONE) if at < len(lexed) else Cue.NONE
    later = ""
    for back in range(at - 1, max(floor, at - REACH) - 1, -1):
        token = lexed[back]
        if token.form is Form.GONE:
            break
        found = _TOLD.get(token.text)
        if found:
            told |= found if at - back <= NEAR else found & ~Cue.AMOUNT
        if (token.text, later) in _SECRET_PAIRS:
            told |= Cue.SECRET
        if token.start in asked:
            told |= asked[token.start]
        later = token.text
    return told


def asked_for(lexed: Sequence[Token]) -> Cue:
    """What the end of a turn asks the other speaker for."""
    return before(lexed, len(lexed), 0, {}) & ~Cue.AMOUNT if lexed else Cue.NONE


def counted(text: str, lexed: Sequence[Token], start: int, end: int, after: int) -> bool:
    """Whether the number from character `start` to `end`, before token `after`, has a unit or a currency with it."""
    if {*text[end : end + 2].strip()[:1], *text[max(0, start - 2) : start].strip()[-1:]} & _CURRENCY:
        return True
    for token in lexed[after : after + AFTER]:
        if token.form is not Form.WORD or starts(token):
            return False
        if token.text in _COUNTED or token.text.startswith(_COUNTED_STEMS):
            return True
    return False
