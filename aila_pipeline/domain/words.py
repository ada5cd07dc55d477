"""Words: how text is brought into a form in which words can be compared.

Lives here: tokens of a text, the same for checklists, keywords, questions and sentiment, so that they agree on what a
word is. Does not: what words mean (insights/) or how near two phrases are (scoring/).
"""

from __future__ import annotations

import re
import unicodedata

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "ё": "е", "Ё": "Е"})
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*", re.UNICODE)


def tokens(text: str) -> list[str]:
    """The words of a text: compatibility-normalised, case folded, without punctuation.

    Letters and digits make a word, an apostrophe between them stays in it, a hyphen parts words. The Russian ё is
    read as е, as both spellings occur.

    >>> tokens("Twenty-five, isn’t it?")
    ['twenty', 'five', "isn't", 'it']
    """
    # Folding before normalising would leave some letters unfolded, and normalising can bring capitals back.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _TOKEN.findall(folded.translate(_APOSTROPHES))
