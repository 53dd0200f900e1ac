"""Stored methods: kept encrypted, shown without their token."""

from datetime import timedelta
from uuid import UUID

from cryptography.fernet import InvalidToken
from msgspec.structs import replace

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.payments.till import Till
from actors.payments.views import method_view
from bus.kit.refusals import Refusal, RefusalKind, Unavailable, not_found, stale
from bus.kit.values import Done, Page
from bus.payments import (
    METHODS_MAX,
    TEST_CARDS,
    AddMethod,
    LetMethodGo,
    ListMethods,
    MethodView,
    PaymentMethod,
    PutOffLettingGo,
    RemoveMethod,
    SaveMethod,
    SetDefaultMethod,
    card_number_refused,
    holds_card_number,
    is_token,
    method_mismatch,
    too_many_methods,
    unknown_kind,
    unknown_method,
    unknown_token,
)
from persistence.kit.database import Db
from persistence.kit.erased import erased_here
from persistence.kit.transaction import Tx
from persistence.payments import (
    StoredMethod,
    delete_method,
    find_methods,
    insert_method,
    make_default,
    methods_of,
)

LET_GO_AFTER_SECONDS = 60
LET_GO_SECONDS_MAX = 6 * 3_600
LET_GO_TRIES_MAX = 16
"""Two days of a provider that does not answer, or is not set up any more."""


class Methods(Till):
    """A person's stored methods."""

    @handles(AddMethod)
    async def add_method(self, run: Run, asked: AddMethod) -> MethodView:
        """Let the provider describe the token, then keep both, encrypted."""
        _check(asked)
        token = TEST_CARDS.get(asked.token, asked.token)
        provider = self.desk.for_method(asked.method)
        facts = await provider.describe(token, asked.user_id)
        if facts is None:
            raise unknown_token()
        kept = SaveMethod(
            user_id=asked.user_id,
            method_id=asked.method_id,
            method=asked.method,
            token=facts.token or token,
            facts=facts,
            make_default=asked.make_default,
            provider=provider.name,
        )
        try:
            return await run.step(kept)
        except Refusal as refusal:
            if refusal.data.kind is RefusalKind.NOT_FOUND:  # erased meanwhile
                await provider.forget(kept.token)
            raise

    @handles(SaveMethod)
    async def save_method(self, tx: Tx, message: SaveMethod) -> MethodView:
        """Insert a method, once by its id; a person's first one is the default."""
        if await erased_here(tx, [message.user_id]):
            raise not_found("user")
        methods = await methods_of(tx, message.user_id)
        for method in methods:
            if method.id == message.method_id:
                return self._same(method, message)
        if len(methods) >= METHODS_MAX:
            raise too_many_methods()
        method = StoredMethod(
            id=message.method_id,
            user_id=message.user_id,
            method=message.method,
            provider=message.provider,
            sealed=self.vault.seal_method(message.token, message.facts),
            sealed_by=self.vault.mark,
            is_default=not methods or message.make_default,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        await insert_method(tx, method)
        if method.is_default:
            await make_default(tx, method.user_id, method.id)
        return method_view(method, message.facts)

    @handles(SetDefaultMethod)
    async def set_default_method(self, tx: Tx, message: SetDefaultMethod) -> MethodView:
        """Make a stored method the one that is offered first."""
        methods = await methods_of(tx, message.user_id)
        found = next((m for m in methods if m.id == message.method_id), None)
        if found is None:
            raise unknown_method()
        if message.version not in (None, found.version):
            raise stale()
        if not found.is_default:
            await make_default(tx, message.user_id, message.method_id)
            version = found.version + 1
            found = replace(found, is_default=True, version=version, updated_at=tx.now)
        return self._view(found)

    @handles(RemoveMethod)
    async def remove_method(self, tx: Tx, message: RemoveMethod) -> Done:
        """Forget a stored method, its token included; its provider forgets it later.

        A charge that has begun with it is through by then.
        """
        gone = await delete_method(
            tx, message.user_id, message.method_id, message.version
        )
        if gone is None:
            known = await find_methods(tx, [message.method_id])
            found = known.get(message.method_id)
            mine = found is not None and found.user_id == message.user_id
            raise stale() if mine else unknown_method()
        tx.audit(message, gone.id, before={"provider": gone.provider})
        let_go = LetMethodGo(
            user_id=gone.user_id,
            method_id=gone.id,
            provider=gone.provider,
            sealed=gone.sealed,
        )
        at = tx.now + timedelta(seconds=LET_GO_AFTER_SECONDS)
        tx.due(letting_go(gone.id), at, let_go)
        return Done()

    @handles(LetMethodGo)
    async def let_method_go(self, run: Run, m: LetMethodGo) -> Done:
        """Have the provider forget it, unless the person keeps the same token again."""
        async with self.read() as db:
            kept = await methods_of(db, m.user_id)
        try:
            token = self.vault.unseal_method(m.sealed).token
            again = {self.vault.unseal_method(one.sealed).token for one in kept}
        except InvalidToken:
            self.log.error("seal-unreadable", method_id=str(m.method_id))
            return Done()
        if token in again:
            return Done()
        try:
            await self.desk.named(m.provider).forget(token)
        except Unavailable:
            return await run.step(PutOffLettingGo(user_id=m.user_id, tried=m))
        return Done()

    @handles(PutOffLettingGo)
    async def put_offletting_go(self, tx: Tx, message: PutOffLettingGo) -> Done:
        """Later and later; after `LET_GO_TRIES_MAX` it stays at the provider."""
        tries = message.tried.tries + 1
        if tries >= LET_GO_TRIES_MAX:
            method_id = str(message.tried.method_id)
            self.log.error("method-not-let-go", method_id=method_id)
            return Done()
        seconds = min(LET_GO_AFTER_SECONDS * 2**tries, LET_GO_SECONDS_MAX)
        at = tx.now + timedelta(seconds=seconds)
        name = letting_go(message.tried.method_id)
        tx.due(name, at, replace(message.tried, tries=tries))
        return Done()

    @handles(ListMethods)
    async def list_methods(self, db: Db, query: ListMethods) -> Page[MethodView]:
        """A person's stored methods, the default first."""
        methods = await methods_of(db, query.user_id)
        return Page(tuple(self._view(method) for method in methods))

    def _view(self, method: StoredMethod) -> MethodView:
        return method_view(method, self.vault.unseal_method(method.sealed).facts)

    def _same(self, method: StoredMethod, message: SaveMethod) -> MethodView:
        """The answer to a request that comes again; refused when it says otherwise."""
        token = self.vault.unseal_method(method.sealed).token
        if (method.method, token) != (message.method, message.token):
            raise method_mismatch()
        return self._view(method)


def letting_go(method_id: UUID) -> str:
    """The name of the due message that has a provider forget a method."""
    return f"let-go:{method_id}"


def _check(asked: AddMethod) -> None:
    """Refuse what could never be kept."""
    if asked.method not in PaymentMethod.__members__:
        raise unknown_kind(asked.method)
    if holds_card_number(asked.token):
        raise card_number_refused()
    if not is_token(asked.token):
        raise unknown_token()
