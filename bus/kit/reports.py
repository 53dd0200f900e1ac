"""Reports of bugs: what is logged with its exception goes to Sentry, once, scrubbed.

A bug is logged once, where it is handled; the same place reports it. A report has the
types and frames of the exceptions, and ids: no bodies, headers, local variables, nor
anything else of a request or a person.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bus.kit.discreet import discreet
from bus.kit.settings import Settings

SEND_SECONDS_MAX = 2.0
TAGS = {
    "http.request.id": "request_id",
    "trace.id": "trace_id",
    "span.id": "span_id",
    "log.logger": "domain",
    "message_type": "message_type",
    "command_id": "command_id",
    "http.route": "route",
    "process.name": "process",
}
"""The names of a log line's members that a report takes along."""

_KEPT = (
    *("event_id", "timestamp", "level", "logger", "platform", "exception", "message"),
    *("tags", "release", "environment", "transaction", "sdk", "fingerprint"),
)

Report = Callable[[BaseException, Mapping[str, Any]], None]
_report: Report | None = None


def report(error: BaseException, line: Mapping[str, Any]) -> None:
    """Report a bug with the ids of the log line about it; nothing where it is off."""
    if _report is not None:
        _report(error, line)


def turn_on(settings: Settings, process_name: str, version: str) -> Any:
    """Begin to report; returns Sentry's client, which sends from a thread."""
    global _report  # noqa: PLW0603 - one process, one client
    import sentry_sdk  # noqa: PLC0415 - only where it is wanted

    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        release=f"souk@{version}",
        environment=settings.profile,
        server_name=process_name,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        shutdown_timeout=SEND_SECONDS_MAX,
        before_send=_scrubbed,
    )

    def send(error: BaseException, line: Mapping[str, Any]) -> None:
        with sentry_sdk.new_scope() as scope:
            for name, tag in TAGS.items():
                if line.get(name):
                    scope.set_tag(tag, str(line[name]))
            sentry_sdk.capture_exception(error)

    _report = send
    return sentry_sdk.get_client()


def turn_off() -> None:
    """Report nothing from now on."""
    global _report  # noqa: PLW0603 - as above
    _report = None


def _scrubbed(event: Any, _: Any) -> Any:
    """The report without what may say who somebody is."""
    kept = {name: event[name] for name in _KEPT if name in event}
    for each in kept.get("exception", {}).get("values", ()):
        each["value"] = discreet(str(each.get("value") or ""))
        for frame in each.get("stacktrace", {}).get("frames", ()):
            frame.pop("vars", None)
    return kept
