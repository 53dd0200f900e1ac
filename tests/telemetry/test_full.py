"""Spans that no collector takes: so many wait, the others are dropped."""

from pathlib import Path

import pytest

from bus.kit import otlp
from bus.kit.settings import Settings
from tests.conftest import free_port


def test_past_their_queue_spans_are_dropped_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "QUEUE_MAX", 10)
    monkeypatch.setattr(otlp, "SEND_MAX", 10)
    monkeypatch.setattr(otlp, "SEND_SECONDS_MAX", 0.1)
    url = f"http://127.0.0.1:{free_port()}"
    settings = Settings(data_dir=tmp_path, otlp_url=url)
    tracing = otlp.Tracing(settings, "here", "0")
    (processor,) = tracing._provider._active_span_processor._span_processors
    for _ in range(500):
        tracing.begin("work", "internal", None, (), {}).end()
    assert len(processor._batch_processor._queue) <= 10  # type: ignore[attr-defined]
    processor._batch_processor._queue.clear()  # type: ignore[attr-defined]
    tracing.stop()
