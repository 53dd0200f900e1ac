"""What files says: pictures and documents that people upload, and where they are."""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import ANY, Command, Event, Query, by
from bus.kit.refusals import Refusal, RefusalKind, invalid, not_found
from bus.kit.values import LIMIT_DEFAULT, Done, Page, Value

CHUNK_BYTES_MAX = 512 * 1024
PICTURE_SIZES = {"thumb": 150, "small": 320, "medium": 800, "large": 1600}
"""The longest side of each size in pixels; a picture is never made larger."""
PICTURE_TYPE = "image/webp"
DOCUMENT_TYPE = "application/pdf"
WHOLE = "whole"
"""The one size that a document has."""
ENTITY_TYPES = frozenset({"product", "user", "review", "order"})
PUBLIC_ENTITY_TYPES = frozenset({"product"})
DOCUMENT_ENTITY_TYPES = frozenset({"order"})
"""What documents may belong to: an invoice, a proof of a fault; never public."""


def content_url(file_id: UUID, size: str = "large", base_url: str = "") -> str:
    """The address of a picture's size; what it names never changes.

    A file's bytes are never replaced: another picture is another file, with an id of
    its own. `base_url` is the CDN's (setting `files_cdn_url`), or empty for this
    shop's own.
    """
    return f"{base_url.rstrip('/')}/files/{file_id}/content?size={size}"


def size_urls(file_id: UUID, base_url: str = "") -> dict[str, str]:
    """The addresses of all sizes of a picture."""
    return {size: content_url(file_id, size, base_url) for size in PICTURE_SIZES}


# views


class RenditionView(Value, frozen=True):
    """One size as it is stored: pixels (none of a document) and bytes."""

    width: int | None
    height: int | None
    size_bytes: int


class SignedLinks(Value, frozen=True):
    """Addresses that whoever holds them may read until `expires_at`, without a token.

    They are for an `<img>` or a download, which send no header of their own.
    """

    expires_at: datetime
    url: str
    sizes: dict[str, str]


class FileView(Value, frozen=True, kw_only=True):
    """A stored file; `width` and `height` are of a picture's largest size, in pixels.

    A document has neither, and no `sizes`. `signed` is there for those who may see a
    private file.
    """

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    public: bool
    media_type: str
    width: int | None
    height: int | None
    size_bytes: int = 0
    url: str
    sizes: dict[str, str]
    renditions: dict[str, RenditionView] = {}
    signed: SignedLinks | None = None


class Content(Value, frozen=True, kw_only=True):
    """A piece of a file's bytes from `offset` on, and what the whole is.

    The same `etag` means the same bytes. With a `location` there is no `data`: the
    bytes are to be had there.
    """

    data: bytes
    offset: int
    size_bytes: int
    media_type: str
    etag: str
    public: bool
    location: str | None = None


# commands


class AppendUpload(Command[Done], frozen=True, kw_only=True):
    """Add a piece to an upload under way; a piece that is already there is skipped.

    Pieces are at most CHUNK_BYTES_MAX and come in order. The upload lives in its
    shard only: a shard that restarts refuses the next piece with `upload-lost`, and
    an upload that stands still for a minute is forgotten.
    """

    key = by("file_id")
    remembered = False
    file_id: UUID
    offset: int
    data: bytes


class StoreFile(Command[FileView], frozen=True, kw_only=True):
    """Tell what the bytes are, clean them, and keep them; acts once by `file_id`.

    A picture is decoded and kept in four sizes, a document as it is. The bytes are
    `data`, or what AppendUpload has gathered when that is absent. `owner_id` None is
    the shop itself.
    """

    key = by("file_id")
    remembered = False
    file_id: UUID
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    data: bytes | None = None


class DeleteFile(Command[Done], frozen=True, kw_only=True):
    """Remove a file and its contents; `owner_id` None is an administrator."""

    key = by("file_id")
    remembered = False
    file_id: UUID
    owner_id: UUID | None


# steps


class Rendition(Value, frozen=True, kw_only=True):
    """One stored size: where it lies and what it is; a document has no pixels."""

    object_key: str
    width: int | None
    height: int | None
    size_bytes: int
    etag: str


class ExpectFile(Command[Done], frozen=True, kw_only=True):
    """Write a file down before its contents are stored; insert-once by `file_id`.

    If no RecordFile follows, row and contents are removed. Refused when its owner has
    kept as much today as one may.
    """

    key = by("file_id")
    remembered = False
    file_id: UUID
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    media_type: str
    renditions: dict[str, Rendition]


class RecordFile(Command[FileView], frozen=True, kw_only=True):
    """The contents of an expected file are stored: from now on it is there."""

    key = by("file_id")
    remembered = False
    file_id: UUID


class RemoveContents(Command[Done], frozen=True, kw_only=True):
    """Remove a file that is deleted, or whose contents were never all stored."""

    key = by("file_id")
    remembered = False
    file_id: UUID


class AbandonFile(Command[Done], frozen=True, kw_only=True):
    """From now on an expected file cannot be recorded any more.

    Refused for a file that is there and not deleted.
    """

    key = by("file_id")
    remembered = False
    file_id: UUID


class DropFile(Command[Done], frozen=True, kw_only=True):
    """Drop the row of a file whose contents are gone."""

    key = by("file_id")
    remembered = False
    file_id: UUID


class SweepStore(Command[Done], frozen=True, kw_only=True):
    """Remove what lies in one of the store's folders (0 to 255) and has no row."""

    key = by("store")
    remembered = False
    store: str = "store"
    folder: int = 0


class ScheduleSweep(Command[Done], frozen=True, kw_only=True):
    """Have a folder swept in so many seconds; one that is `first` replaces none."""

    key = by("store")
    remembered = False
    store: str = "store"
    folder: int = 0
    seconds: float
    first: bool = False


class ForgetOwner(Command[Done], frozen=True, kw_only=True):
    """Write down no file of this person any more, who was erased."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    again: bool


class EraseFiles(Command[Done], frozen=True, kw_only=True):
    """Look again for files that came while their person went (a due message)."""

    key = by("user_id")
    remembered = False
    user_id: UUID


# queries


class ListFiles(Query[Page[FileView]], frozen=True, kw_only=True):
    """A person's own files, the private ones, by their ids."""

    key = ANY
    owner_id: UUID
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


class GetFile(Query[FileView], frozen=True, kw_only=True):
    """A file that is public or the viewer's own; an administrator sees all."""

    key = ANY
    file_id: UUID
    viewer_id: UUID | None = None
    viewer_is_admin: bool = False


class GetContent(Query[Content], frozen=True, kw_only=True):
    """A piece of a file that one may see, from `offset` on.

    `size` is a name of PICTURE_SIZES, or None: the largest, or the document itself. A
    negative `offset` counts from the end. One may see it by who one is, or by the
    `signature` of a link that is good until `expires` (Unix time).
    """

    key = ANY
    file_id: UUID
    size: str | None = None
    viewer_id: UUID | None = None
    viewer_is_admin: bool = False
    expires: int | None = None
    signature: str | None = None
    offset: int = 0
    bytes_max: int = CHUNK_BYTES_MAX


# refusals


def no_file() -> Refusal:
    """No such file, or none that the viewer may see (404)."""
    return not_found("file")


def unsupported_media(detail: str) -> Refusal:
    """The content is of no kind that is taken here (415)."""
    return Refusal(RefusalKind.UNSUPPORTED, "unsupported-media", detail)


def picture_too_large(detail: str) -> Refusal:
    """More pixels than are taken (413)."""
    return Refusal(RefusalKind.TOO_LARGE, "picture-too-large", detail)


def picture_too_hard() -> Refusal:
    """Decoding it takes more time or memory than one picture is given (413)."""
    return Refusal(
        RefusalKind.TOO_LARGE, "picture-too-hard", "It takes too much to decode it."
    )


def file_too_large(bytes_max: int) -> Refusal:
    """More bytes than are taken (413)."""
    detail = f"A file has at most {bytes_max} bytes."
    return Refusal(RefusalKind.TOO_LARGE, "file-too-large", detail)


def upload_limit(retry_after_seconds: int) -> Refusal:
    """Its owner has kept as many files, or bytes, today as one may (429)."""
    return Refusal(
        RefusalKind.TOO_MANY,
        "upload-limit-reached",
        "You have uploaded as much as is kept for one person in a day.",
        retry_after_seconds=retry_after_seconds,
    )


def link_expired() -> Refusal:
    """The link was good, and is no longer (403)."""
    return Refusal(RefusalKind.FORBIDDEN, "link-expired", "Ask for a new link.")


def upload_lost() -> Refusal:
    """The pieces sent so far are gone; the upload must be sent again (409)."""
    return Refusal(RefusalKind.CONFLICT, "upload-lost", "Send the file again.")


def too_many_uploads() -> Refusal:
    """More uploads are under way than one shard holds (429)."""
    return Refusal(RefusalKind.TOO_MANY, "too-many-uploads", "Try again in a moment.")


def unknown_size() -> Refusal:
    """The file has no size of that name (422)."""
    return invalid(
        "unknown-size",
        f"Sizes of pictures are {', '.join(PICTURE_SIZES)}; a document has none.",
    )


# events


class FileUploaded(Event, frozen=True, kw_only=True):
    """A picture is stored in all its sizes."""

    key = by("file_id")
    subject = by("file_id")
    file_id: UUID
    owner_id: UUID | None
    entity_type: str


class FileDeleted(Event, frozen=True, kw_only=True):
    """A file is gone."""

    key = by("file_id")
    subject = by("file_id")
    file_id: UUID
    owner_id: UUID | None
    entity_type: str
