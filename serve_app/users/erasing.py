"""The route by which people leave for good (GDPR article 17)."""

from bus.kit.values import Done
from bus.users import EraseUser
from serve_app.kit.routing import SIGNED_IN, Caller, ask
from serve_app.users.routes import router


@router.delete("/users/profile", access=SIGNED_IN, also=(404, 409))
async def erase_user(caller: Caller) -> Done:
    """Leave for good: the account and all that the shop holds of you is erased.

    It cannot be undone, so it takes a session that began within the last 60 minutes:
    403 `sign-in-again` otherwise. There is no body, and no password is asked for, so
    that those who sign in at another place can leave as well. 409 `last-administrator`
    for the only administrator.

    With the answer the account is gone, every session has ended within a second, and
    the e-mail address is free. The other parts of the shop follow within seconds by the
    event `users.user_erased`, also when they were away meanwhile. Orders stay with
    their lines, totals and payments, without name, address and e-mail. An order of
    which nothing has shipped is cancelled and paid back, for nobody is left to send it
    to; one that has shipped in part keeps its address until the rest has left, a month
    at most. Stored payment methods are removed here and at their provider,
    notifications, messages and private files are deleted, reviews lose their words and
    keep their stars. Take your data with you first: `GET /users/export`.
    """
    message = EraseUser(user_id=caller.person, session_id=caller.session)
    return await ask(message, id=caller.command_id())
