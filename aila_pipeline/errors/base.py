"""The root of the error tree.

Lives here: what every failure of this project says, and the advice for a stored code. Does not: any particular failure.
"""

from __future__ import annotations

from typing import ClassVar


class AilaError(Exception):
    """Base of all failures of this project.

    `what` says what happened, `advice` what to do about it, `code` is stable, `retryable` tells whether
    trying the same thing again can help.
    """

    code: ClassVar[str] = "INTERNAL"
    what: ClassVar[str] = "something went wrong"
    advice: ClassVar[str] = "look at the run's log"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line for a person: what happened, the detail, what to do."""
        told = f"{self.what}: {self.detail}" if self.detail else self.what
        return f"{told}; {self.advice}"


def advice_of(code: str) -> str:
    """What to do about a stored code; the general advice for one that no class has any more."""
    families = [AilaError]
    while families:
        family = families.pop()
        if family.code == code:
            return family.advice
        families.extend(family.__subclasses__())
    return AilaError.advice
