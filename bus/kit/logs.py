"""Logs of every process: one JSON document a line, in a rotating file of its own.

Members are those of the Elastic Common Schema, flat with dots; what it has no name for
stands under `labels`. A line says which request and trace it belongs to, because the
context travels with each message.
"""

import logging
import os
import sys
import traceback
from collections.abc import MutableMapping
from logging.handlers import RotatingFileHandler
from typing import Any, cast

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import FilteringBoundLogger, Processor

from bus.kit.context import CURRENT
from bus.kit.discreet import discreet
from bus.kit.reports import report
from bus.kit.settings import Settings

ECS_VERSION = "8.17.0"
ECS = frozenset(
    {
        "@timestamp",
        "error.message",
        "error.stack_trace",
        "error.type",
        "event.duration",
        "event.outcome",
        "http.request.id",
        "http.request.method",
        "http.response.status_code",
        "process.name",
        "span.id",
        "trace.id",
        "transaction.id",
        "url.path",
        "user.id",
    }
)
"""The schema's own names that lines may have; all others become labels."""

TEXT_MAX = 8_000
"""Characters of one value; longer ones are cut."""

# Values that may say who a person is or let someone in never reach a file.
PRIVATE = frozenset(
    {
        "address",
        "authorization",
        "cookie",
        "email",
        "first_name",
        "last_name",
        "password",
        "phone",
        "secret",
        "to",
        "token",
    }
)
_NOISY = ("asyncio", "nats", "uvicorn", "aiosmtpd", "mail.log", "httpx", "PIL")
_encoder = msgspec.json.Encoder(enc_hook=repr)
_process_name = ""


def get(name: str) -> FilteringBoundLogger:
    """The logger of a part of the shop, such as `orders`."""
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(name))


def configure(settings: Settings, process_name: str, *, console: bool = False) -> None:
    """Send this process' logs to `data_dir/logs/<process_name>.log`.

    Call it once, when the process starts; again replaces what it set. With `console`
    warnings are also shown to the person at the terminal, in plain words.
    """
    global _process_name  # noqa: PLW0603 - one process, one name
    _process_name = process_name
    folder = settings.data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_chain(process_name),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    file = _File(
        folder / f"{process_name.replace('/', '-')}.log",
        maxBytes=settings.log_file_bytes_max,
        backupCount=settings.log_files_max,
        encoding="utf-8",
        delay=True,
    )
    file.setFormatter(
        ProcessorFormatter(
            processors=[ProcessorFormatter.remove_processors_meta, _as_json],
            foreign_pre_chain=_chain(process_name),
        )
    )
    handlers: list[logging.Handler] = [file]
    if console:
        handlers.append(_terminal())
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if _is_ours(handler)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.set_name(f"souk-{handler.name or type(handler).__name__}")
        root.addHandler(handler)
    root.setLevel(settings.log_level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def process_name() -> str:
    """What `configure` was told that this process is; "" before that."""
    return _process_name


def mark_rendered(record: logging.LogRecord) -> None:
    """Its message is whole documents, one a line, and goes into the file as it is."""
    record.souk_rendered = True


class _File(RotatingFileHandler):
    """A rotating file; the library renders a line for its length, then to write it."""

    _record: logging.LogRecord | None = None
    _line = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line, rendered once."""
        if hasattr(record, "souk_rendered"):
            return record.getMessage()
        if record is not self._record:
            self._line, self._record = super().format(record), record
        return self._line


def _is_ours(handler: logging.Handler) -> bool:
    return (handler.name or "").startswith("souk-")


def _terminal() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[ProcessorFormatter.remove_processors_meta, _as_words]
        )
    )
    return handler


def _chain(process_name: str) -> list[Processor]:
    """What every line gets, whoever wrote it."""

    def named(_: Any, __: str, line: MutableMapping[str, Any]) -> Any:
        line["process.name"] = process_name
        context = CURRENT.get()
        request_id = line.pop("request_id", None) or context.request_id
        if request_id:
            line.setdefault("http.request.id", request_id)
        traceparent = line.pop("traceparent", None) or context.traceparent
        if traceparent:
            line.setdefault("trace.id", traceparent[3:35])
            line.setdefault("span.id", traceparent[36:52])
        return line

    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
        structlog.processors.StackInfoRenderer(),
        named,
        _explained,
        _discreet,
    ]


def _explained(_: Any, __: str, line: MutableMapping[str, Any]) -> Any:
    """The exception in words; one that is an error is a bug, and reported."""
    given = line.pop("exc_info", None)
    if not given:
        return line
    error = given if isinstance(given, BaseException) else sys.exc_info()[1]
    if isinstance(given, tuple):
        error = given[1]
    if error is None:
        return line
    line["error.type"] = type(error).__name__
    line["error.message"] = discreet(str(error))
    lines = traceback.format_exception(error)
    line["error.stack_trace"] = discreet("".join(lines).rstrip())
    if line.get("level") in ("error", "critical"):
        report(error, {**line, "log.logger": line.get("logger")})
    return line


def _discreet(_: Any, __: str, line: MutableMapping[str, Any]) -> Any:
    """Hide what must not be read, and cut what is too long."""
    for key, value in line.items():
        if key in PRIVATE:
            line[key] = "[hidden]"
        elif isinstance(value, str) and len(value) > TEXT_MAX:
            line[key] = value[:TEXT_MAX] + "…"
    return line


def _as_json(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    logger = line.pop("logger", "")
    if logger == "ray" or logger.startswith("ray."):
        dataset = "souk.ray"
    else:
        dataset = f"souk.{logger.partition('.')[0] or 'shop'}"
    first = {
        "@timestamp": line.pop("@timestamp", ""),
        "log.level": line.pop("level", ""),
        "message": line.pop("event", ""),
        "ecs.version": ECS_VERSION,
        "service.name": "souk",
        "event.dataset": dataset,
        "log.logger": logger,
        "process.pid": os.getpid(),
    }
    if "stack" in line:
        line.setdefault("error.stack_trace", line.pop("stack"))
    ours = {name: line.pop(name) for name in list(line) if name not in ECS}
    labels = {f"labels.{name.replace('.', '_')}": ours[name] for name in ours}
    return _encoder.encode({**first, **line, **labels}).decode()


def _as_words(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    return f"{line.get('level', 'warning')}: {line.get('event', '')}"
