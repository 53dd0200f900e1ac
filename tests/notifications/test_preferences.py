"""The channels that people choose."""

from typing import Any

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.notifications import (
    DEFAULTS,
    ChannelChoice,
    GetPreferences,
    NotificationType,
    SetPreferences,
)

PROMOTION = NotificationType.PROMOTION


async def test_who_has_not_chosen_has_the_defaults(told_shop: Any) -> None:
    async with told_shop() as s:
        view = await s.ask(GetPreferences(user_id=new_id()))
        assert view.types == DEFAULTS
        assert view.version == 0


async def test_a_choice_changes_what_it_names_and_nothing_else(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = new_id()
        choice: Any = {PROMOTION: {"email": True}}
        view = await s.ask(SetPreferences(user_id=ann, types=choice))
        wanted = ChannelChoice(email=True, sms=False, in_app=True)
        assert view.types == {**DEFAULTS, PROMOTION: wanted}
        assert view == await s.ask(GetPreferences(user_id=ann))
        await s.kill("notifications")
        await s.restart("notifications")
        later: Any = {PROMOTION: {"sms": True}}
        view = await s.ask(SetPreferences(user_id=ann, types=later, version=1))
        assert view.types[PROMOTION] == ChannelChoice(email=True, sms=True, in_app=True)
        assert view.version == 2


async def test_a_choice_made_on_old_preferences_is_refused(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = new_id()
        choice: Any = {PROMOTION: {"email": True}}
        await s.ask(SetPreferences(user_id=ann, types=choice, version=0))
        with pytest.raises(Refusal, match="version-mismatch"):
            await s.ask(SetPreferences(user_id=ann, types=choice, version=0))
        assert (await s.ask(GetPreferences(user_id=ann))).version == 1
