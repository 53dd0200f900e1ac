"""Mailed codes, and the passwords that are set by them or by the one before."""

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.users.people import end_all_sessions, mail_code, present
from actors.users.sessions import Sessions
from actors.users.strength import refuse_weak
from bus.kit.addressing import derived_id, new_id
from bus.kit.values import Done
from bus.messaging import SendEmail
from bus.users import (
    ChangePassword,
    CodeIssued,
    CodeSent,
    CodeTry,
    ConfirmEmail,
    EmailVerified,
    ForgotPassword,
    IssueCode,
    MailPasswordChanged,
    PasswordChanged,
    Purpose,
    ResendCode,
    ResetPassword,
    SendCode,
    SetPassword,
    TryCode,
    VerifyEmail,
    invalid_code,
    invalid_credentials,
)
from persistence.kit.transaction import Tx
from persistence.users import (
    change_verified,
    code_of,
    find_account,
    find_user,
    forget_tries,
    living_sessions,
    replace_code,
    replace_password,
    spend_try,
    use_code,
)

CODE_DIGITS = 6
CODE_SECONDS_MAX = 900
CODE_TRIES_MAX = 5
CODES_PER_HOUR_MAX = 5

PLACES = {
    Purpose.VERIFY_EMAIL: ("verify_email", "/auth/verify-email"),
    Purpose.RESET_PASSWORD: ("reset_password", "/auth/reset-password"),
}
"""The mail's template, and the page that its link leads to."""


class Codes(Sessions):
    """Codes sent to people, and what they let them do."""

    @handles(ResendCode)
    async def resend_code(self, tx: Tx, m: ResendCode) -> Done:
        """Have a code mailed that verifies the address."""
        mail_code(tx, m.user_id, Purpose.VERIFY_EMAIL)
        return Done()

    @handles(ForgotPassword)
    async def forgot_password(self, tx: Tx, m: ForgotPassword) -> Done:
        """Have a code mailed that sets a new password."""
        mail_code(tx, m.user_id, Purpose.RESET_PASSWORD)
        return Done()

    @handles(SendCode)
    async def send_code(self, run: Run, m: SendCode) -> Done:
        """Make a code, keep its hash, mail it; run again, it is another code."""
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        issue = IssueCode(
            user_id=m.user_id, purpose=m.purpose, issue_id=run.id, code=code
        )
        issued = await run.step(issue, opens=m)
        if issued.email is not None:
            await run.ask(self._mail(m, issued, code))
        return await run.settle(
            CodeSent(user_id=m.user_id, purpose=m.purpose), last=True
        )

    def _mail(self, m: SendCode, issued: CodeIssued, code: str) -> SendEmail:
        template, page = PLACES[m.purpose]
        # After the `#`, so that neither servers nor proxies on the way log the code.
        given = urlencode({"email": issued.email, "code": code})
        link = f"{self.url_of(page)}#{given}"
        return SendEmail(
            message_id=new_id(m.user_id),
            to=issued.email or "",
            template=template,
            data={
                "name": issued.first_name,
                "code": code,
                "link": link,
                "minutes": CODE_SECONDS_MAX // 60,
            },
            user_id=m.user_id,
            locale=issued.locale,
            priority="security",
        )

    @handles(IssueCode)
    async def issue_code(self, tx: Tx, m: IssueCode) -> CodeIssued:
        """Keep a code's hash, if there is somebody to send it to and not too often."""
        row = await find_account(tx, m.user_id)
        verifies = m.purpose is Purpose.VERIFY_EMAIL
        if row is None or (verifies and row["email_verified"]):
            return CodeIssued()
        before = await code_of(tx, m.user_id, m.purpose)
        issued, since = count_issue(before, m.issue_id, tx.now)
        if issued > CODES_PER_HOUR_MAX:
            return CodeIssued()
        expires_at = tx.now + timedelta(seconds=CODE_SECONDS_MAX)
        parts = (m.user_id, m.purpose.value, m.issue_id, m.code)
        code_hash = self.pepper.hash("code", *parts)
        issue = (m.issue_id, code_hash, CODE_TRIES_MAX, expires_at)
        await replace_code(tx, m.user_id, m.purpose, issue, (issued, since))
        return CodeIssued(
            email=row["email"],
            first_name=row["first_name"],
            locale=row["locale"],
            expires_at=expires_at,
        )

    @handles(CodeSent)
    async def code_sent(self, tx: Tx, m: CodeSent) -> Done:  # noqa: ARG002
        """Nothing is left to be done for a code."""
        return Done()

    @handles(VerifyEmail)
    async def verify_email(self, run: Run, m: VerifyEmail) -> Done:
        """Prove an address."""
        tried = await run.step(ConfirmEmail(user_id=m.user_id, code=m.code))
        if not tried.right:
            raise invalid_code()
        return Done()

    @handles(ConfirmEmail)
    async def confirm_email(self, tx: Tx, m: ConfirmEmail) -> CodeTry:
        """Try a code and mark the address; the same code again is right again."""
        if await self._try(tx, m.user_id, Purpose.VERIFY_EMAIL, m.code) is None:
            return CodeTry(right=False)
        await use_code(tx, m.user_id, Purpose.VERIFY_EMAIL)
        await self._verified(tx, m.user_id)
        return CodeTry(right=True)

    @handles(ResetPassword)
    async def reset_password(self, run: Run, m: ResetPassword) -> Done:
        """Set a password by a code; a weak one leaves the code usable.

        Asked again with the same code and password it is done again.
        """
        refuse_weak(m.new_password, field="new_password")
        tried = await run.step(
            TryCode(user_id=m.user_id, purpose=Purpose.RESET_PASSWORD, code=m.code)
        )
        if not tried.right:
            raise invalid_code()
        if tried.used:
            if await self.passwords.verify(m.new_password, tried.password_hash):
                return Done()
            raise invalid_code()
        known = (tried.email, tried.first_name, tried.last_name)
        refuse_weak(m.new_password, *known, field="new_password")
        new_hash = await self.passwords.hash(m.new_password)
        return await run.step(
            SetPassword(user_id=m.user_id, new_hash=new_hash, code=m.code)
        )

    @handles(TryCode)
    async def try_code(self, tx: Tx, m: TryCode) -> CodeTry:
        """Try a code without using it up."""
        code = await self._try(tx, m.user_id, m.purpose, m.code)
        if code is None:
            return CodeTry(right=False)
        row = present(await find_account(tx, m.user_id))
        return CodeTry(
            right=True,
            used=code["used_at"] is not None,
            password_hash=row["password_hash"],
            email=row["email"],
            first_name=row["first_name"],
            last_name=row["last_name"],
        )

    @handles(ChangePassword)
    async def change_password(self, run: Run, m: ChangePassword) -> Done:
        """Set a password by the current one; done again where it is already set.

        A guess of the password that is hidden in either field counts as one try.
        """
        old_hash = await self.count_try(run, m.user_id, m.client)
        if not await self.passwords.verify(m.current_password, old_hash):
            if await self.passwords.verify(m.new_password, old_hash):
                return Done()
            raise invalid_credentials()
        async with self.read() as db:
            user = present(await find_user(db, m.user_id))
        known = (user.email, user.first_name, user.last_name)
        refuse_weak(m.new_password, *known, field="new_password")
        return await run.step(
            SetPassword(
                user_id=m.user_id,
                new_hash=await self.passwords.hash(m.new_password),
                old_hash=old_hash,
                kept_session_id=m.session_id,
            )
        )

    @handles(SetPassword)
    async def set_password(self, tx: Tx, m: SetPassword) -> Done:
        """Write a password if what allowed it still holds; end the sessions."""
        if m.code is not None:
            await self._require_unused(tx, m.user_id, m.code)
        if not await replace_password(tx, m.user_id, m.new_hash, m.old_hash):
            raise invalid_credentials()
        if m.code is not None:
            await use_code(tx, m.user_id, Purpose.RESET_PASSWORD)
            await self._verified(tx, m.user_id)
        await self._end_others(tx, m)
        await forget_tries(tx, m.user_id)
        tx.tell(PasswordChanged(user_id=m.user_id), m)
        allowed_by = "password" if m.code is None else "code"
        facts = {"changed": ["password"], "allowed_by": allowed_by}
        tx.audit(m, m.user_id, after=facts)
        notice = MailPasswordChanged(user_id=m.user_id)
        tx.due(f"password:{m.user_id}", tx.now, notice)
        return Done()

    @handles(MailPasswordChanged)
    async def mail_password_changed(self, run: Run, m: MailPasswordChanged) -> Done:
        """Write to the person, so that a change by somebody else is noticed."""
        async with self.read() as db:
            user = present(await find_user(db, m.user_id))
        mail = SendEmail(
            message_id=derived_id(run.id, "password-changed", m.user_id),
            to=user.email,
            template="password_changed",
            data={"name": user.first_name},
            user_id=m.user_id,
            locale=user.locale,
            priority="security",
        )
        await run.ask(mail)
        return Done()

    async def _end_others(self, tx: Tx, m: SetPassword) -> None:
        """End all sessions but the one that goes on, if one does."""
        if m.kept_session_id is None:
            await end_all_sessions(tx, m.user_id, "password")
            return
        person = present(await find_account(tx, m.user_id))
        living = await living_sessions(tx, m.user_id)
        others = [each for each in living if each != m.kept_session_id]
        await self.end_sessions(tx, person, others, "password")

    async def _require_unused(self, tx: Tx, user_id: UUID, code: str) -> None:
        row = await code_of(tx, user_id, Purpose.RESET_PASSWORD)
        if row is None or row["used_at"] is not None or not self._matches(row, code):
            raise invalid_code()

    async def _try(self, tx: Tx, user_id: UUID, purpose: Purpose, code: str) -> Any:
        """Spend a try; the code's row if it is right, used or not."""
        row = await spend_try(tx, user_id, purpose)
        return row if row is not None and self._matches(row, code) else None

    async def _verified(self, tx: Tx, user_id: UUID) -> None:
        """Who reads the mail has shown that the address is theirs."""
        if await change_verified(tx, user_id):
            tx.tell(EmailVerified(user_id=user_id))

    def _matches(self, row: Any, code: str) -> bool:
        parts = (row["user_id"], row["purpose"], row["issue_id"], code)
        return self.pepper.matches(row["code_hash"], "code", *parts)


def count_issue(before: Any, issue_id: UUID, now: Any) -> tuple[int, Any]:
    """How many codes were made since when, this one (counted once) included."""
    if before is None or before["issued_since"] < now - timedelta(hours=1):
        return 1, now
    again = before["issue_id"] == issue_id
    return before["issued"] + (0 if again else 1), before["issued_since"]
