"""A picture as a browser sends it."""

import io

from PIL import Image

BOUNDARY = "a-line-between-parts"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(entity_type: str, entity_id: str) -> bytes:
    """The body of an upload of a small PNG (RFC 7578)."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), "teal").save(buffer, "PNG")
    fields = {"entity_type": entity_type, "entity_id": entity_id}
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    file = f'{head}"file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    end = f"\r\n--{BOUNDARY}--\r\n"
    return "".join([*parts, file]).encode() + buffer.getvalue() + end.encode()


PICTURE = form("review", "r1")
