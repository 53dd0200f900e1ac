"""Request and reply over NATS: JSON in, JSON or a problem document out."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from nats.micro import add_service
from nats.micro.service import EndpointConfig, Service, ServiceConfig

from bus.kit.addressing import new_id
from bus.kit.messages import Message
from bus.kit.refusals import STATUS, Failed, Refusal, Unavailable, Unknown

VERSION = "1.0.0"
REQUEST_BYTES_MAX = 256 * 1024
KEY_LENGTH_MIN = 16
KEY_LENGTH_MAX = 64

Ask = Callable[..., Awaitable[Any]]


class Request(Protocol):
    """The body of a request; unknown fields are refused by its type."""

    def to_message(self) -> Message:
        """The command or query that it stands for."""


async def serve(
    nc: Any, services: dict[str, Any], ask: Ask, *, log: Any
) -> list[Service]:
    """Answer each subject of `services` (subject → type of its request body)."""
    by_domain: dict[str, Service] = {}
    for subject, kind in services.items():
        domain = subject.split(".")[0]
        if domain not in by_domain:
            config = ServiceConfig(name=domain, version=VERSION)
            by_domain[domain] = await add_service(nc, config)
        await by_domain[domain].add_endpoint(
            EndpointConfig(
                name=subject.replace(".", "-"),
                subject=subject,
                handler=_endpoint(subject, kind, ask, log),
            )
        )
    return list(by_domain.values())


def _endpoint(subject: str, kind: Any, ask: Ask, log: Any) -> Any:
    async def handle(request: Any) -> None:
        try:
            reply = await answer(subject, kind, ask, request.data)
        except Exception as error:
            problem = _problem(error)
            if problem["status"] == 500 and not isinstance(error, Failed):
                log.error("service-failed", subject=subject, exc_info=error)
            body = msgspec.json.encode(problem)
            await request.respond_error(str(problem["status"]), problem["code"], body)
            return
        await request.respond(msgspec.json.encode(reply))

    return handle


async def answer(subject: str, kind: Any, ask: Ask, data: bytes) -> Any:
    """The reply to one request; a command with an `idempotency_key` acts once."""
    if len(data) > REQUEST_BYTES_MAX:
        raise msgspec.ValidationError("the request is too large")
    body = msgspec.json.decode(data or b"{}", type=kind)
    key = getattr(body, "idempotency_key", None)
    if key is not None and not KEY_LENGTH_MIN <= len(key) <= KEY_LENGTH_MAX:
        raise msgspec.ValidationError("idempotency_key has 16 to 64 characters")
    return await ask(body.to_message(), id=_command_id(subject, key), join=True)


def _command_id(subject: str, key: str | None) -> UUID:
    return new_id() if key is None else uuid5(NAMESPACE_URL, f"nats:{subject}:{key}")


def _problem(error: Exception) -> dict[str, Any]:
    """The problem document (RFC 9457) of an end that is not a reply."""
    if isinstance(error, Refusal):
        data = error.data
        return {
            "type": "about:blank",
            "title": data.code,
            "status": STATUS[data.kind],
            "detail": data.detail,
            "code": data.code,
            "errors": [msgspec.to_builtins(one) for one in data.errors],
            **data.facts,
        }
    if isinstance(error, msgspec.MsgspecError):
        return _plain(422, "invalid-request", str(error))
    if isinstance(error, Unavailable):
        return _plain(503, "unavailable", "Ask again.")
    if isinstance(error, Unknown):
        return _plain(
            504, "outcome-unknown", "Ask again with the same idempotency_key."
        )
    return _plain(500, "internal-error", "")


def _plain(status: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": code,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [],
    }
