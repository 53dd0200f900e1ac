"""Pictures that wait to be decoded, past what may wait."""

import asyncio
import io
from pathlib import Path

import pytest

from actors.files import decoding
from actors.files.decoding import Decoders, Limits
from bus.kit.refusals import Refusal, Unavailable


async def test_past_what_may_wait_a_picture_is_refused_and_late_ones_go_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "WAITING_MAX", 2)
    monkeypatch.setattr(decoding, "WAIT_SECONDS_MAX", 0.2)
    decoders = Decoders(tmp_path, Limits(pixels_max=1, memory_bytes_max=1))
    while not decoders._places.locked():  # all processes are at work
        await decoders._places.acquire()
    waiting = [asyncio.ensure_future(decoders.render(io.BytesIO())) for _ in range(5)]
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Refusal)]
    assert [end.code for end in refused] == ["too-many-uploads"] * 3
    assert sum(isinstance(end, Unavailable) for end in ends) == 2
    assert decoders._waiting == 0
    assert decoders.processes == []
