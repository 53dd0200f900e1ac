"""The pages of this stage: two that lead to the API, and Swagger UI of our own."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

import msgspec
from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from serve_app.kit.openapi import document
from serve_app.kit.problems import Problem
from serve_app.kit.routing import PUBLIC, Router

SWAGGER = Path(__file__).parent / "swagger"
_KINDS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_STYLE = """
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto;
  padding: 0 1rem; color: #1c1917; background: #fafaf9 }
a { color: #0f766e } h1 { font-size: 2rem; margin: 0 }
article { border-top: 1px solid #d6d3d1; padding: 1rem 0 }
small { color: #57534e } pre { white-space: pre-wrap; font: inherit }
"""

# The one style that stands inside a page is known by its hash (CSP Level 3 §2.3.1).
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self'; style-src 'self' "
        f"'sha256-{_STYLE_HASH}'; img-src 'self' data:; connect-src 'self'; "
        f"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main><h1>{title}</h1>{content}</main></body>
</html>
"""

_SWAGGER_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Souk API</title>
<link rel="stylesheet" href="/api/swagger-ui.css">
<link rel="icon" href="/api/favicon-32x32.png">
</head>
<body>
<div id="swagger"></div>
<script src="/api/swagger-ui-bundle.js"></script>
<script src="/api/start.js"></script>
</body>
</html>
"""

# A file of its own, because the page's policy allows no script inside it.
_START = """window.ui = SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""


def page(title: str, content: str) -> HTMLResponse:
    """A page of ours; `content` is HTML, with everything foreign escaped already."""
    html = _PAGE.format(title=escape(title), style=_STYLE, content=content)
    return HTMLResponse(html, headers=_POLICY)


def pages(app: FastAPI, version: str) -> Router:
    """The pages about `app`; its OpenAPI document is made when first asked for."""
    router = Router("pages", listed=False)

    @router.get("/", access=PUBLIC)
    async def home() -> Response:
        """Lead to the API."""
        return page(
            "Souk", '<p>The shop is open. Its API is at <a href="/api">/api</a>.'
        )

    @router.get("/admin", access=PUBLIC)
    async def admin() -> Response:
        """Lead to the API."""
        return page(
            "Souk administration",
            '<p>Everything can be done over the API: <a href="/api">/api</a>.',
        )

    _swagger(router, app, version)
    return router


def _swagger(router: Router, app: FastAPI, version: str) -> None:
    made: list[bytes] = []

    @router.get("/api", access=PUBLIC)
    async def swagger() -> Response:
        """Show Swagger UI."""
        return HTMLResponse(_SWAGGER_PAGE, headers=_POLICY)

    @router.get("/api/openapi.json", access=PUBLIC)
    async def openapi() -> Response:
        """Give the OpenAPI 3.1 document."""
        if not made:
            made.append(msgspec.json.encode(document(app, version)))
        return Response(
            made[0],
            headers={"Cache-Control": "no-cache"},
            media_type="application/json",
        )

    @router.get("/api/start.js", access=PUBLIC)
    async def start() -> Response:
        """Start Swagger UI."""
        return Response(_START, media_type="text/javascript")

    @router.get("/api/{name}", access=PUBLIC)
    async def file(name: str) -> Response:
        """Give one of Swagger UI's files."""
        if name not in _KINDS:
            raise Problem(404, "not-found", "There is nothing at this address.")
        return Response(
            (SWAGGER / name).read_bytes(),
            headers={"Cache-Control": "public, max-age=86400"},
            media_type=_KINDS[name],
        )
