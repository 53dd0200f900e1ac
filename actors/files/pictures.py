"""Pictures: hostile bytes in, four clean WebP sizes out; no file, no network."""

import hashlib
import io
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from bus.files import PICTURE_SIZES, picture_too_large, unsupported_media
from bus.kit.values import Value

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""What is taken. SVG is a document with scripts, so it is not."""
MEDIA_TYPE = "image/webp"
QUALITY = 82
EFFORT = 2
"""libwebp's method, 0 to 6: 2 costs a third of its default for 4 % more bytes."""
ETAG_BYTES = 16

# Whatever a decoder of a broken file may raise.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError)


class Encoded(Value, frozen=True):
    """One size of a picture."""

    data: bytes
    width: int
    height: int

    @property
    def etag(self) -> str:
        """A name of the very bytes."""
        return hashlib.blake2b(self.data, digest_size=ETAG_BYTES).hexdigest()


def render(source: BinaryIO, pixels_max: int) -> dict[str, Encoded]:
    """The picture in `source` in every size of PICTURE_SIZES.

    The kind is told by the content. Only the first frame and the pixels are kept:
    no EXIF (its orientation is applied first), no comments, nothing behind the end.
    Sizes that would come out alike share one encoding. Refuses what is no picture
    (415) and what has more than `pixels_max` pixels, before decoding it (413).
    """
    try:
        with Image.open(source, formats=FORMATS) as opened:
            _check_size(opened, pixels_max)
            largest = max(PICTURE_SIZES.values())
            opened.draft("RGB", (largest, largest))  # lets JPEG decode at a fraction
            upright = ImageOps.exif_transpose(opened)
            return _sizes(_plain(upright))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(pixels_max) from None
    except UnidentifiedImageError:
        raise unsupported_media("Pictures are JPEG, PNG, WebP or GIF.") from None
    except BROKEN as error:
        raise unsupported_media("The picture is broken.") from error


def _check_size(opened: Image.Image, pixels_max: int) -> None:
    if opened.width * opened.height > pixels_max:
        raise _too_many_pixels(pixels_max)


def _too_many_pixels(pixels_max: int) -> Exception:
    return picture_too_large(f"A picture has at most {pixels_max} pixels.")


def _plain(picture: Image.Image) -> Image.Image:
    """The pixels alone, as RGB, or RGBA where something shines through."""
    transparent = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    return picture.convert("RGBA" if transparent else "RGB")


def _sizes(picture: Image.Image) -> dict[str, Encoded]:
    """Every size, the largest first, each made from the one before it."""
    made: dict[str, Encoded] = {}
    last: Encoded | None = None
    for name, side in sorted(PICTURE_SIZES.items(), key=lambda each: -each[1]):
        if max(picture.size) > side:
            picture = picture.copy()
            picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
            last = None
        if last is None:
            last = _encoded(picture)
        made[name] = last
    return made


def _encoded(picture: Image.Image) -> Encoded:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
    return Encoded(buffer.getvalue(), picture.width, picture.height)
