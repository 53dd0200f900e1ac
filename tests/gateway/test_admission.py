"""A replica takes on all orders while they are quick, fewer when they queue."""

from collections import deque

from serve_app.kit.admission import (
    AT_REST_MAX,
    DELAY_SECONDS_MAX,
    HELD_SECONDS_MAX,
    UNDER_WAY_FIRST,
    UNDER_WAY_MIN,
    Admission,
)
from tests.gateway.fakes import Front, Hands

MOST = 2_000


class Counter:
    """A shop that serves so many a second, in the order in which they came."""

    def __init__(self, clock: Hands, per_second: float, work_seconds: float) -> None:
        self.admission = Admission(most=MOST, clock=clock)
        self.refused = self.done = 0
        self._clock = clock
        self._gap = 1 / per_second
        self._work = work_seconds
        self._free_at = clock.now
        self._waiting: deque[tuple[float, int]] = deque()

    def serve(self, offered: float, seconds: float) -> None:
        """As many a second ask, for so long."""
        self.refused = self.done = 0
        for _ in range(round(offered * seconds)):
            self._clock.now += 1 / offered
            self._answer(self._clock.now)
            place = self.admission.enter()
            if place is None:
                self.refused += 1
                continue
            self._free_at = max(self._free_at, self._clock.now) + self._gap
            self._waiting.append((self._free_at + self._work, place))

    def _answer(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            at, place = self._waiting.popleft()
            self._clock.now = at
            self.admission.leave(place, done=True)
            self.done += 1
        self._clock.now = now


def test_three_times_too_many_are_refused_and_the_others_served_at_full_rate() -> None:
    counter = Counter(Hands(), per_second=600, work_seconds=0.01)
    counter.serve(1_800, 10)
    counter.serve(1_800, 10)
    assert 0.98 * 6_000 <= counter.done <= 6_010
    assert 11_900 <= counter.refused <= 12_100
    # What is under way is served within the delay that is allowed, and a window's more.
    assert UNDER_WAY_MIN <= counter.admission.limit <= 600 * DELAY_SECONDS_MAX * 1.2


def test_a_shop_that_keeps_up_refuses_nobody() -> None:
    counter = Counter(Hands(), per_second=600, work_seconds=0.01)
    counter.serve(480, 20)
    assert counter.refused == 0
    assert counter.admission.limit == UNDER_WAY_FIRST


def test_the_limit_grows_while_a_crowd_is_served_quickly() -> None:
    counter = Counter(Hands(), per_second=20_000, work_seconds=0.1)
    counter.serve(10_000, 10)
    counter.serve(10_000, 10)
    assert counter.refused == 0
    assert counter.admission.limit > 1_000


def test_a_slow_provider_is_not_taken_for_a_queue() -> None:
    counter = Counter(Hands(), per_second=600, work_seconds=0.4)
    counter.serve(10, 20)  # a quiet evening
    assert abs(counter.admission.rest_seconds - 0.4) < 0.01
    counter.serve(500, 20)
    assert (counter.refused, counter.admission.limit) == (0, UNDER_WAY_FIRST)


def test_a_few_are_never_refused_however_slow_it_is() -> None:
    clock = Hands()
    admission = Admission(most=MOST, clock=clock)
    for _ in range(200):
        places = [admission.enter() for _ in range(UNDER_WAY_MIN)]
        assert None not in places
        clock.now += HELD_SECONDS_MAX
        for place in places:
            assert place is not None
            admission.leave(place, done=True)
    assert (admission.limit, admission.under_way) == (UNDER_WAY_MIN, 0)


def test_who_waits_for_somebody_outside_gives_its_place_back() -> None:
    clock = Hands()
    admission = Admission(most=10, clock=clock)
    places = [admission.enter() for _ in range(10)]
    assert admission.enter() is None
    clock.now += HELD_SECONDS_MAX + 0.01
    late = admission.enter()
    assert (late, admission.under_way) == (11, 1)
    for place in places:
        assert place is not None
        admission.leave(place, done=True)
    assert (admission.under_way, admission.limit) == (1, 10.0)


def test_quick_refusals_do_not_make_a_queue_look_short() -> None:
    clock = Hands()
    admission = Admission(most=MOST, clock=clock)
    for _ in range(400):
        slow = [admission.enter() for _ in range(AT_REST_MAX + 1)]
        for _ in range(50):
            quick = admission.enter()
            assert quick is not None
            admission.leave(quick, done=False)
        clock.now += DELAY_SECONDS_MAX + 0.05
        for place in slow:
            assert place is not None
            admission.leave(place, done=True)
    assert admission.limit == UNDER_WAY_MIN


async def test_orders_past_the_limit_are_refused_at_once_and_reads_are_not(
    followed_shop: Front,
) -> None:
    shop = followed_shop
    orders = shop.gateway.admissions["POST", "/orders"]
    places = [orders.enter() for _ in range(UNDER_WAY_FIRST)]
    refused = await shop.http.post("/orders", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert (shop.asker.asked, shop.gateway.measures.refused_busy) == ([], 1)
    assert (await shop.http.get("/dev/noop")).status_code == 204
    orders.leave(places[0] or 0, done=True)
    assert (await shop.http.post("/orders", json={})).status_code == 422
    assert orders.under_way == UNDER_WAY_FIRST - 1


async def test_orders_that_wait_leave_room_for_reads_and_all_for_health(
    followed_shop: Front,
) -> None:
    shop, most = followed_shop, followed_shop.gateway.settings.gateway_ongoing_max
    for under_way, statuses in (
        (most * 3 // 4 - 1, (422, 204, 200)),
        (most * 3 // 4, (503, 204, 200)),
        (most, (503, 503, 200)),
    ):
        shop.gateway.measures.in_flight = under_way
        answers = (
            await shop.http.post("/orders", json={}),
            await shop.http.get("/dev/noop"),
            await shop.http.get("/health/live"),
        )
        assert tuple(each.status_code for each in answers) == statuses
    shop.gateway.measures.in_flight = 0
    assert shop.gateway.admissions["POST", "/orders"].under_way == 0
