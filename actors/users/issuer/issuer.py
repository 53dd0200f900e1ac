"""One issuer: where people are sent, and what its answer about them is worth."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from actors.users.issuer.fetching import LOOPBACK, Failing, Fetch
from actors.users.issuer.keys import Keys
from actors.users.issuer.tokens import NotProven, Proven, key_of, verify
from bus.kit.settings import Settings

DESCRIPTION_SECONDS_MAX = 3_600
SCOPES = "openid email profile"
BASIC, IN_FORM = "client_secret_basic", "client_secret_post"


class Description(msgspec.Struct, frozen=True):
    """The part of OpenID Connect Discovery 1.0 §3 that the code flow needs."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(
        default_factory=lambda: [BASIC]
    )
    authorization_response_iss_parameter_supported: bool = False


class Issuer:
    """The issuer that the settings name; it sends people back to `callback`."""

    def __init__(
        self, settings: Settings, callback: str, clock: Callable[[], float]
    ) -> None:
        url = settings.oidc_issuer
        self._url = url.rstrip("/")
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._callback = callback
        self._clock = clock
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.hostname in LOOPBACK
        self._fetch = Fetch(plain=plain)
        self._keys = Keys(self._fetch, clock)
        self._description: Description | None = None
        self._described_at = float("-inf")

    async def sign_in_url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in (RFC 7636: only the verifier's hash).

        Raises Failing.
        """
        endpoint = (await self._describe()).authorization_endpoint
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._callback,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def prove(
        self, *, code: str, nonce: str, verifier: str, said_by: str | None
    ) -> Proven:
        """Who a code is about; it is spent by this. Raises Failing, NotProven.

        `said_by` is the `iss` that came with the code (RFC 9207: it must be ours).
        """
        described = await self._describe()
        promised = described.authorization_response_iss_parameter_supported
        if said_by != described.issuer and (promised or said_by is not None):
            raise NotProven("another issuer's answer")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        token = await self._exchange(described, form)
        key_id, algorithm = key_of(token)
        key = await self._keys.find(described.jwks_uri, key_id, algorithm)
        if key is None:
            raise NotProven("key")
        return verify(
            token,
            key,
            algorithm,
            issuer=described.issuer,
            client_id=self._client_id,
            nonce=nonce,
        )

    async def close(self) -> None:
        """End all connections."""
        await self._fetch.close()

    async def _exchange(self, described: Description, form: dict[str, str]) -> Any:
        """The ID token that a code is changed for (RFC 6749 §4.1.3)."""
        headers: dict[str, str] = {}
        methods = described.token_endpoint_auth_methods_supported
        if not self._secret:
            form["client_id"] = self._client_id
        elif BASIC in methods or IN_FORM not in methods:
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret)}"
            coded = base64.b64encode(pair.encode()).decode()
            headers["Authorization"] = f"Basic {coded}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._secret}
        answer = await self._fetch.post(described.token_endpoint, form, headers)
        if 400 <= answer.status < 500 and answer.status != 429:
            raise NotProven("the code was refused")
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise Failing("no token answer")
        return answer.body.get("id_token")

    async def _describe(self) -> Description:
        """The issuer's description, read again after an hour."""
        now = self._clock()
        if self._description is None or (
            now - self._described_at > DESCRIPTION_SECONDS_MAX
        ):
            place = f"{self._url}/.well-known/openid-configuration"
            answer = await self._fetch.get(place)
            self._description = self._checked(answer.status, answer.body)
            self._described_at = now
        return self._description

    def _checked(self, status: int, body: Any) -> Description:
        """A description is the issuer's own, and names addresses that are safe."""
        try:
            described = msgspec.convert(body, Description)
        except msgspec.ValidationError:
            raise Failing("no description") from None
        if status != 200 or described.issuer.rstrip("/") != self._url:
            raise Failing("the description is of another issuer")
        self._fetch.check(described.authorization_endpoint)
        self._fetch.check(described.token_endpoint)
        self._fetch.check(described.jwks_uri)
        return described
