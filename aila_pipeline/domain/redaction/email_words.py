"""E-mail words: how addresses are said in English and Russian.

Lives here: word lists, lower case, ё written as е. Does not: find an address (emails.py).
"""

from __future__ import annotations

from aila_pipeline.domain.redaction.lexing import word_list

AT = frozenset({"at", "эт", "ат"})
"""Also, or mostly, other words: need more evidence."""
DOG = frozenset({"собака", "собачка", "собаку"})
"""The Russian name of the sign; a pet unless a domain follows."""
DOT = frozenset({"dot", "точка", "точку", "дот"})
CONNECTORS = DOT | frozenset(
    {"underscore", "dash", "hyphen", "minus", "plus", "тире", "дефис", "минус", "плюс", "подчеркивание",
     "андерскор", "слэш"}
)  # fmt: skip
BEFORE_CONNECTOR = frozenset({"нижнее", "нижний", "low"})
"""Stand before a connector: "нижнее подчёркивание"."""

TOP_LEVEL = word_list("""
    com org net edu gov int info biz io co me uk us ru kz ua by uz kg de fr es it nl eu ca au ae tr pl ch in example
    ком орг нет инфо био биз ру кз уз кг бай юэй рф
    """)
PROVIDERS = word_list("""
    gmail googlemail google yahoo hotmail outlook live msn icloud aol proton protonmail gmx fastmail mail yandex rambler
    inbox list bk ya btinternet comcast verizon
    джимейл гмейл гугл яху хотмейл аутлук мейл мэйл мейл яндекс рамблер инбокс лист бк айклауд
    """)
"""Whose addresses people have; a domain by this name is an address more often than a web site."""

CUES = word_list("""
    email emails mail e-mail inbox gmail write
    почта почту почте почты имейл мейл мэйл емейл емайл мыло электронка электронная электронную электронный
    """)
ROLES = word_list("""
    info sales support office hello contact admin billing accounts orders help hr press noreply
    инфо сейлс саппорт офис админ
    """)
"""Names that mailboxes of firms have."""

NOT_LOCAL = word_list("""
    is it's its it's that's thats my mine email emails e mail address addresses the to be would will yes yeah so and or
    down of for me us you him her them we i'm a an as use please send write put at on in by works with
    look looking looked looks see find found us available listed shop shopping buy bought order ordered ordering
    online website site page work working visit check checking check here there back still am are was were
    arrive arrived stay meet store
    это на моя мой мое почта почту почте адрес имейл мейл будет да нет ну там вот так и или а в по электронка
    пишите отправьте отправить запишите записывайте диктую пожалуйста мне наш наша у меня ваш ваша есть
    смотрите зайдите посмотрите сайт сайте сайт
    """)
"""Words before an address that are no part of it."""
