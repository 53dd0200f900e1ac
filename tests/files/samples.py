"""Pictures made for the tests: plain ones, odd ones, and hostile ones."""

import io
import random
import struct
import zlib

from PIL import Image, ImageCms

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PDF = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"


def picture(width=2000, height=1000, kind="JPEG", mode="RGB", **options) -> bytes:
    """One colour, in a kind of file."""
    color = (200, 30, 30, 90)[: len(mode)]
    return saved(Image.new(mode, (width, height), color), kind, **options)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    """A picture's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """A picture that does not compress, the same each time."""
    data = random.Random(seed).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), data)


def halves(mode: str = "RGB") -> Image.Image:
    """60 by 40: red at the left, blue at the right, the top left corner green."""
    image = Image.new("RGB", (60, 40), (0, 0, 250))
    image.paste((250, 0, 0), (0, 0, 30, 40))
    image.paste((0, 250, 0), (0, 0, 15, 10))
    return image.convert(mode)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], color=2) -> bytes:
    """A PNG of these chunks after its header, whatever they are."""
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def pixels(width: int, height: int) -> tuple[bytes, bytes]:
    """The chunk of so many black pixels."""
    packed = zlib.compressobj(9)
    line = bytes(1 + width * 3)
    body = b"".join(packed.compress(line) for _ in range(height)) + packed.flush()
    return b"IDAT", body


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def header_bomb() -> bytes:
    """A PNG that says it has 40 000 by 40 000 pixels."""
    return png(40_000, 40_000, (b"IDAT", zlib.compress(bytes(1000))))


def text_bomb(kind: bytes) -> bytes:
    """A PNG with 200 MB of text, or of a colour profile, in 200 kB."""
    packed = zlib.compressobj(9)
    big = b"".join(packed.compress(bytes(1 << 20)) for _ in range(200)) + packed.flush()
    return png(8, 8, (kind, b"name\0\0" + big), pixels(8, 8))


def moving(kind: str, frames: int) -> bytes:
    """A picture that moves: the first frame is red, all others blue."""
    first = Image.new("RGB", (40, 20), (250, 0, 0))
    # Each a little different, or they would be put together.
    rest = [Image.new("RGB", (40, 20), (0, n % 100, 250)) for n in range(frames - 1)]
    return saved(first, kind, save_all=True, append_images=rest, duration=10)


def gif_of_a_large_frame() -> bytes:
    """A GIF of 1 by 1 whose one frame says it is 60 000 by 60 000."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0)
    return screen + frame + b"\x02\x02\x44\x01\x00;"


def wide_gamut() -> bytes:
    """A JPEG whose profile has red and blue changed places: what is stored red is blue.

    It is made of sRGB's own profile, with the two colorant tags' names exchanged.
    """
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    image = Image.new("RGB", (40, 40), (250, 0, 0))
    return saved(image, "JPEG", quality=95, icc_profile=bytes(profile))


def located() -> bytes:
    """A JPEG that says where it was taken, by whom, and has a comment."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret words</x:xmpmeta>"
    return saved(noise(400, 200), "JPEG", exif=exif, comment=b"secret", xmp=xmp)


PAYLOAD = b"<script>alert('payload')</script>"


def polyglots() -> dict[str, bytes]:
    """Pictures that are something else besides; each holds the PAYLOAD."""
    plain = noise(64, 64)
    archive = b"PK\x03\x04" + PAYLOAD + b"PK\x05\x06" + bytes(18)
    jpeg = saved(plain, "JPEG", comment=PAYLOAD)
    return {
        "a JPEG with an archive behind it": saved(plain, "JPEG") + archive,
        "a GIF with an archive behind it": saved(plain, "GIF", comment=PAYLOAD)
        + archive,
        "a JPEG with a page in its comment": jpeg,
        "a PNG with a page as text": png(
            8, 8, (b"tEXt", b"Title\0" + PAYLOAD), pixels(8, 8)
        )
        + PAYLOAD,
        "a WebP with a page as EXIF": saved(plain, "WEBP", exif=b"Exif\0\0" + PAYLOAD),
        "a JPEG with a page as profile": saved(plain, "JPEG", icc_profile=PAYLOAD * 9),
    }


def mutations(count: int, seed: int) -> list[bytes]:
    """Valid pictures with some of their bytes changed, left out or said twice."""
    dice = random.Random(seed)
    sources = [saved(noise(48, 32), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]
    sources += [located(), moving("GIF", 5), moving("WEBP", 5), wide_gamut()]
    sources += [saved(halves("P"), "PNG"), saved(halves("CMYK"), "JPEG")]
    made = []
    for _ in range(count):
        data = bytearray(dice.choice(sources))
        for _ in range(dice.choice((1, 1, 2, 8, 64))):
            at = dice.randrange(len(data))
            # Most that decides stands at the beginning.
            at = dice.choice((at, at, at % 200))
            data[at] = dice.choice((0, 0xFF, 0x7F, dice.randrange(256)))
        cut = dice.randrange(len(data))
        if dice.random() < 0.2:
            del data[cut:]
        elif dice.random() < 0.1:
            data[cut:cut] = data[cut : cut + 64]
        made.append(bytes(data))
    return made
