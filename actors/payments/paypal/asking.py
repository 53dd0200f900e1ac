"""One ask of PayPal, and all that it can end in."""

from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from actors.payments.calls import Answered
from actors.payments.lines import NoAnswer
from actors.payments.paypal.access import UNAUTHORIZED, Access
from actors.payments.paypal.answers import Problem, read

_OK = range(200, 300)
_FORBIDDEN, _NOT_FOUND = 403, 404
_REFUSED = frozenset({400, _NOT_FOUND, 422})
"""PayPal did nothing. Of all others nothing is known: 409 is a request under way."""

_NOT_REFUSED = frozenset({"DUPLICATE_REQUEST_ID", "PREVIOUS_REQUEST_IN_PROGRESS"})

Read = TypeVar("Read")


class Refused(NamedTuple):
    """PayPal took the ask for a wrong one, and did nothing."""

    issue: str
    status: int


class Asker:
    """Asks, and tells an answer from a refusal and from not knowing."""

    def __init__(self, access: Access, timeout_seconds: float, log: Any) -> None:
        self._access = access
        self._timeout_seconds = timeout_seconds
        self._log = log

    async def get(self, path: str, kind: type[Read]) -> Read | Refused:
        """What is there; raises NoAnswer when that is not known."""
        return self._told(await self._call("GET", path, None, None), kind)

    async def post(
        self, path: str, kind: type[Read], key: UUID, body: Any = None
    ) -> Read | Refused:
        """What became of it, once by the key; raises NoAnswer when it is not known."""
        return self._told(await self._call("POST", path, key, body), kind)

    async def do(
        self, method: str, path: str, key: UUID | None, body: Any = None
    ) -> Refused | None:
        """None once it is done; raises NoAnswer when that is not known."""
        return self._refused(await self._call(method, path, key, body))

    def _told(self, answer: Answered, kind: type[Read]) -> Read | Refused:
        refused = self._refused(answer)
        if refused is not None:
            return refused
        try:
            return read(answer.body, kind)
        except ValueError:
            self._log.error("provider-answer-unreadable", provider="paypal")
            raise NoAnswer("unreadable") from None

    async def _call(
        self, method: str, path: str, key: UUID | None, body: Any
    ) -> Answered:
        try:
            return await self._access.call(
                method, path, self._timeout_seconds, key=key, body=body
            )
        except NoAnswer as error:
            self._log.warning(
                "provider-call-failed",
                provider="paypal",
                key=str(key) if key else None,
                error=str(error),
            )
            raise

    def _refused(self, answer: Answered) -> Refused | None:
        """The refusal, None for a yes; raises NoAnswer for what says neither."""
        if answer.status in _OK:
            return None
        issue = _issue(answer.body)
        if answer.status in _REFUSED and issue and issue not in _NOT_REFUSED:
            return Refused(issue, answer.status)
        ours = answer.status in (UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND)
        log = self._log.error if ours else self._log.warning
        log(
            "provider-call-failed",
            provider="paypal",
            status=answer.status,
            issue=issue[:100],
        )
        raise NoAnswer(str(answer.status))


def _issue(body: bytes) -> str:
    try:
        return read(body, Problem).issue
    except ValueError:
        return ""
