"""Where contents lie: a local folder, or a bucket by `SOUK_FILES_URL`."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import GCSStore, LocalStore, ObjectStore, S3Store

from bus.files import DOCUMENT_TYPE
from bus.kit.refusals import Unavailable
from bus.kit.settings import Settings
from bus.kit.values import Value

STORE_SECONDS_MAX = 20.0
DOCUMENT_SECONDS_MAX = 40.0
TRY_SECONDS_MAX = 8.0
CONNECT_SECONDS_MAX = 3.0
RETRIES_MAX = (
    3  # of one call, by the library: a bucket throttles and drops now and then
)
PARTS_MAX = 4
FOLDERS = 256
FAILURES = (BaseError, OSError, TimeoutError)
_KEY = re.compile(r"[0-9a-f]{2}/([0-9a-f-]{36})(/.*)?")


class ContentMissing(Exception):
    """There is no such object."""


class Found(Value, frozen=True):
    """What a folder holds of one file, and when the last of it was written."""

    file_id: UUID
    prefix: str
    written_at: datetime


class Store:
    """Objects by key, which holds their hash, so that a key's bytes never change.

    Every call has a deadline; one that fails is Unavailable.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder: Path | None = None
        self._store: ObjectStore
        if settings.files_url:
            self._store = _bucket(settings)
        else:
            self._folder = settings.data_dir / "files"
            self._store = LocalStore(self._folder, mkdir=True, automatic_cleanup=True)

    @property
    def signs(self) -> bool:
        """Whether it can make addresses of its own that open an object."""
        return self._folder is None

    async def put(self, objects: dict[str, bytes], media_type: str) -> None:
        """Store small objects, each whole or not at all; those that are there stay.

        In a bucket that is `If-None-Match: *`: a twin that comes late writes nothing.
        """
        kind = self._kind(media_type)
        puts = [self._create(key, data, kind) for key, data in sorted(objects.items())]
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                await asyncio.gather(*puts)
        except FAILURES as error:
            raise Unavailable("the store of files does not take it") from error

    async def put_file(self, key: str, source: BinaryIO, media_type: str) -> None:
        """Store a file in parts, whole or not at all, without it being in memory."""
        put = obstore.put_async(
            self._store,
            key,
            source,
            attributes=self._kind(media_type),
            max_concurrency=PARTS_MAX,
        )
        try:
            async with asyncio.timeout(DOCUMENT_SECONDS_MAX):
                await put
        except FAILURES as error:
            raise Unavailable("the store of files does not take it") from error

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Some bytes of an object; raises ContentMissing when it is not there."""
        if length == 0:
            return b""
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                found = await obstore.get_range_async(
                    self._store, key, start=start, length=length
                )
            return bytes(found)
        except FileNotFoundError:
            raise ContentMissing(key) from None
        except FAILURES as error:
            raise Unavailable("the store of files does not give it") from error

    async def presign(self, key: str, seconds: int) -> str:
        """An address of the bucket's that opens an object for so long."""
        life = timedelta(seconds=seconds)
        async with asyncio.timeout(STORE_SECONDS_MAX):
            store: Any = self._store
            return str(await obstore.sign_async(store, "GET", key, life))

    async def remove(self, prefix: str) -> None:
        """Remove all that lies under a prefix; none is fine."""
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                if self._folder is not None:
                    await asyncio.to_thread(_remove_folder, self._folder / prefix)
                    return
                async for some in obstore.list(self._store, prefix=prefix):
                    for each in some:
                        await self._remove_one(each["path"])
        except FAILURES as error:
            raise Unavailable("the store of files does not remove it") from error

    async def list(self, folder: int) -> AsyncIterator[list[Found]]:
        """The files that have something in a folder (0 to 255), page by page.

        A file may come on two pages. What is not ours is left out.
        """
        pages = aiter(obstore.list(self._store, prefix=f"{folder:02x}"))
        try:
            while True:
                async with asyncio.timeout(STORE_SECONDS_MAX):
                    page = await anext(pages, None)
                if page is None:
                    return
                yield _files_of(page)
        except FAILURES as error:
            raise Unavailable("the store of files does not list it") from error

    def _kind(self, media_type: str) -> dict[str, str] | None:
        """What a bucket says of an object that is read there; a folder says nothing."""
        if self._folder is not None:
            return None
        kind = {"Content-Type": media_type}
        if media_type == DOCUMENT_TYPE:
            kind["Content-Disposition"] = "attachment"
        return kind

    async def _create(
        self, key: str, data: bytes, attributes: dict[str, str] | None
    ) -> None:
        try:
            await obstore.put_async(
                self._store, key, data, mode="create", attributes=attributes
            )
        except (AlreadyExistsError, FileExistsError):
            return  # an earlier try wrote it: the key holds the hash of the bytes

    async def _remove_one(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return  # removed by an earlier try: that is what was wanted


def folder_of(file_id: UUID) -> str:
    """The prefix of a file's objects, spread over 256 folders."""
    return f"{file_id.hex[-2:]}/{file_id}"


def _bucket(settings: Settings) -> ObjectStore:
    """The bucket; what the settings leave open comes from `AWS_…` or `GOOGLE_…`."""
    client: Any = {
        "timeout": timedelta(seconds=TRY_SECONDS_MAX),
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS_MAX),
        "allow_http": settings.files_endpoint.startswith("http://"),
    }
    retry: Any = {
        "max_retries": RETRIES_MAX,
        "retry_timeout": timedelta(seconds=STORE_SECONDS_MAX),
    }
    if settings.files_url.startswith("gs://"):
        return GCSStore.from_url(
            settings.files_url, client_options=client, retry_config=retry
        )
    given = {
        "endpoint": settings.files_endpoint,
        "region": settings.files_region,
        "access_key_id": settings.files_access_key_id,
        "secret_access_key": settings.files_secret_access_key,
    }
    config: Any = {name: value for name, value in given.items() if value}
    return S3Store.from_url(
        settings.files_url, config=config, client_options=client, retry_config=retry
    )


def _files_of(page: Any) -> list[Found]:
    found: dict[str, Found] = {}
    for each in page:
        match = _KEY.fullmatch(each["path"])
        if match is None:
            continue
        try:
            file_id = UUID(match[1])
        except ValueError:
            continue
        prefix = folder_of(file_id)
        if not each["path"].startswith(prefix):
            continue
        before = found.get(prefix)
        written_at = each["last_modified"]
        if before is None or before.written_at < written_at:
            found[prefix] = Found(file_id, prefix, written_at)
    return list(found.values())


def _remove_folder(folder: Path) -> None:
    """A folder with all in it, half-written files of a killed process included."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return  # removed by an earlier try: that is what was wanted
