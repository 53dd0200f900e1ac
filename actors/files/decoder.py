"""The program that decodes pictures: a process of its own, with nothing to steal.

It is started by path (`actors.files.decoding`) and imports nothing of the shop. Its one
door is a socket: each request brings two open files, a picture to read and an empty one
to write its sizes to; each answer is a line of JSON. It has no environment, can open no
file and no socket (it has no descriptor left for one), and the kernel ends it when it
takes more memory or processor time than one picture is given.
"""

import codecs
import importlib
import io
import json
import math
import os
import resource
import socket
import sys
import time
import warnings
from typing import Any, BinaryIO

from PIL import Image, ImageCms, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""What is taken. SVG, PSD, EPS and their like are programs or documents."""
QUALITY = 82
EFFORT = 2
"""libwebp's method, 0 to 6: 2 costs a third of its default for 4 % more bytes."""
SOCKET = 3
FILES_MAX = 6  # three standard ones, the socket, and the two of a request
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I")
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation (CIPA DC-008 §4.6.4)."""
LYING = (5, 6, 7, 8)
LATER = (
    "PIL.MpoImagePlugin",
    "PIL.WebPImagePlugin",
    "PIL.TiffImagePlugin",
    "PIL.TiffTags",
    "PIL.ImageColor",
    "PIL.ImageFilter",
    "PIL.ImagePalette",
    "copy",
    "mmap",
    "random",
    "tempfile",
    "xml.etree.ElementTree",
)
"""What Pillow would import when it needs it, which is when no file can be opened."""
ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-16", "utf-32")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class TooManyPixels(Exception):
    """More than are decoded."""


def main() -> None:
    """Answer one request after another until the other side closes the socket."""
    options = json.loads(sys.argv[2])
    door = _door(int(sys.argv[1]))
    _confine(options)
    while True:
        asked, files, _, _ = socket.recv_fds(door, 1, 2)
        if not asked:
            return
        _limit_cpu(options["cpu_seconds_max"])
        source, target = (os.fdopen(each, "r+b", buffering=0) for each in files)
        with source, target:
            answer = decode(source, target, options)
        door.sendall(json.dumps(answer).encode() + b"\n")
        if answer.get("refused") == "hard":
            return  # what it has allocated may never come back


def decode(
    source: BinaryIO, target: BinaryIO, options: dict[str, Any]
) -> dict[str, Any]:
    """Write all sizes of a picture to `target`; say where, or why not."""
    source.seek(0)
    try:
        picture, whole = open_upright(source, options["pixels_max"], options["sizes"])
        return {"sizes": _write_sizes(picture, whole, target, options["sizes"])}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"refused": "pixels"}
    except TooManyPixels:
        return {"refused": "pixels"}
    except MemoryError:
        return {"refused": "hard"}
    except UnidentifiedImageError:
        return {"refused": "unknown"}
    except Exception:  # noqa: BLE001 - decoders of a hostile file raise anything
        return {"refused": "broken"}


def open_upright(
    source: BinaryIO, pixels_max: int, sizes: dict[str, int]
) -> tuple[Image.Image, tuple[int, int]]:
    """The first frame of a picture, and the pixels that it had when it was whole.

    It is upright, in sRGB, and no larger than the largest size. The kind is told by the
    content, and the pixels are counted before any is decoded. All else is left behind:
    EXIF, comments, profiles, and what stands after the end.
    """
    Image.MAX_IMAGE_PIXELS = pixels_max
    side = max(sizes.values())
    with Image.open(source, formats=FORMATS) as opened:
        whole = opened.size
        if whole[0] * whole[1] > pixels_max:
            raise TooManyPixels
        opened.draft(None, (side, side))  # lets JPEG decode at a fraction
        profile = opened.info.get("icc_profile")
        orientation = _orientation(opened)
        picture = _eight_bits(opened, keep_cmyk=profile is not None)
    picture = _in_srgb(_smaller(picture, whole, side), profile)
    if orientation not in UPRIGHT:
        return picture, whole
    turned = whole[::-1] if orientation in LYING else whole
    return picture.transpose(UPRIGHT[orientation]), turned


def _orientation(opened: Image.Image) -> int:
    try:
        return int(opened.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - broken EXIF says nothing, the pixels may be good
        return 1


def _eight_bits(opened: Image.Image, *, keep_cmyk: bool) -> Image.Image:
    """RGB, or RGBA where something shines through; CMYK while a profile explains it."""
    if opened.mode in SIXTEEN_BITS:  # Pillow itself would cut off what is above 255
        return opened.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if opened.mode == "CMYK" and keep_cmyk:
        opened.load()
        return opened.copy()
    transparent = opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info
    return opened.convert("RGBA" if transparent else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The same colours in sRGB, which is what a picture without a profile is in."""
    turned = None if profile is None else _turned(picture, profile)
    if turned is not None:
        return turned
    return picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB")


def _turned(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """What a profile makes of a picture.

    None for one that is broken, or of other colours than the picture's: it counts as
    none, since the pixels are good all the same.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(picture, source, SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _write_sizes(
    picture: Image.Image,
    whole: tuple[int, int],
    target: BinaryIO,
    sizes: dict[str, int],
) -> dict[str, Any]:
    """Every size, the largest first, each made from the one before it.

    Sizes that would come out alike share one encoding.
    """
    made: dict[str, Any] = {}
    last: dict[str, int] | None = None
    at = 0
    for name, side in sorted(sizes.items(), key=lambda each: -each[1]):
        smaller = _smaller(picture, whole, side)
        if last is None or smaller.size != picture.size:
            picture = smaller
            data = _encode(picture)
            _write(target, data)
            width, height = picture.size
            last = {"at": at, "bytes": len(data), "width": width, "height": height}
            at += len(data)
        made[name] = last
    return made


def _smaller(picture: Image.Image, whole: tuple[int, int], side: int) -> Image.Image:
    """The picture with `side` as its longest, in the proportions of the `whole` one.

    One that is smaller already stays as it is.
    """
    if max(whole) <= side:
        return picture
    width, height = (max(1, round(each * side / max(whole))) for each in whole)
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _encode(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    nothing = {"icc_profile": None, "exif": b"", "xmp": b""}
    picture.save(buffer, "WEBP", quality=QUALITY, method=EFFORT, **nothing)
    return buffer.getvalue()


def _write(target: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[target.write(view) or 0 :]


def _door(number: int) -> socket.socket:
    """The socket, as the first file after the standard ones."""
    if number != SOCKET:
        os.dup2(number, SOCKET)
        os.close(number)
    return socket.socket(fileno=SOCKET)


def _confine(options: dict[str, Any]) -> None:
    """Give up, for good, whatever decoding does not need."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.preinit()
    for name in LATER:
        importlib.import_module(name)
    for name in ENCODINGS:
        codecs.lookup(name)
    limits = [
        (resource.RLIMIT_NOFILE, FILES_MAX),
        (resource.RLIMIT_FSIZE, options["output_bytes_max"]),
        (resource.RLIMIT_CORE, 0),
    ]
    if sys.platform != "darwin":  # which knows the limit, and does not hold it
        limits.append((resource.RLIMIT_AS, options["memory_bytes_max"]))
    for limit, value in limits:
        resource.setrlimit(limit, (value, value))


def _limit_cpu(seconds: int) -> None:
    """The kernel ends the process (SIGXCPU) when this picture has taken its time."""
    until = math.ceil(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
