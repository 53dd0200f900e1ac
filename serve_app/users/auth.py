"""Routes of `/auth`: accounts, sessions, codes and passwords."""

from uuid import UUID

from starlette.requests import Request

from bus.kit.values import Done
from bus.users import (
    ChangePassword,
    FindAccount,
    ForgotPassword,
    LogIn,
    LogOut,
    LogOutAll,
    RefreshTokens,
    RegisterUser,
    ResendCode,
    ResetPassword,
    VerifyEmail,
    invalid_token,
)
from serve_app.kit.clients import client_of
from serve_app.kit.routing import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Caller,
    accepted,
    ask,
    created,
    no_content,
)
from serve_app.users.bodies import (
    ChangePasswordBody,
    EmailBody,
    LogInBody,
    RefreshTokensBody,
    RegisterUserBody,
    ResetPasswordBody,
    SessionView,
    VerifyEmailBody,
    parts_of,
    session_view,
)
from serve_app.users.routes import router


@router.post("/auth/register", access=PUBLIC, status=201)
async def register_user(
    body: RegisterUserBody, request: Request
) -> Answer[SessionView]:
    """Make an account and sign in.

    A 6-digit code and a link are mailed. Answers 409 `email-taken`, 422
    `weak-password`; every account begins as a customer's.
    """
    message = RegisterUser(
        email=body.email,
        password=body.password,
        first_name=body.first_name,
        last_name=body.last_name,
        client=client_of(request),
    )
    return created(session_view(await ask(message)), "/users/profile")


@router.post("/auth/verify-email", access=PUBLIC, status=204)
async def verify_email(body: VerifyEmailBody) -> Done:
    """Show by the mailed code that the address is yours.

    A code lives for 15 minutes and has 5 tries; 422 `invalid-code`.
    """
    user_id = await _account(body.email)
    return await ask(VerifyEmail(user_id=user_id, code=body.code))


@router.post("/auth/resend-code", access=PUBLIC, status=202)
async def resend_code(body: EmailBody) -> Answer[None]:
    """Have a new code mailed.

    Always 202, whether the address is known or not.
    """
    await ask(ResendCode(user_id=await _account(body.email)))
    return accepted()


@router.post("/auth/login", access=PUBLIC, also=(429,))
async def log_in(body: LogInBody, request: Request) -> SessionView:
    """Sign in.

    401 `invalid-credentials` for a wrong password and an unknown address alike; after
    10 failed tries within 15 minutes 429 `too-many-tries` for this account from this
    network address: who fails elsewhere locks nobody out here. A thousand tries from
    many addresses lock the account for addresses where it is not signed in.
    """
    message = LogIn(
        user_id=await _account(body.email),
        password=body.password,
        client=client_of(request),
    )
    return session_view(await ask(message))


@router.post("/auth/refresh", access=PUBLIC)
async def refresh_tokens(body: RefreshTokensBody, request: Request) -> SessionView:
    """Change a refresh token for the next pair.

    A token is used once. For ten seconds the same client may ask again and gets the
    same answer; any other use ends the session: 401 `token-reused`.
    """
    parts = parts_of(body.refresh_token)
    if parts is None:
        raise invalid_token()
    session_id, secret = parts
    message = RefreshTokens(
        session_id=session_id, secret=secret, client=client_of(request)
    )
    return session_view(await ask(message))


@router.post("/auth/logout", access=SIGNED_IN, status=204)
async def log_out(caller: Caller) -> Done:
    """End the session that the access token is of.

    Its access and refresh tokens count no more, on every replica within a second; the
    person's other sessions go on.
    """
    return await ask(LogOut(user_id=caller.person, session_id=caller.session))


@router.post("/auth/logout-all", access=SIGNED_IN, status=204)
async def log_out_all(caller: Caller) -> Done:
    """End every session of the person."""
    return await ask(LogOutAll(user_id=caller.person))


@router.post("/auth/forgot-password", access=PUBLIC, status=202)
async def forgot_password(body: EmailBody) -> Answer[None]:
    """Have a code mailed that sets a new password.

    Always 202, whether the address is known or not.
    """
    await ask(ForgotPassword(user_id=await _account(body.email)))
    return accepted()


@router.post("/auth/reset-password", access=PUBLIC, status=204)
async def reset_password(body: ResetPasswordBody) -> Done:
    """Set a new password by the mailed code; all sessions end.

    422 `invalid-code` or `weak-password`.
    """
    message = ResetPassword(
        user_id=await _account(body.email),
        code=body.code,
        new_password=body.new_password,
    )
    return await ask(message)


@router.post("/auth/change-password", access=SIGNED_IN, status=204, also=(429,))
async def change_password(
    body: ChangePasswordBody, caller: Caller, request: Request
) -> Answer[None]:
    """Set a new password; all sessions end but the one that asks.

    401 `invalid-credentials` for a wrong current password, 422 `weak-password`.
    """
    message = ChangePassword(
        user_id=caller.person,
        current_password=body.current_password,
        new_password=body.new_password,
        session_id=caller.session,
        client=client_of(request),
    )
    await ask(message)
    return no_content()


async def _account(email: str) -> UUID:
    return (await ask(FindAccount(email=email))).user_id
