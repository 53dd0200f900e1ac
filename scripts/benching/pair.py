"""Two actors of the bench in the shop's cluster, to hold asks against plain calls.

`Caller` asks a domain, as a domain asks another: through its lane. Or it calls
`Answerer` with the envelope that such an ask travels in, one message a call, and gets
what the domain would answer: what is left is the call itself.
"""

import os
import time
from typing import Any

import msgspec
import ray

from actors.kit.reach import connect
from actors.kit.wire import Answers, Envelope, Sent, pack, unpack
from bus.kit.addressing import new_id
from bus.kit.messages import decode, encode
from bus.kit.settings import Settings
from bus.products import GetOffers, Offers
from scripts.benching.errands import Done, Errand, over_and_over

CALL_SECONDS_MAX = 10.0
CALLS_MAX = 10_000
LANE = "bench"


class Pair:
    """The two, made when they are first sent for; they end with their maker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._caller: Any = None

    async def do(self, errand: Errand) -> Done:
        """Ask, or call, as the errand says."""
        if self._caller is None:
            environ = self._settings.export()
            self._caller = _actor(Caller, environ, _actor(Answerer))
        data: bytes = await self._caller.do.remote(msgspec.json.encode(errand))
        return msgspec.json.decode(data, type=Done)


class Answerer:
    """Reads an envelope and answers it from memory, as large as the real answer."""

    def __init__(self) -> None:
        self._answer: Any = None

    async def learn(self, answer: bytes) -> None:
        """What to answer from now on."""
        self._answer = decode(Offers, answer)

    async def receive(self, envelope: bytes) -> bytes:
        """One message, or several."""
        items = decode(Envelope, envelope).items
        for sent in items:
            decode(GetOffers, sent.body)
        return encode(Answers([pack(self._answer) for _ in items]))


class Caller:
    """Asks, or calls."""

    def __init__(self, environment: dict[str, str], answerer: Any) -> None:
        os.environ.update(environment)
        self._ask = connect(Settings.load()).ask
        self._answerer = answerer
        self._knows = False

    async def do(self, data: bytes) -> bytes:
        """An errand, to its end."""
        errand = msgspec.json.decode(data, type=Errand)
        message = GetOffers(skus=errand.skus[:1])
        if not self._knows:
            offers = await self._ask(message)
            await self._answerer.learn.remote(encode(offers))
            self._knows = True
        act = self._ask if errand.what == "ask" else self._call
        done = await over_and_over(errand, lambda: act(message))
        return msgspec.json.encode(done)

    async def _call(self, message: GetOffers) -> Any:
        """What an ask does, without a lane: an envelope of one, and its answer."""
        sent = Sent(
            kind=message.kind(),
            id=new_id(),
            deadline=time.time() + CALL_SECONDS_MAX,
            body=msgspec.Raw(encode(message)),
        )
        data = await self._answerer.receive.remote(encode(Envelope(LANE, [sent])))
        (outcome,) = decode(Answers, data).outcomes
        return unpack(type(message), outcome)


def _actor(kind: type[Any], *values: Any) -> Any:
    """Such an actor, which takes as many calls at a time as a shard does."""
    made: Any = ray.remote(kind)
    return made.options(num_cpus=0, max_concurrency=CALLS_MAX).remote(*values)
