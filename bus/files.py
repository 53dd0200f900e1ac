"""What files says: pictures that people upload, and the addresses of their sizes."""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import ANY, Command, Event, Query, by
from bus.kit.refusals import Refusal, RefusalKind, invalid, not_found
from bus.kit.values import LIMIT_DEFAULT, Done, Page, Value

CHUNK_BYTES_MAX = 512 * 1024
PICTURE_SIZES = {"thumb": 150, "small": 320, "medium": 800, "large": 1600}
"""The longest side of each size in pixels; a picture is never made larger."""
ENTITY_TYPES = frozenset({"product", "user", "review", "order"})
PUBLIC_ENTITY_TYPES = frozenset({"product"})


def content_url(file_id: UUID, size: str = "large", base_url: str = "") -> str:
    """The address of a picture's size; what it names never changes.

    `base_url` is the CDN's (setting `files_cdn_url`), or empty for this shop's own.
    """
    return f"{base_url.rstrip('/')}/files/{file_id}/content?size={size}"


def size_urls(file_id: UUID, base_url: str = "") -> dict[str, str]:
    """The addresses of all sizes of a picture."""
    return {size: content_url(file_id, size, base_url) for size in PICTURE_SIZES}


# views


class FileView(Value, frozen=True, kw_only=True):
    """A stored picture; `width` and `height` are of its largest size, in pixels."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    public: bool
    media_type: str
    width: int
    height: int
    url: str
    sizes: dict[str, str]


class Content(Value, frozen=True, kw_only=True):
    """The bytes of one size of a picture; the same `etag` means the same bytes."""

    data: bytes
    media_type: str
    etag: str
    public: bool


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


class StorePicture(Command[FileView], frozen=True, kw_only=True):
    """Decode, strip, resize and keep a picture; acts once by `file_id`.

    The picture is `data`, or what AppendUpload has gathered when that is absent.
    `owner_id` None is the shop itself.
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
    """One stored size: where it lies and what it is."""

    object_key: str
    width: int
    height: int
    size_bytes: int
    etag: str


class RecordFile(Command[FileView], frozen=True, kw_only=True):
    """Write down a picture whose contents are stored; insert-once by `file_id`."""

    key = by("file_id")
    remembered = False
    file_id: UUID
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    renditions: dict[str, Rendition]


class ExpectFile(Command[Done], frozen=True, kw_only=True):
    """Contents are about to be stored; if no RecordFile follows they are removed."""

    key = by("file_id")
    remembered = False
    file_id: UUID


class RemoveContents(Command[Done], frozen=True, kw_only=True):
    """Remove the contents of a file that is deleted or was never written down."""

    key = by("file_id")
    remembered = False
    file_id: UUID


class DropFile(Command[Done], frozen=True, kw_only=True):
    """Drop the row of a file whose contents are gone."""

    key = by("file_id")
    remembered = False
    file_id: UUID


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
    """The bytes of one size (a name of PICTURE_SIZES) of a file that one may see."""

    key = ANY
    file_id: UUID
    size: str = "large"
    viewer_id: UUID | None = None
    viewer_is_admin: bool = False


# refusals


def no_file() -> Refusal:
    """No such file, or none that the viewer may see (404)."""
    return not_found("file")


def unsupported_media(detail: str) -> Refusal:
    """The content is no picture of a kind that is taken (415)."""
    return Refusal(RefusalKind.UNSUPPORTED, "unsupported-media", detail)


def picture_too_large(detail: str) -> Refusal:
    """More bytes or pixels than are taken (413)."""
    return Refusal(RefusalKind.TOO_LARGE, "picture-too-large", detail)


def upload_lost() -> Refusal:
    """The pieces sent so far are gone; the upload must be sent again (409)."""
    return Refusal(RefusalKind.CONFLICT, "upload-lost", "Send the file again.")


def too_many_uploads() -> Refusal:
    """More uploads are under way than one shard holds (429)."""
    return Refusal(RefusalKind.TOO_MANY, "too-many-uploads", "Try again in a moment.")


def unknown_size(size: str) -> Refusal:
    """There is no size of that name (422)."""
    return invalid("unknown-size", f"Sizes are {', '.join(PICTURE_SIZES)}, not {size}.")


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
