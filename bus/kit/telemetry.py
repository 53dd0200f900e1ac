"""What a process of the shop says of itself: logs always, the rest where configured."""

import atexit

from bus.kit import logs, reports, traces
from bus.kit.settings import Settings

VERSION = "0.1.0"


def start(settings: Settings, process_name: str) -> None:
    """Begin to write logs and, if there is somewhere to send them, traces and bugs.

    Call it once, when the process starts. What is not configured is not imported.
    """
    logs.configure(settings, process_name)
    if settings.otlp_url:
        from bus.kit.otlp import Tracing  # noqa: PLC0415 - it is large

        tracing = Tracing(settings, process_name, VERSION)
        traces.turn_on(tracing.begin)
        atexit.register(tracing.stop)
    if settings.sentry_dsn:
        reports.turn_on(settings, process_name, VERSION)
