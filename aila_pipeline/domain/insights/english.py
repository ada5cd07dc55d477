"""English: word lists of our own for keywords, questions and sentiment.

Lives here: words, chosen for service calls by telephone. Does not: any rule.
"""

from __future__ import annotations

from aila_pipeline.domain.insights.language import Asking, Language, WordList, pairs, phrases, product, words

_WH = "what which who where when why how"
_BE_DO_HAVE = "is are was were do does did have has"
_MODALS = "can could may would will shall should"


def _stem(word: str) -> str:
    """The singular, roughly: `invoices` and `invoice` meet, `business` stays."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


ENGLISH = Language(
    stop_words=words("""
        a an the this that these those there here it its i i'm i'll i've i'd me my mine you you're you'll you've your
        yours he him his she her hers we we're we'll we've us our ours they them their theirs who whom whose which what
        where when why how one somebody anybody nobody someone anyone everyone something anything nothing everything
        and or but if so because than then as of at by for from in into on onto off out over to up down with within
        without about after again against all already also always am are is was were be been being do does did done
        doing don't doesn't didn't have has had having haven't hasn't can can't cannot could couldn't may might must
        shall should will won't would wouldn't let let's get got getting go goes going gone come came make made take
        took give gave put say said tell told ask asked see seen look know known think thought want wanted need needed
        like would try tried use used find found keep kept help please thank thanks thankyou sorry welcome hello hi hey
        bye goodbye yes yeah yep no nope not okay ok right alright sure well just only even still yet now today tomorrow
        yesterday soon later ago once twice times time moment second seconds minute minutes hour hours day days week
        weeks month months year years morning afternoon evening night monday tuesday wednesday thursday friday saturday
        sunday january february march april june july august september october november december zero two three four
        five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
        thirty forty fifty sixty seventy eighty ninety hundred thousand first third fourth fifth sixth tenth next last
        more most much many few some any each every other another same such too very really quite rather kind sort lot
        bit thing things way good great nice fine um uh uhm mhm hmm ah oh name call calling called speak speaking hold
        number hear line everybody back it's that's there's what's isn't aren't wasn't isn gonna wanna able maybe
    """),
    stem=_stem,
    positive=WordList.of("""
        good great excellent perfect wonderful amazing awesome fantastic lovely brilliant nice fine happy happier glad
        pleased satisfied delighted grateful appreciate appreciated helpful friendly kind polite quick quickly easy
        love loved like liked enjoy enjoyed works solved resolved fixed correct pleasure comfortable reliable
        recommend better best super cool
    """),
    negative=WordList.of("""
        bad worse worst terrible horrible awful poor useless unacceptable ridiculous disgusting rude unhappy angry
        annoyed annoying disappoint* frustrat* upset worried confused confusing dissatisfied unsatisfied hate hated
        broken damaged faulty defective missing wrong late delay delayed slow expensive overcharged problem problems
        issue issues trouble error errors mistake mistakes fail* complaint complaints complain* lost unfortunately
        impossible refuse* nobody never lie lied cheat* scam fraud waste wasted unreliable
    """),
    negations=words("""
        not no never none nothing without cannot can't don't doesn't didn't isn't aren't wasn't weren't won't wouldn't
        couldn't shouldn't haven't hasn't hardly
    """),
    courtesies=phrases("""
        good morning/good afternoon/good evening/good day/good night/nice day/nice evening/nice weekend/
        good weekend/would like/i'd like/like to/best regards/fine print
    """),
    asking=Asking(
        anywhere=product(_WH, f"{_BE_DO_HAVE} {_MODALS}")
        | pairs("how much/how many/how long/how often/how far/how old/what time/what kind/what about/which one")
        | product(_MODALS, "i you we they he she")
        | product("do did does", "i you we they he she anybody anyone")
        | product("have are", "you they")
        | pairs("is there/are there/am i/are we/have we"),
        at_start=words("is are was were does did has can could would should which who whose why how"),
        particles=frozenset(),
        openers=words(
            "and but so okay ok yes no well sorry hello hi hey right alright morning afternoon evening please"
        ),
        embedding=words("""
            i you we they he she it know knows knew understand understands see sees saw me sure remember wonder forgot
            is was that exactly about of and/or or than as if whether explain
        """),
        not_asking=pairs("how ever/can not/would not/could not/has been/is not/was not/are not/which is/who is"),
    ),
)
