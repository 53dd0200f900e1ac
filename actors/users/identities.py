"""Sign-ins with an outside issuer (OpenID Connect), and whose its identities are."""

import hmac
from datetime import timedelta
from typing import Any
from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.users.issuer import Failing, Issuer, NotProven, Proven, Silent
from actors.users.passwords import new_secret
from actors.users.people import end_all_sessions, new_session, present
from actors.users.pepper import Attempt, Seal
from actors.users.sessions import Sessions
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.values import Done
from bus.users import (
    BeginSignIn,
    EmailVerified,
    EnterByIdentity,
    FinishSignIn,
    ForgetSignIn,
    IssuerTrouble,
    NewPerson,
    OpenAccount,
    Role,
    SignedIn,
    SignInBegun,
    SignInEnd,
    Status,
    UserRegistered,
    UseSignIn,
    account_blocked,
    email_not_verified,
    identity_elsewhere,
    invalid_state,
    not_configured,
    sign_in_refused,
)
from persistence.kit.claims import Claim
from persistence.kit.erased import erased_here
from persistence.kit.transaction import Tx
from persistence.users import (
    change_verified,
    drop_password,
    drop_sign_in,
    find_account,
    find_identity,
    find_user_id,
    insert_accounts,
    insert_identity,
    use_sign_in,
)

SIGN_IN_SECONDS_MAX = 600
LOOKS_MAX = 3
"""Of two callbacks at once the slower finds the account that the quicker has made."""

CALLBACK = "/auth/google/callback"


def identity_claim(issuer: str, subject: str, user_id: UUID) -> Claim:
    """An identity is one person's, for as long as there is the account."""
    return Claim("identity", f"{issuer} {subject}", user_id)


def identity_claims(m: EnterByIdentity) -> tuple[Claim, ...]:
    """An identity is one person's; so is the address of an account that is made."""
    identity = identity_claim(m.issuer, m.subject, m.user_id)
    if m.person is None:
        return (identity,)
    return (identity, Claim("email", m.person.email, m.user_id))


class Identities(Sessions):
    """People whom an outside issuer vouches for."""

    issuer: Issuer
    seal: Seal

    async def start(self) -> None:
        """Know the issuer; it is called when somebody signs in."""
        await super().start()
        self.seal = Seal(self.settings.encryption_keys)
        callback = self.url_of(CALLBACK)
        self.issuer = Issuer(self.settings, callback, self.clock.monotonic)

    async def stop(self) -> None:
        """End the issuer's connections."""
        await super().stop()
        await self.issuer.close()

    @handles(BeginSignIn)
    async def begin_sign_in(
        self,
        run: Run,  # noqa: ARG002 - nothing is stored
        m: BeginSignIn,
    ) -> SignInBegun:
        """Make secrets for the two ways through the browser; nothing is stored."""
        self._require_issuer()
        attempt = Attempt(
            state=f"{m.attempt_id}.{new_secret()}",
            nonce=new_secret(),
            verifier=new_secret(),
            expires_at=self.clock.now() + SIGN_IN_SECONDS_MAX,
        )
        try:
            location = await self.issuer.sign_in_url(
                state=attempt.state, nonce=attempt.nonce, verifier=attempt.verifier
            )
        except Failing as failing:
            return SignInBegun(trouble=self._trouble(failing))
        return SignInBegun(location=location, sealed=self.seal.seal(attempt))

    @handles(FinishSignIn)
    async def finish_sign_in(self, run: Run, m: FinishSignIn) -> SignInEnd:
        """Use the sign-in up, spend its code, and let the person in.

        What fails after the first of these is not taken up again: a code is good once,
        and to begin anew costs a click.
        """
        self._require_issuer()
        attempt = self.seal.open(m.sealed)
        if (
            attempt is None
            or not hmac.compare_digest(attempt.state.encode(), m.state.encode())
            or attempt.expires_at <= self.clock.now()
        ):
            raise invalid_state()
        await run.step(UseSignIn(attempt_id=m.attempt_id))
        try:
            proven = await self.issuer.prove(
                code=m.code,
                nonce=attempt.nonce,
                verifier=attempt.verifier,
                said_by=m.issuer,
            )
        except Failing as failing:
            return SignInEnd(trouble=self._trouble(failing))
        except NotProven as reason:
            self.log.warning("sign-in not proven", reason=str(reason))
            raise sign_in_refused() from None
        return SignInEnd(signed_in=await self._enter(run, proven, m.client))

    @handles(UseSignIn)
    async def use_sign_in(self, tx: Tx, m: UseSignIn) -> Done:
        """Insert the sign-in once; it is dropped when it would have expired."""
        if not await use_sign_in(tx, m.attempt_id):
            raise invalid_state()
        gone_at = tx.now + timedelta(seconds=2 * SIGN_IN_SECONDS_MAX)
        forget = ForgetSignIn(attempt_id=m.attempt_id)
        tx.due(f"sign-in:{m.attempt_id}", gone_at, forget)
        return Done()

    @handles(ForgetSignIn)
    async def forget_sign_in(self, tx: Tx, m: ForgetSignIn) -> Done:
        """Its cookie has expired: nobody can bring it again."""
        await drop_sign_in(tx, m.attempt_id)
        return Done()

    @handles(EnterByIdentity, claims=identity_claims)
    async def enter_by_identity(self, tx: Tx, m: EnterByIdentity) -> SignedIn:
        """Make or link the account where that is still to be done; open a session."""
        if not all(
            tx.claimed(claim.kind, claim.value, claim.owner_id)
            for claim in identity_claims(m)
        ):
            raise identity_elsewhere()
        if await erased_here(tx, [m.user_id]):  # else it would make them anew
            raise identity_elsewhere()
        row = await find_account(tx, m.user_id)
        if row is None and m.person is None:
            raise identity_elsewhere()
        if row is not None and row["status"] != Status.ACTIVE:
            raise account_blocked()
        if m.email is not None and (row is None or row["email"] != m.email):
            raise identity_elsewhere()
        if m.person is not None and row is None:
            await insert_accounts(tx, [_account(m.user_id, m.person)])
            tx.tell(UserRegistered(user_id=m.user_id), m)
            tx.tell(EmailVerified(user_id=m.user_id), m)
        if await insert_identity(tx, m.issuer, m.subject, m.user_id) and row:
            await self._take_over(tx, m, row)
        person = present(await find_account(tx, m.user_id))
        return await self.start_session(tx, person, m.start)

    async def _take_over(self, tx: Tx, m: EnterByIdentity, row: Any) -> None:
        """Whoever made an account without showing that its address is theirs is out.

        Else a stranger could register the address first and keep a password or a
        session to the account that its owner then uses ("account pre-hijacking").
        """
        if row["email_verified"]:
            return
        await change_verified(tx, m.user_id)
        tx.tell(EmailVerified(user_id=m.user_id), m)
        await drop_password(tx, m.user_id)
        await end_all_sessions(tx, m.user_id, "identity")

    async def _enter(self, run: Run, proven: Proven, client: str) -> SignedIn:
        for _ in range(LOOKS_MAX):
            enter = await self._entrance(proven, client)
            try:
                signed_in: SignedIn = await run.ask(enter)
            except Refusal as refusal:
                if refusal.code != identity_elsewhere().code:
                    raise
            else:
                return signed_in
        raise Unavailable("the identity's account keeps changing")

    async def _entrance(self, proven: Proven, client: str) -> EnterByIdentity:
        """Whose the identity is, or which account it becomes part of."""
        email, person = None, None
        async with self.read() as db:
            user_id = await find_identity(db, proven.issuer, proven.subject)
            if user_id is None:
                if proven.email is None:
                    raise email_not_verified()
                user_id, email = await find_user_id(db, proven.email), proven.email
        if user_id is None:
            user_id, email = new_id(), None
            person = NewPerson(
                email=proven.email or "",
                first_name=proven.first_name,
                last_name=proven.last_name,
                locale=proven.locale,
            )
        return EnterByIdentity(
            user_id=user_id,
            issuer=proven.issuer,
            subject=proven.subject,
            email=email,
            person=person,
            start=new_session(user_id, client),
        )

    def _require_issuer(self) -> None:
        if not self.settings.oidc_client_id:
            raise not_configured()

    def _trouble(self, failing: Failing) -> IssuerTrouble:
        self.log.warning("the issuer fails", reason=repr(failing))
        silent = isinstance(failing, Silent)
        return IssuerTrouble.SILENT if silent else IssuerTrouble.UNAVAILABLE


def _account(user_id: UUID, person: NewPerson) -> OpenAccount:
    return OpenAccount(
        user_id=user_id,
        email=person.email,
        password_hash=None,
        first_name=person.first_name,
        last_name=person.last_name,
        locale=person.locale,
        role=Role.CUSTOMER,
        verified=True,
        mail_code=False,
    )
