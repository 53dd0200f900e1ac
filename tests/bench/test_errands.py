"""What the bench's processes answer is theirs alone, and ends with them."""

import pytest

from scripts.benching.errands import errands
from scripts.launcher.failures import Failure


async def test_what_prints_in_a_process_gets_into_no_answer() -> None:
    async with errands("tests.bench.noisy") as sent:
        assert await sent.say("it", b"abc") == b"cba\n"
        assert await sent.say("it", b"123") == b"321\n"


async def test_a_process_that_ends_over_its_errand_is_said_to_have_ended() -> None:
    async with errands("tests.bench.no_such_module") as sent:
        with pytest.raises(Failure, match="has ended"):
            await sent.say("it", b"abc")
