"""Routes of `/auth/google`: signing in with an outside account (OpenID Connect).

They are named after the issuer that is set by default; `SOUK_OIDC_ISSUER` may be any.
"""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bus.kit.refusals import FieldError
from bus.users import (
    BeginSignIn,
    FinishSignIn,
    IssuerTrouble,
    invalid_state,
    sign_in_refused,
)
from serve_app.kit.bodies import invalid_request
from serve_app.kit.clients import client_of
from serve_app.kit.identity import over_tls
from serve_app.kit.problems import RETRY_AFTER_SECONDS, Problem
from serve_app.kit.routing import PUBLIC, Answer, ask
from serve_app.kit.streams import cookies_of
from serve_app.users.bodies import SessionView, parts_of, session_view
from serve_app.users.routes import router

SIGN_IN_SECONDS_MAX = 600
ASK_SECONDS_MAX = 15.0
CODE_MAX = 2_048
STATE_MAX = 200
ISSUER_MAX = 2_000
PATH = "/auth/google"

_VISIBLE = r"^[\x20-\x7e]+$"


@router.get("/auth/google/sign", access=PUBLIC, status=302, also=(404,))
async def begin_sign_in() -> Response:
    """Go to the issuer to sign in there.

    Open it in the browser: it answers 302 to the issuer, with PKCE (S256), `state` and
    `nonce`, and keeps a cookie for ten minutes (`HttpOnly`, `SameSite=Lax`, encrypted)
    that ties the issuer's answer to this browser. 404 `sign-in-not-configured` while
    no `SOUK_OIDC_CLIENT_ID` is set; 503 `issuer-unavailable` and 504 `issuer-timeout`
    when the issuer cannot be asked.
    """
    begun = await ask(BeginSignIn(), timeout_seconds=ASK_SECONDS_MAX)
    _refuse_trouble(begun.trouble)
    response = RedirectResponse(begun.location, 302, {"Cache-Control": "no-store"})
    _set_cookie(response, begun.sealed, SIGN_IN_SECONDS_MAX)
    return response


@router.get("/auth/google/callback", access=PUBLIC, also=(403, 404))
async def finish_sign_in(
    request: Request,
    state: Annotated[str | None, Query(max_length=STATE_MAX, pattern=_VISIBLE)] = None,
    code: Annotated[str | None, Query(max_length=CODE_MAX, pattern=_VISIBLE)] = None,
    error: Annotated[str | None, Query(max_length=STATE_MAX)] = None,
    iss: Annotated[str | None, Query(max_length=ISSUER_MAX)] = None,
) -> Answer[SessionView]:
    """Where the issuer sends the browser back to; answers a session as `login` does.

    The tokens are in the body alone, never in an address. Who is new gets an account
    with a verified address and no password (`forgot-password` sets one); an account of
    the same address is linked, if the issuer has verified it, and if nobody had shown
    before that the address is theirs, its password and sessions end. 422
    `invalid-state` for an answer that this browser did not ask for, that comes late or
    twice; 401 `sign-in-refused` when the issuer, or what it says, does not vouch for
    the person; 403 `email-not-verified` or `account-blocked`; 503
    `issuer-unavailable` and 504 `issuer-timeout`: begin again.
    """
    if error is not None:
        raise sign_in_refused("The issuer has refused. Begin again.")
    if code is None or state is None:
        raise invalid_request(
            [
                FieldError(name, "required", "Field required")
                for name, value in (("code", code), ("state", state))
                if value is None
            ]
        )
    parts = parts_of(state)
    sealed = cookies_of(request.scope).get(_cookie_name())
    if parts is None or sealed is None:
        raise invalid_state()
    message = FinishSignIn(
        attempt_id=parts[0],
        state=state,
        sealed=sealed,
        code=code,
        issuer=iss,
        client=client_of(request),
    )
    end = await ask(message, timeout_seconds=ASK_SECONDS_MAX)
    _refuse_trouble(end.trouble)
    if end.signed_in is None:
        raise sign_in_refused()
    gone = Response()
    _set_cookie(gone, "", 0)
    return Answer(
        session_view(end.signed_in),
        headers={"Set-Cookie": gone.headers["set-cookie"], "Cache-Control": "no-store"},
    )


def _cookie_name() -> str:
    """Over TLS no other host, a sub-domain's neither, can set it (RFC 6265bis)."""
    return "__Host-souk_sign_in" if over_tls() else "souk_sign_in"


def _set_cookie(response: Response, value: str, seconds: int) -> None:
    """Lax: it must come with the redirect from the issuer's site."""
    response.set_cookie(
        _cookie_name(),
        value,
        max_age=seconds,
        path="/" if over_tls() else PATH,
        secure=over_tls(),
        httponly=True,
        samesite="lax",
    )


def _refuse_trouble(trouble: IssuerTrouble | None) -> None:
    again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if trouble is IssuerTrouble.UNAVAILABLE:
        detail = "The issuer cannot be asked right now. Begin again."
        raise Problem(503, "issuer-unavailable", detail, headers=again)
    if trouble is IssuerTrouble.SILENT:
        detail = "The issuer did not answer in time. Begin again."
        raise Problem(504, "issuer-timeout", detail, headers=again)
