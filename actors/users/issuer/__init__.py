"""An outside issuer that vouches for people (OpenID Connect Core 1.0, code flow)."""

from actors.users.issuer.fetching import Failing, Silent
from actors.users.issuer.issuer import Issuer
from actors.users.issuer.tokens import NotProven, Proven

__all__ = ["Failing", "Issuer", "NotProven", "Proven", "Silent"]
