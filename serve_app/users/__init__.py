"""How the world reaches users: signing in, profiles, address books, administration."""

from serve_app.users import auth, erasing, exporting, pages, people, sign_in
from serve_app.users.routes import router

__all__ = ["auth", "erasing", "exporting", "pages", "people", "router", "sign_in"]
