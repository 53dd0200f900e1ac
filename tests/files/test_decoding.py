"""Decoding apart: odd pictures come out right, hostile ones take only their process."""

import asyncio
import io
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
from PIL import Image

from actors.files.decoding import CPU_SECONDS_MAX, Decoder, Decoders, Limits
from bus.kit.refusals import Refusal
from tests.files import samples
from tests.files.samples import halves, noise, picture, saved

PIXELS_MAX = 4_000_000
MEMORY_BYTES_MAX = 256 << 20
RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


@pytest.fixture
def decoders(tmp_path):
    limits = Limits(pixels_max=PIXELS_MAX, memory_bytes_max=MEMORY_BYTES_MAX)
    made = Decoders(tmp_path, limits)
    yield made
    made.close()


async def render(decoders, data: bytes):
    with tempfile.TemporaryFile() as source:
        source.write(data)
        return await decoders.render(source)


async def largest(decoders, data: bytes) -> Image.Image:
    made = (await render(decoders, data))["large"]
    found = Image.open(io.BytesIO(made.data))
    assert (found.format, found.size) == ("WEBP", (made.width, made.height))
    assert found.info.keys() <= {"loop", "background", "timestamp", "duration"}
    return found


async def code_of(decoders, data: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        await render(decoders, data)
    return caught.value.code


def peak_bytes(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def lives(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def near(found: tuple, wanted: tuple, by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


async def test_every_size_has_the_proportions_of_the_whole(decoders) -> None:
    made = await render(decoders, picture(3000 // 2, 2000 // 2))
    pixels = {name: (one.width, one.height) for name, one in made.items()}
    assert pixels == {
        "large": (1500, 1000),
        "medium": (800, 533),
        "small": (320, 213),
        "thumb": (150, 100),
    }
    made = await render(decoders, picture(10_000, 3, "PNG"))
    pixels = {name: (one.width, one.height) for name, one in made.items()}
    assert (pixels["large"], pixels["thumb"]) == ((1600, 1), (150, 1))
    made = await render(decoders, picture(1, 1, "PNG"))
    assert {(one.width, one.height) for one in made.values()} == {(1, 1)}
    assert len({one.etag for one in made.values()}) == 1


async def test_a_picture_is_upright_however_it_was_held(decoders) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        # What a camera held so would have stored, for the picture to be `halves`.
        undo = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }.get(orientation)
        held = halves() if undo is None else halves().transpose(undo)
        for kind in ("JPEG", "PNG", "WEBP"):
            found = await largest(decoders, saved(held, kind, exif=exif))
            assert found.size == (60, 40), (orientation, kind)
            corner, left, right = (
                found.getpixel(at) for at in ((5, 3), (20, 30), (45, 20))
            )
            assert near(corner, GREEN, 40), (orientation, kind)
            assert near(left, RED, 40) and near(right, BLUE, 40), (orientation, kind)


async def test_colours_of_every_kind_come_out_as_they_look(decoders) -> None:
    deep = Image.new("I;16", (40, 40), 40_000)
    found = await largest(decoders, saved(deep, "PNG"))
    assert near(found.getpixel((9, 9)), (156, 156, 156), 3)
    for kind, mode in (("JPEG", "CMYK"), ("PNG", "P"), ("GIF", "P"), ("PNG", "RGBA")):
        found = await largest(decoders, saved(halves(mode), kind))
        assert near(found.getpixel((20, 30))[:3], RED, 40), (kind, mode)
        assert near(found.getpixel((45, 20))[:3], BLUE, 40), (kind, mode)
    for mode in ("1", "L"):
        found = await largest(decoders, saved(Image.new(mode, (9, 9), 255), "PNG"))
        assert found.getpixel((4, 4)) == (255, 255, 255)
    glass = Image.new("LA", (9, 9), (200, 90))
    assert (await largest(decoders, saved(glass, "PNG"))).getpixel((4, 4))[3] == 90
    hole = halves("P")
    hole = saved(hole, "PNG", transparency=hole.getpixel((45, 20)))
    found = await largest(decoders, hole)
    assert [found.getpixel(at)[3] for at in ((45, 20), (20, 30))] == [0, 255]
    # Stored red, and blue by its profile.
    found = await largest(decoders, samples.wide_gamut())
    assert near(found.getpixel((9, 9)), BLUE, 20)
    # A profile of other colours than the picture's, or of none, says nothing.
    broken = saved(halves(), "PNG", icc_profile=b"no profile at all" * 20)
    assert near((await largest(decoders, broken)).getpixel((20, 30)), RED, 40)


async def test_of_what_moves_the_first_frame_stays(decoders) -> None:
    for kind, frames in (("GIF", 1500), ("WEBP", 40)):
        data = samples.moving(kind, frames)
        assert Image.open(io.BytesIO(data)).n_frames > 5
        found = await largest(decoders, data)
        assert getattr(found, "n_frames", 1) == 1
        assert near(found.getpixel((9, 9))[:3], RED, 40)
    phone = saved(halves(), "MPO", save_all=True, append_images=[halves()])
    assert (await largest(decoders, phone)).size == (60, 40)


async def test_nothing_but_the_pixels_stays(decoders) -> None:
    for one in (await render(decoders, samples.located())).values():
        assert b"secret" not in one.data and b"Exif" not in one.data
    for name, data in samples.polyglots().items():
        assert samples.PAYLOAD in data, name
        for one in (await render(decoders, data)).values():
            assert b"script" not in one.data and b"PK\x03\x04" not in one.data, name
            assert len(one.data) == 8 + int.from_bytes(one.data[4:8], "little"), name


def hostile() -> dict[str, dict[str, bytes]]:
    """Files by the refusal that they get; a second of work, for the test alone."""
    return {
        "unsupported-media": {
            "an SVG": samples.SVG,
            "nothing": b"",
            "a text": b"GIF89a, says the text",
            "a page": b"<!doctype html><script>alert(1)</script>",
            "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
            b"showpage\n",
            "Photoshop": b"8BPS\0\1" + bytes(6) + b"\0\3" + bytes(60),
            "a TIFF": picture(40, 40, "TIFF"),
            "a BMP": picture(40, 40, "BMP"),
            "an icon": picture(40, 40, "ICO"),
            "AVIF": picture(40, 40, "AVIF"),
            "a cut JPEG": saved(noise(300, 300), "JPEG")[:9000],
            "a cut PNG": saved(noise(300, 300), "PNG")[:9000],
            "a cut WebP": saved(noise(300, 300), "WEBP")[:9000],
            "a cut GIF": saved(noise(300, 300), "GIF")[:9000],
            "a PNG without pixels": samples.png(40, 40),
            "a PNG without an area": samples.png(0, 0, samples.pixels(1, 1)),
            "a bomb of text": samples.text_bomb(b"zTXt"),
            "a bomb as profile": samples.text_bomb(b"iCCP"),
        },
        "picture-too-large": {
            "a frame beyond its screen": samples.gif_of_a_large_frame(),
            "a header bomb": samples.header_bomb(),
            "a real bomb": samples.png(9000, 9000, samples.pixels(9000, 9000)),
            "one pixel line too many": picture(2000, 2001, "PNG", "1"),
        },
    }


async def test_hostile_files_are_refused_by_a_process_that_goes_on(decoders) -> None:
    await render(decoders, picture(40, 40))
    before = decoders.processes
    for code, files in hostile().items():
        for name, data in files.items():
            assert await code_of(decoders, data) == code, name
    assert decoders.processes == before
    assert peak_bytes(before[0]) < MEMORY_BYTES_MAX


async def test_the_process_has_nothing_to_steal_and_no_door(decoders) -> None:
    os.environ["SOUK_SECRET_OF_A_TEST"] = "a secret"
    await render(decoders, picture(40, 40))
    (process,) = decoders.processes
    place = Path(f"/proc/{process}")
    assert b"SOUK" not in (place / "environ").read_bytes()
    limits = (place / "limits").read_text()
    assert ["6", "6", "files"] in [line.split()[3:] for line in limits.splitlines()]
    assert len(list((place / "fd").iterdir())) == 4  # no descriptor of the shop's
    assert os.getsid(process) == process


async def test_what_takes_too_long_ends_its_process_and_nothing_else(tmp_path) -> None:
    data = saved(noise(1600, 1200), "PNG")
    slow = Limits(pixels_max=PIXELS_MAX, memory_bytes_max=1 << 30, seconds_max=0.15)
    decoders = Decoders(tmp_path, slow)
    try:
        assert await code_of(decoders, data) == "picture-too-hard"
        assert decoders.processes == []
        decoders._limits = Limits(pixels_max=PIXELS_MAX, memory_bytes_max=1 << 30)
        assert (await render(decoders, data))["large"].width == 1600
    finally:
        decoders.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_takes_too_much_memory_is_refused(tmp_path) -> None:
    data = picture(5000, 4000, "PNG", "RGBA")
    tight = Limits(pixels_max=50_000_000, memory_bytes_max=130 << 20)
    decoders = Decoders(tmp_path, tight)
    try:
        assert await code_of(decoders, data) == "picture-too-hard"
        assert (await render(decoders, picture(400, 400)))["large"].width == 400
    finally:
        decoders.close()


@pytest.mark.full
async def test_the_kernel_ends_what_takes_too_much_processor_time(tmp_path) -> None:
    limits = Limits(
        pixels_max=10**9, memory_bytes_max=4 << 30, cpu_seconds_max=1, seconds_max=60
    )
    decoders = Decoders(tmp_path, limits)
    data = picture(20_000, 20_000, "PNG", "RGB", compress_level=1)
    try:
        began = time.monotonic()
        assert await code_of(decoders, data) == "picture-too-hard"
        assert time.monotonic() - began < CPU_SECONDS_MAX * 3
        assert decoders.processes == []
    finally:
        decoders.close()


async def test_a_process_that_dies_by_itself_is_replaced_once(decoders) -> None:
    await render(decoders, picture(40, 40))
    (first,) = decoders.processes
    os.kill(first, signal.SIGKILL)
    assert (await render(decoders, picture(40, 40)))["large"].width == 40
    assert decoders.processes != [first]


async def test_one_that_dies_of_every_try_is_refused(decoders, monkeypatch) -> None:
    ask = Decoder.ask

    async def dying(self, *about):
        os.kill(self.process.pid, signal.SIGSEGV)
        return await ask(self, *about)

    with monkeypatch.context() as patched:
        patched.setattr(Decoder, "ask", dying)
        assert await code_of(decoders, picture(40, 40)) == "picture-too-hard"
    assert decoders.processes == []
    assert (await render(decoders, picture(40, 40)))["large"].width == 40


def test_a_process_ends_with_the_shard_that_it_works_for() -> None:
    decoder = Decoder(Limits(pixels_max=1, memory_bytes_max=MEMORY_BYTES_MAX))
    decoder._door.close()  # as the kernel does when a process is killed
    assert decoder.process.wait(20) == 0


async def test_one_that_is_given_up_half_way_leaves_no_process(decoders) -> None:
    data = saved(noise(1600, 1200), "PNG")
    task = asyncio.create_task(render(decoders, data))
    while not decoders.processes:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    (process,) = decoders.processes
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert decoders.processes == []
    assert not lives(process)
    many = await asyncio.gather(*(render(decoders, picture(40, 40)) for _ in range(6)))
    assert len(many) == 6 and len(decoders.processes) <= 2


async def mutate(decoders, count: int, seed: int) -> set[str]:
    ends = set()
    for number, data in enumerate(samples.mutations(count, seed)):
        try:
            made = await render(decoders, data)
            assert set(made) == {"thumb", "small", "medium", "large"}, (seed, number)
            ends.add("kept")
        except Refusal as refusal:
            ends.add(refusal.code)
    return ends


async def test_whatever_is_changed_in_a_picture_it_is_kept_or_refused(decoders) -> None:
    assert await mutate(decoders, 150, 7) >= {"kept", "unsupported-media"}
    assert len(decoders.processes) == 1


@pytest.mark.full
async def test_the_same_of_many_more(decoders) -> None:
    ends = await mutate(decoders, 6000, time.time_ns())
    assert ends >= {"kept", "unsupported-media", "picture-too-large"}
