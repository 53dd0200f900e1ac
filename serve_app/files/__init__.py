"""How the world reaches files: sent in, shown, given out and deleted."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import File, Form, Header, Query, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from bus.files import (
    CHUNK_BYTES_MAX,
    AppendUpload,
    DeleteFile,
    FileView,
    GetContent,
    GetFile,
    StoreFile,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import FieldError
from serve_app.files.delivering import Wish, deliver
from serve_app.kit.problems import Problem
from serve_app.kit.routing import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Caller,
    Router,
    ask,
    created,
)

router = Router("files")

STORE_SECONDS_MAX = 55.0
SIGNATURE_CHARACTERS_MAX = 64
FIELDS = ("file", "entity_type", "entity_id")

EntityType = Literal["product", "user", "review", "order"]
EntityId = Annotated[str, Form(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
Size = Literal["thumb", "small", "medium", "large"]


@router.post("/upload", access=SIGNED_IN, upload=True, status=201, also=(400, 408, 429))
async def upload_file(
    file: Annotated[UploadFile, File(description="JPEG, PNG, WebP, GIF, or PDF.")],
    entity_type: Annotated[EntityType, Form()],
    entity_id: EntityId,
    request: Request,
    caller: Caller,
) -> Answer[FileView]:
    """Keep a picture in four sizes of WebP, or a document as it is.

    What it is is told by its content, not by its name: 415 `unsupported-media` for all
    but JPEG, PNG, WebP, GIF (the first frame of those that move), and PDF, which is
    taken for orders only. Of a picture nothing but the pixels is kept, upright and in
    sRGB: no EXIF, no comments, nothing that hides behind them. Too many bytes are 413
    `file-too-large`, too many pixels `picture-too-large`, and what takes too much time
    or memory to decode `picture-too-hard`.

    Pictures of products are public and need a seller or an administrator; all others
    are their owner's. Who has kept too much within 24 hours gets 429
    `upload-limit-reached`. Each upload makes a file of its own; after 503 and 409
    `upload-lost` nothing is kept, send it again.
    """
    await _check_form(request)
    if entity_type == "product" and not caller.is_staff:
        raise Problem(403, "forbidden", "Only sellers add pictures of products.")
    file_id = new_id()
    data = await _sent(file, file_id)
    command = StoreFile(
        file_id=file_id,
        owner_id=caller.person,
        entity_type=entity_type,
        entity_id=entity_id,
        data=data,
    )
    stored = await ask(command, timeout_seconds=STORE_SECONDS_MAX)
    return created(stored, f"/files/{stored.id}")


@router.get("/files/{file_id}", access=PUBLIC)
async def get_file(file_id: UUID, caller: Caller) -> FileView:
    """Show what is known of a file: a product's picture, or one's own.

    For a private file `signed` holds links that open it without a token until
    `expires_at`; each read gives fresh ones.
    """
    query = GetFile(
        file_id=file_id, viewer_id=caller.user_id, viewer_is_admin=caller.is_admin
    )
    return await ask(query)


@router.get("/files/{file_id}/content", access=PUBLIC, also=(206, 304, 307, 403, 416))
async def get_content(
    file_id: UUID,
    caller: Caller,
    size: Annotated[
        Size | None, Query(description="Of a picture; absent: `large`.")
    ] = None,
    expires: Annotated[
        int | None, Query(ge=0, lt=1 << 40, description="Of a signed link.")
    ] = None,
    signature: Annotated[str | None, Query(max_length=SIGNATURE_CHARACTERS_MAX)] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    range_: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """Give a file's bytes; what an address names never changes.

    Public ones may be kept for a year, private ones not at all. The `ETag` is strong:
    304 for `If-None-Match`; one `Range` of bytes is answered 206, or 416 where there
    are none, and several at once with the whole. A document is given out to be saved.
    A private file opens for its owner, an administrator, or by a signed link (403
    `link-expired` when it was good); where the shop is set so, it is answered 307 with
    an address of the bucket's.
    """
    query = GetContent(
        file_id=file_id,
        size=size,
        viewer_id=caller.user_id,
        viewer_is_admin=caller.is_admin,
        expires=expires,
        signature=signature,
    )
    return await deliver(query, Wish(if_none_match, range_, if_range))


@router.delete("/files/{file_id}", access=SIGNED_IN)
async def delete_file(file_id: UUID, caller: Caller) -> None:
    """Delete a file of one's own; an administrator deletes any.

    It is gone here at once. A CDN and browsers may keep what was public.
    """
    owner = None if caller.is_admin else caller.person
    await ask(DeleteFile(file_id=file_id, owner_id=owner))


async def _check_form(request: Request) -> None:
    """Refuse fields that are not asked for, and those that come twice."""
    names = [name for name, _ in (await request.form()).multi_items()]
    errors = [
        FieldError(name[:64], "unknown-field", "Not a field of this form")
        for name in names
        if name not in FIELDS
    ]
    errors += [
        FieldError(name, "repeated-field", "Only one at a time")
        for name in FIELDS
        if names.count(name) > 1
    ]
    if errors:
        raise Problem(422, "invalid-request", "Some fields are not acceptable.", errors)


async def _sent(file: UploadFile, file_id: UUID) -> bytes | None:
    """The file's bytes where they fit one message; else they are sent in pieces.

    It is all here by now, on disk where it is large, so that a slow client keeps no
    place in the pool; in memory there is never more than a piece.
    """
    first = await file.read(CHUNK_BYTES_MAX)
    piece = await file.read(CHUNK_BYTES_MAX)
    if not piece:
        return first
    await ask(AppendUpload(file_id=file_id, offset=0, data=first))
    offset = len(first)
    while piece:
        await ask(AppendUpload(file_id=file_id, offset=offset, data=piece))
        offset += len(piece)
        piece = await file.read(CHUNK_BYTES_MAX)
    return None
