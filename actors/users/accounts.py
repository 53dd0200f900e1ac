"""Accounts: made, found, changed by their person and by administrators."""

from uuid import UUID

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.users.people import (
    People,
    end_all_sessions,
    mail_code,
    new_session,
    others_stay,
    present,
    revoke_tokens,
)
from actors.users.strength import refuse_weak
from bus.kit.cursors import id_of
from bus.kit.refusals import Refusal, invalid, stale
from bus.kit.values import Done, Page
from bus.users import (
    AccountFound,
    AccountOpened,
    ChangeRole,
    ChangeStatus,
    Contact,
    CreateAccount,
    FindAccount,
    FindStaff,
    GetContact,
    GetStanding,
    GetUser,
    ListRaisedEpochs,
    ListUsers,
    OpenAccount,
    OpenSession,
    Purpose,
    RaisedEpochs,
    RegisterUser,
    Role,
    RoleChanged,
    Saved,
    SignedIn,
    Standing,
    Status,
    StatusChanged,
    UpdateProfile,
    UserIds,
    UserRegistered,
    UserView,
    email_taken,
    own_account,
)
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.erased import erased_here
from persistence.kit.transaction import Tx
from persistence.users import (
    change_profile,
    change_role,
    change_status,
    ended_sessions,
    find_account,
    find_contact,
    find_passwords,
    find_staff,
    find_standing,
    find_user,
    find_user_id,
    find_users,
    insert_accounts,
    raised_epochs,
)

# A transaction may be open for this long after it took its time (design §3: 2 s idle),
# so a reading of the raised epochs may miss what is this young.
OVERLAP_SECONDS = 5


def email_claims(account: OpenAccount) -> tuple[Claim, ...]:
    """An address belongs to one account."""
    return (Claim("email", account.email, account.user_id),)


class Accounts(People):
    """People's accounts."""

    @handles(RegisterUser)
    async def register_user(self, run: Run, m: RegisterUser) -> SignedIn:
        """Check, hash, insert, sign in; the code is mailed after the commit."""
        refuse_weak(m.password, m.email, m.first_name, m.last_name)
        opened = await run.step(
            OpenAccount(
                user_id=m.user_id,
                email=m.email,
                password_hash=await self.passwords.hash(m.password),
                first_name=m.first_name,
                last_name=m.last_name,
                locale=m.locale,
                role=Role.CUSTOMER,
                verified=False,
                mail_code=True,
            )
        )
        if opened.password_hash is None:
            raise email_taken()
        return await run.step(
            OpenSession(
                user_id=m.user_id,
                password_hash=opened.password_hash,
                start=new_session(m.user_id, m.client),
            )
        )

    @handles(CreateAccount)
    async def create_account(self, run: Run, m: CreateAccount) -> Done:
        """Insert an account of any role, with a password or the hash of one."""
        password_hash = m.password_hash
        if password_hash is None:
            if m.password is None:
                raise invalid("required", "A password or a hash of one is needed.")
            password_hash = await self.passwords.hash(m.password)
        await run.step(
            OpenAccount(
                user_id=m.user_id,
                email=m.email,
                password_hash=password_hash,
                first_name=m.first_name,
                last_name=m.last_name,
                locale="en",
                role=m.role,
                verified=m.verified,
                mail_code=False,
            )
        )
        return Done()

    @handles_many(OpenAccount, claims=email_claims)
    async def open_account(
        self, tx: Tx, messages: list[OpenAccount]
    ) -> list[AccountOpened | Refusal]:
        """Insert those whose address is theirs."""
        gone = await erased_here(tx, [m.user_id for m in messages])
        own = [
            m
            for m in messages
            if m.user_id not in gone and tx.claimed("email", m.email, m.user_id)
        ]
        new = await insert_accounts(tx, own) if own else set()
        passwords = await find_passwords(tx, [m.user_id for m in own])
        for m in own:
            if m.user_id in new:
                tx.tell(UserRegistered(user_id=m.user_id), m)
                if m.mail_code:
                    mail_code(tx, m.user_id, Purpose.VERIFY_EMAIL)
        held = {m.user_id for m in own}
        return [
            AccountOpened(password_hash=passwords[m.user_id])
            if m.user_id in held
            else email_taken()
            for m in messages
        ]

    @handles(UpdateProfile)
    async def update_profile(self, tx: Tx, m: UpdateProfile) -> Saved:
        """Write names, phone and language."""
        await self._current(tx, m.user_id, m.expected_version)
        names = (m.first_name, m.last_name)
        return Saved(await change_profile(tx, m.user_id, names, m.phone, m.locale))

    @handles(ChangeRole)
    async def change_role(self, tx: Tx, m: ChangeRole) -> Saved:
        """Write a role; tokens that name the old one count no more."""
        if m.actor_id == m.user_id:
            raise own_account()
        version, before, _ = await self._current(tx, m.user_id, m.expected_version)
        if before is m.role:
            return Saved(version)
        if before is Role.ADMIN:
            await others_stay(tx, m.user_id)
        version = await change_role(tx, m.user_id, m.role)
        tx.tell(RoleChanged(user_id=m.user_id, role=m.role), m)
        tx.audit(m, m.user_id, {"role": before}, {"role": m.role})
        await revoke_tokens(tx, m.user_id, "role")
        return Saved(version)

    @handles(ChangeStatus)
    async def change_status(self, tx: Tx, m: ChangeStatus) -> Saved:
        """Block a person, which ends the sessions, or let them in again."""
        if m.actor_id == m.user_id:
            raise own_account()
        version, role, before = await self._current(tx, m.user_id, m.expected_version)
        if before is m.status:
            return Saved(version)
        if role is Role.ADMIN and m.status is Status.BLOCKED:
            await others_stay(tx, m.user_id)
        version = await change_status(tx, m.user_id, m.status)
        tx.tell(StatusChanged(user_id=m.user_id, status=m.status), m)
        tx.audit(m, m.user_id, {"status": before}, {"status": m.status})
        if m.status is Status.BLOCKED:
            await end_all_sessions(tx, m.user_id, "status")
        else:
            await revoke_tokens(tx, m.user_id, "status")
        return Saved(version)

    @handles(GetUser)
    async def get_user(self, db: Db, q: GetUser) -> UserView:
        """One person."""
        return present(await find_user(db, q.user_id))

    @handles(GetStanding)
    async def get_standing(self, db: Db, q: GetStanding) -> Standing:
        """Whether a session's tokens count."""
        return present(await find_standing(db, q.user_id, q.session_id))

    @handles(GetContact)
    async def get_contact(self, db: Db, q: GetContact) -> Contact:
        """Where a person is written to."""
        return present(await find_contact(db, q.user_id))

    @handles(FindAccount)
    async def find_account(self, db: Db, q: FindAccount) -> AccountFound:
        """Whose an address is; nobody's id for one that is unknown."""
        found = await find_user_id(db, q.email)
        return AccountFound(found or self.pepper.nobody(q.email))

    @handles(ListUsers)
    async def list_users(self, db: Db, q: ListUsers) -> Page[UserView]:
        """People, newest first."""
        people = await find_users(
            db,
            search=q.search,
            role=q.role,
            status=q.status,
            before=id_of(q.cursor),
            limit=q.limit + 1,
        )
        more = len(people) > q.limit
        shown = tuple(people[: q.limit])
        return Page(shown, str(shown[-1].id) if more else None)

    @handles(ListRaisedEpochs)
    async def list_raised_epochs(self, db: Db, q: ListRaisedEpochs) -> RaisedEpochs:
        """The epochs raised and the sessions ended since a moment."""
        epochs, as_of = await raised_epochs(db, q.since, OVERLAP_SECONDS)
        ended = await ended_sessions(db, q.since)
        return RaisedEpochs(epochs=epochs, ended_sessions=ended, as_of=as_of)

    @handles(FindStaff)
    async def find_staff(self, db: Db, q: FindStaff) -> UserIds:
        """The active people of a role."""
        return UserIds(await find_staff(db, q.role))

    async def _current(
        self, tx: Tx, user_id: UUID, expected_version: int | None
    ) -> tuple[int, Role, Status]:
        """Version, role and status; refuses an unknown person and an old version."""
        row = present(await find_account(tx, user_id))
        if expected_version not in (None, row["version"]):
            raise stale()
        return row["version"], Role(row["role"]), Status(row["status"])
