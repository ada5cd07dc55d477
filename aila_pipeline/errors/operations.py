"""What an operator asked for and cannot have: starting the stack, running a command, a setting.

Lives here: the refusals of the command line. Does not: those of the API (requests.py).
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError


class StackError(AilaError):
    """What `aila up` runs cannot start, or cannot go on."""


class HomeInUse(StackError):
    code, what = "HOME_IN_USE", "another `aila up` works on this home"
    advice = "stop it first, or choose another home with --home"


class PortTaken(StackError):
    code, what = "PORT_TAKEN", "something else listens on the port"
    advice = "stop it, or choose another port"


class DefinitionsBroken(StackError):
    code, what = "DEFINITIONS_BROKEN", "Dagster cannot load the definitions"
    advice = "mend them; `dagster definitions validate` shows the same error"


class ProcessFailed(StackError):
    code, what = "PROCESS_FAILED", "a process that `aila up` needs does not run"
    advice = "look at its log"


class CommandRefused(AilaError):
    """What a command was asked for cannot be; nothing was done."""


class LedgerMissing(CommandRefused):
    code, what = "LEDGER_MISSING", "there is no ledger here"
    advice = "start `aila up` first, or name the right home with --home or AILA_HOME"


class NotKnown(CommandRefused):
    code, what = "NOT_KNOWN", "the ledger knows nothing of this id"
    advice = "`aila status` lists the batches, `aila status BATCH_ID` the calls of one"


class NameTaken(CommandRefused):
    code, what = "NAME_TAKEN", "something of this name lies in the drop zone already"
    advice = "choose another with --name"


class TenantUnknown(CommandRefused):
    code, what = "TENANT_UNKNOWN", "there is no such tenant, and drops may not create one"
    advice = "check --country and --firm, or set AILA_CREATE_TENANTS=true"


class ApiRefused(CommandRefused):
    """`status` and `api_code` as it answered; `problems`: a line for each row, call or field that is wrong."""

    code, what = "API_REFUSED", "the API refused the request"
    advice = "mend what it says and run the command again"

    def __init__(
        self, detail: str = "", *, status: int = 0, api_code: str = "", problems: tuple[str, ...] = ()
    ) -> None:
        self.status, self.api_code, self.problems = status, api_code, problems
        super().__init__(detail)

    @property
    def message(self) -> str:
        """The API's own words say what to do."""
        return f"{self.what}: {self.api_code}, {self.detail}" if self.api_code else super().message

    def __str__(self) -> str:
        return "\n".join((self.message, *(f"  {problem}" for problem in self.problems)))


class ApiKeyMissing(CommandRefused):
    code, what = "API_KEY_MISSING", "no API key is given"
    advice = "pass --key or set AILA_API_KEY; `aila keys create` makes one"


class ApiUnavailable(AilaError):
    code, what, retryable = "API_UNAVAILABLE", "the API does not answer", True
    advice = "check --api or AILA_API_URL; `aila up` starts it"


class WaitedTooLong(AilaError):
    code, what = "WAITED_TOO_LONG", "the time given with --timeout is over"
    advice = "the work goes on; `aila status` shows it"


class SettingInvalid(AilaError):
    code, what, advice = "SETTING_INVALID", "a setting cannot work", "mend the setting and start again"
