"""How the world reaches files: pictures sent in, and their sizes given out."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import File, Form, Header, Query, UploadFile
from starlette.responses import Response

from bus.files import (
    CHUNK_BYTES_MAX,
    AppendUpload,
    DeleteFile,
    FileView,
    GetContent,
    GetFile,
    StorePicture,
)
from bus.kit.addressing import new_id
from serve_app.kit.answers import matches
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

AGE_SECONDS = 365 * 24 * 3600
STORE_SECONDS_MAX = 45.0

EntityType = Literal["product", "user", "review", "order"]
EntityId = Annotated[str, Form(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
Size = Literal["thumb", "small", "medium", "large"]


@router.post("/upload", access=SIGNED_IN, upload=True, status=201)
async def upload_file(
    file: Annotated[UploadFile, File(description="JPEG, PNG, WebP or GIF.")],
    entity_type: Annotated[EntityType, Form()],
    entity_id: EntityId,
    caller: Caller,
) -> Answer[FileView]:
    """Keep a picture, in four sizes of WebP.

    What it is is told by its content, not by its name: 415 `unsupported-media`. EXIF
    and everything else but the pixels is left out. Pictures of products are public and
    need a seller or an administrator.
    """
    if entity_type == "product" and not caller.is_staff:
        raise Problem(403, "forbidden", "Only sellers add pictures of products.")
    file_id = new_id()
    data = await _sent(file, file_id)
    command = StorePicture(
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
    """Show what is known of a file: a product's picture, or one's own."""
    query = GetFile(
        file_id=file_id, viewer_id=caller.user_id, viewer_is_admin=caller.is_admin
    )
    return await ask(query)


@router.get("/files/{file_id}/content", access=PUBLIC)
async def get_content(
    file_id: UUID,
    caller: Caller,
    size: Annotated[Size, Query(description="Which of the four sizes.")] = "large",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Give a picture's bytes; what an address names never changes."""
    query = GetContent(
        file_id=file_id,
        size=size,
        viewer_id=caller.user_id,
        viewer_is_admin=caller.is_admin,
    )
    content = await ask(query)
    scope = "public" if content.public else "private"
    headers = {
        "ETag": f'"{content.etag}"',
        "Cache-Control": f"{scope}, max-age={AGE_SECONDS}, immutable",
    }
    if if_none_match and matches(if_none_match, headers["ETag"]):
        return Response(None, 304, headers)
    return Response(content.data, 200, headers, content.media_type)


@router.delete("/files/{file_id}", access=SIGNED_IN)
async def delete_file(file_id: UUID, caller: Caller) -> None:
    """Delete a file of one's own; an administrator deletes any."""
    owner = None if caller.is_admin else caller.person
    await ask(DeleteFile(file_id=file_id, owner_id=owner))


async def _sent(file: UploadFile, file_id: UUID) -> bytes | None:
    """The file's bytes where they fit one message; else they are sent in pieces."""
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
