"""Where contents lie: a local folder, or a bucket by `SOUK_FILES_URL`."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from bus.kit.refusals import Unavailable
from bus.kit.settings import Settings

STORE_SECONDS_MAX = 20.0
FAILURES = (BaseError, OSError, TimeoutError)


class Store:
    """Objects by key; every call has a deadline, and failing is Unavailable."""

    def __init__(self, settings: Settings) -> None:
        self._store: ObjectStore
        if settings.files_url:
            self._store = from_url(settings.files_url)
        else:
            folder = settings.data_dir / "files"
            self._store = LocalStore(folder, mkdir=True, automatic_cleanup=True)

    async def put(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Store objects, each whole or not at all."""
        puts = [obstore.put_async(self._store, key, data) for key, data in objects]
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                await asyncio.gather(*puts)
        except FAILURES as error:
            raise Unavailable("the store of files does not take it") from error

    async def get(self, key: str) -> bytes:
        """The bytes of one object."""
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async())
        except FAILURES as error:
            raise Unavailable("the store of files does not give it") from error

    async def remove(self, prefix: str) -> None:
        """Remove all objects under a prefix; none is fine."""
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                async for some in obstore.list(self._store, prefix=prefix):
                    for each in some:
                        await self._remove_one(each["path"])
        except FAILURES as error:
            raise Unavailable("the store of files does not remove it") from error

    async def _remove_one(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return  # removed by an earlier try: that is what was wanted


def folder_of(file_id: UUID) -> str:
    """The prefix of a file's objects, spread over 256 folders."""
    return f"{file_id.hex[-2:]}/{file_id}"
