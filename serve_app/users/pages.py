"""The two pages that the links in mails lead to.

The link carries address and code behind its `#`, so they reach no server's log; a
script of the page puts them into the form and posts it as JSON. Opening the link alone
changes nothing, so mail scanners that follow links use no code up.
"""

import base64
import hashlib
from string import Template

from starlette.responses import HTMLResponse, Response

from serve_app.kit.routing import PUBLIC
from serve_app.users.routes import router

_SCRIPT = """
const form = document.querySelector("form");
const said = document.querySelector("output");
const given = new URLSearchParams(location.hash.slice(1));
for (const name of ["email", "code"]) form[name].value = given.get(name) || "";
history.replaceState(null, "", location.pathname);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  if (answer.ok) { form.hidden = true; said.textContent = form.dataset.done; return; }
  const problem = await answer.json();
  const first = problem.errors[0];
  said.textContent = first && first.detail ? first.detail : problem.detail;
});
"""

_PAGE = Template(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>$title</title>
<h1>$title</h1>
<form data-done="$done">
<p><label>E-mail <input name="email" type="email" required></label></p>
<p><label>Code <input name="code" inputmode="numeric" pattern="[0-9]{6}" required
  autocomplete="one-time-code"></label></p>
$more<p><button>$title</button></p>
</form>
<p><output></output></p>
<noscript><p>This page needs JavaScript.</p></noscript>
<script>$script</script>
</html>
"""
)

_FIELD = """<p><label>New password <input name="new_password" type="password"
  minlength="8" autocomplete="new-password" required></label></p>
"""


@router.get("/auth/verify-email", access=PUBLIC)
async def show_verify_email() -> Response:
    """The page that a mailed link opens to verify an address."""
    return _page("Verify your address", "Your address is verified.", "")


@router.get("/auth/reset-password", access=PUBLIC)
async def show_reset_password() -> Response:
    """The page that a mailed link opens to set a new password."""
    return _page("Set a new password", "Your password is set.", _FIELD)


def _page(title: str, done: str, more: str) -> Response:
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    page = _PAGE.substitute(title=title, done=done, more=more, script=_SCRIPT)
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(page, headers=headers)
