"""Pictures of the demo shop: one drawing a shape, in each product's own colour."""

import io
from collections.abc import Callable

from PIL import Image, ImageColor, ImageDraw, ImageFilter, ImageOps

from scripts.demo.goods import Good, chance

SIDE = 640
"""Length of a picture's sides in pixels."""
FINE = 2
"""Drawn so many times larger and then made smaller, for smooth edges."""
QUALITY = 88

Color = tuple[int, int, int]
Draw = Callable[["Pen"], None]


def draw(good: Good) -> bytes:
    """A product's picture as JPEG; the same product always looks the same."""
    color = _rgb(good.color)
    backdrop = _backdrop(color, chance(f"light:{good.draft.slug}", 3))
    object_ = Image.new("RGBA", (SIDE * FINE, SIDE * FINE))
    SHAPES[good.shape](Pen(object_, color, chance(f"turn:{good.draft.slug}", 100)))
    object_ = object_.reduce(FINE)
    backdrop.paste((20, 20, 30), (0, 0), _shadow(object_))
    backdrop.paste(object_, (0, 0), object_)
    buffer = io.BytesIO()
    backdrop.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


class Pen:
    """Draws in hundredths of the picture's side, in shades of one colour.

    `turn`, 0 to 99, is the product's own: shapes use it to differ a little.
    """

    def __init__(self, image: Image.Image, color: Color, turn: int) -> None:
        self.color = color
        self.light = _mix(color, (255, 255, 255), 45)
        self.dark = _mix(color, (0, 0, 0), 40)
        self.turn = turn
        self._draw = ImageDraw.Draw(image)

    def oval(self, box: tuple[float, ...], fill: Color) -> None:
        """Draw an ellipse in a box of left, top, right, bottom."""
        self._draw.ellipse(self._at(box), fill=fill)

    def block(self, box: tuple[float, ...], fill: Color, round_: float = 2) -> None:
        """A rectangle with round corners."""
        self._draw.rounded_rectangle(self._at(box), self._at((round_,))[0], fill=fill)

    def form(self, points: tuple[float, ...], fill: Color) -> None:
        """A polygon of x, y, x, y and so on."""
        self._draw.polygon(self._at(points), fill=fill)

    def line(self, points: tuple[float, ...], fill: Color, width: float = 2) -> None:
        """A line through x, y, x, y and so on."""
        wide = round(self._at((width,))[0])
        self._draw.line(self._at(points), fill=fill, width=wide, joint="curve")

    def bow(
        self, box: tuple[float, ...], start: int, end: int, fill: Color, width: float
    ) -> None:
        """A part of an ellipse's outline, in degrees clockwise from the right."""
        wide = round(self._at((width,))[0])
        self._draw.arc(self._at(box), start, end, fill=fill, width=wide)

    def _at(self, lengths: tuple[float, ...]) -> list[float]:
        return [length * SIDE * FINE / 100 for length in lengths]


def _headphones(pen: Pen) -> None:
    pen.bow((22, 16, 78, 84), 178, 362, pen.dark, 6)
    pen.bow((24, 18, 76, 82), 190, 350, pen.light, 2)
    for x in (16, 68):
        pen.block((x, 48, x + 16, 78), pen.color, 8)
        pen.block((x + 4, 52, x + 12, 74), pen.dark, 4)


def _speaker(pen: Pen) -> None:
    wide = 16 + pen.turn % 8
    pen.block((50 - wide, 16, 50 + wide, 84), pen.color, 5)
    pen.block((52 - wide, 18, 48 + wide, 82), pen.dark, 4)
    for y, radius in ((34, 8), (62, 14)):
        pen.oval((50 - radius, y - radius, 50 + radius, y + radius), pen.light)
        inner = radius * 0.7
        pen.oval((50 - inner, y - inner, 50 + inner, y + inner), pen.color)
        pen.oval((47, y - 3, 53, y + 3), pen.dark)


def _keyboard(pen: Pen) -> None:
    pen.block((10, 34, 90, 70), pen.dark, 4)
    for row in range(4):
        for key in range(12):
            x, y = 13 + key * 6.2, 37 + row * 7.4
            marked = (row * 12 + key + pen.turn) % 17 == 0
            fill = pen.color if marked else pen.light
            if row < 3 or not 3 <= key <= 8:
                pen.block((x, y, x + 5.2, y + 6), fill, 1)
    pen.block((31.6, 59.2, 67.8, 65.2), pen.light, 1)


def _lamp(pen: Pen) -> None:
    lean = 6 + pen.turn % 14
    pen.oval((34, 78, 66, 86), pen.dark)
    pen.line((50, 81, 50 - lean, 52, 50 + lean / 2, 34), pen.dark, 2.4)
    pen.oval((44 + lean / 2, 40, 58 + lean / 2, 52), (255, 240, 190))
    x = 50 + lean / 2
    pen.form((x - 8, 24, x + 8, 24, x + 19, 46, x - 19, 46), pen.color)
    pen.form((x - 8, 24, x - 2, 24, x - 9, 46, x - 19, 46), pen.light)


def _pot(pen: Pen) -> None:
    pen.bow((12, 40, 34, 58), 90, 270, pen.dark, 3)
    pen.bow((66, 40, 88, 58), 270, 90, pen.dark, 3)
    pen.block((22, 38, 78, 76), pen.color, 8)
    pen.block((26, 42, 34, 72), pen.light, 4)
    pen.block((20, 34, 80, 41), pen.dark, 3)
    pen.oval((45, 25, 55, 35), pen.dark)


def _mug(pen: Pen) -> None:
    pen.bow((58, 38, 84, 68), 270, 90, pen.dark, 5)
    pen.block((26, 28, 70, 80), pen.color, 6)
    pen.block((30, 34, 36, 74), pen.light, 3)
    pen.oval((26, 23, 70, 34), pen.dark)
    pen.oval((29, 25, 67, 32), (92, 61, 40))
    if pen.turn % 2:
        pen.block((26, 54, 70, 60), pen.light, 0)


def _cushion(pen: Pen) -> None:
    pen.form(
        (20, 24, 50, 28, 80, 24, 76, 50, 80, 78, 50, 74, 20, 78, 24, 50), pen.color
    )
    step = 6 + pen.turn % 4
    for x in range(28, 74, step):
        pen.line((x, 29, x, 73), pen.light if (x // step) % 2 else pen.dark, 0.8)
    pen.oval((47, 48, 53, 54), pen.dark)


def _plant(pen: Pen) -> None:
    for number in range(5 + pen.turn % 3):
        x = 24 + number * 52 / (4 + pen.turn % 3)
        top = 22 + (number * 37 + pen.turn) % 18
        pen.line((50, 64, x, top + 10), pen.dark, 1.2)
        fill = pen.color if number % 2 else pen.light
        pen.oval((x - 8, top - 6, x + 8, top + 20), fill)
        pen.line((x, top - 3, x, top + 17), pen.dark, 0.5)
    pen.form((34, 62, 66, 62, 61, 86, 39, 86), (193, 102, 66))
    pen.block((32, 58, 68, 65), (168, 84, 52), 1)


def _shirt(pen: Pen) -> None:
    body = (
        36,
        22,
        64,
        22,
        86,
        38,
        76,
        50,
        68,
        44,
        68,
        82,
        32,
        82,
        32,
        44,
        24,
        50,
        14,
        38,
    )
    pen.form(body, pen.color)
    if pen.turn % 3 == 0:
        for y in range(48, 82, 7):
            pen.block((32, y, 68, y + 2.4), pen.light, 0)
    pen.form((36, 22, 50, 34, 64, 22, 58, 20, 50, 26, 42, 20), pen.light)
    for y in range(40, 80, 9):
        pen.oval((49, y, 51, y + 2), pen.dark)


def _bag(pen: Pen) -> None:
    pen.bow((34, 14, 66, 54), 180, 360, pen.dark, 3)
    pen.form((24, 34, 76, 34, 82, 82, 18, 82), pen.color)
    pen.form((24, 34, 76, 34, 77, 44, 23, 44), pen.dark)
    pen.block((36, 54, 64, 76), pen.light, 3)
    pen.block((45, 50, 55, 58), pen.dark, 1)


def _tent(pen: Pen) -> None:
    top = 24 + pen.turn % 8
    pen.form((50, top, 90, 80, 10, 80), pen.color)
    pen.form((50, top, 68, 80, 32, 80), pen.dark)
    pen.form((50, top, 50, 80, 38, 80), pen.light)
    pen.line((50, top, 50, top - 5), pen.dark, 1.4)
    pen.line((8, 80, 92, 80), pen.dark, 1.6)


def _bottle(pen: Pen) -> None:
    pen.block((43, 12, 57, 24), pen.dark, 2)
    pen.form((44, 24, 56, 24, 64, 36, 36, 36), pen.color)
    pen.block((36, 32, 64, 88), pen.color, 5)
    pen.block((40, 38, 45, 82), pen.light, 2)
    pen.block((36, 50 + pen.turn % 12, 64, 64 + pen.turn % 12), pen.dark, 0)


def _book(pen: Pen) -> None:
    pen.block((28, 17, 76, 85), (244, 240, 230), 1)
    pen.block((24, 14, 73, 82), pen.color, 2)
    pen.block((24, 14, 30, 82), pen.dark, 1)
    pen.block((37, 24, 67, 28), pen.light, 1)
    pen.block((37, 31, 59, 34), pen.light, 1)
    radius = 6 + pen.turn % 7
    pen.oval((52 - radius, 57 - radius, 52 + radius, 57 + radius), pen.light)
    pen.oval((55 - radius, 54 - radius, 55 + radius, 54 + radius), pen.dark)


SHAPES: dict[str, Draw] = {
    "headphones": _headphones,
    "speaker": _speaker,
    "keyboard": _keyboard,
    "lamp": _lamp,
    "pot": _pot,
    "mug": _mug,
    "cushion": _cushion,
    "plant": _plant,
    "shirt": _shirt,
    "bag": _bag,
    "tent": _tent,
    "bottle": _bottle,
    "book": _book,
}


def _backdrop(color: Color, light: int) -> Image.Image:
    """A soft wall and a floor, tinted with the product's colour."""
    shade = Image.linear_gradient("L").resize((SIDE, SIDE))
    above = _mix(color, (250, 248, 244), 82 + 4 * light)
    below = _mix(color, (214, 208, 200), 72)
    wall = ImageOps.colorize(shade, above, below)
    floor = Image.new("RGB", (SIDE, SIDE // 5), _mix(color, (198, 190, 180), 76))
    wall.paste(floor, (0, SIDE - SIDE // 5))
    return wall


def _shadow(object_: Image.Image) -> Image.Image:
    """The object's outline, moved and blurred; made small, where blurring is cheap."""
    small = object_.getchannel("A").reduce(8)
    moved = Image.new("L", small.size)
    moved.paste(small, (2, 3))
    soft = moved.filter(ImageFilter.GaussianBlur(3)).point(lambda alpha: alpha // 3)
    return soft.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def _rgb(text: str) -> Color:
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def _mix(one: Color, other: Color, percent: int) -> Color:
    """So many hundredths of the other colour in the one."""
    red, green, blue = (
        (a * (100 - percent) + b * percent) // 100
        for a, b in zip(one, other, strict=True)
    )
    return red, green, blue
