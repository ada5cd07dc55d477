"""Documentation: the OpenAPI document that `/openapi.json` gives and `/docs` shows.

Lives here: what clients are told about every address, in the words of both contracts. Does not: carrying anything out.

    operations.py   one entry per address and method: what it does, takes, answers and refuses
    requests.py     bodies that are taken, as schemas, with the contracts' own examples
    answers.py      the data of answers about submissions and calls, as models
    people.py       the data of answers about contacts and users, as models
    examples.py     one example for each kind of data
    refusals.py     the two error envelopes, and an example of every error
    document.py     all of it put into one document, each operation under both prefixes

Handlers read bodies by hand, so nothing of this is derived from them; the tests hold real answers against it.
"""

from aila_pipeline.api.documentation.document import describe

__all__ = ["describe"]
