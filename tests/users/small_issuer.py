"""A small OpenID Connect issuer on loopback, which can be wrong in every way."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from aiohttp import BasicAuth, web
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.payments.doubles.weather import Weather, answer
from tests.users.edge import Web

COOKIE = "souk_sign_in"
CLIENT, SECRET = "souk client", "s3cr3t:/+"
ADA = {
    "sub": "1815",
    "email": "Ada@Example.com",
    "email_verified": True,
    "given_name": "Ada",
    "family_name": "Lovelace",
    "locale": "en-GB",
}


class Key:
    """A signing key and what the key set says of it."""

    def __init__(self, key_id: str) -> None:
        self.id = key_id
        self.private = generate_private_key(SECP256R1())
        shown = jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key(), True)
        self.shown = {**shown, "kid": key_id, "use": "sig", "alg": "ES256"}


class SmallIssuer(Weather):
    """Signs `person` in; `claims` and `sign` say how its next tokens are wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.person: dict[str, Any] = dict(ADA)
        self.claims: dict[str, Any] = {}
        self.key = Key("first")
        self.keys = [self.key.shown]
        self.keys_age_seconds = 0
        self.described: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self._codes: dict[str, dict[str, str]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Discovery, keys and tokens; the sign-in page is `consent`."""
        return [
            web.get("/.well-known/openid-configuration", self.describe),
            web.get("/keys", self.show_keys),
            web.post("/token", self.token),
        ]

    def consent(self, location: str) -> dict[str, str]:
        """Sign in at the page that a browser was sent to: what it brings back."""
        asked = {name: value[0] for name, value in _query(location).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = f"code {len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.url}

    def signed(self, claims: dict[str, Any]) -> str:
        """A token as it should be."""
        return jwt.encode(
            claims, self.key.private, "ES256", headers={"kid": self.key.id}
        )

    def turn_key(self, key_id: str) -> None:
        """Sign with a new key, and show that one alone."""
        self.key = Key(key_id)
        self.keys = [self.key.shown]

    async def describe(self, _: web.Request) -> web.Response:
        """Its description."""
        own = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?theme=dark",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "authorization_response_iss_parameter_supported": True,
        }
        return answer({**own, **self.described})

    async def show_keys(self, _: web.Request) -> web.Response:
        """Its key set, with how long it may be kept."""
        age = f"public, max-age={self.keys_age_seconds}"
        return web.json_response({"keys": self.keys}, headers={"Cache-Control": age})

    async def token(self, request: web.Request) -> web.Response:
        """A code changed for a token: once, by who asked for it, with its verifier."""
        form = await request.post()
        given = BasicAuth.decode(request.headers["Authorization"], "ascii")
        pair = (_unquoted(given.login), _unquoted(given.password))
        asked = self._codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier"))
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = _coded(digest)
        if pair != (CLIENT, SECRET):
            return answer({"error": "invalid_client"}, 401)
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return answer({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return answer({"token_type": "Bearer", "id_token": self.sign(claims)})


def unsigned(claims: dict[str, Any]) -> str:
    """A token of `alg: none`."""
    return jwt.encode(claims, None, "none", headers={"kid": "first"})


def by_public_key(key: Key) -> Callable[[dict[str, Any]], str]:
    """Tokens whose MAC is made with what everybody can read (RFC 8725 §2.1)."""
    public = key.private.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(claims: dict[str, Any]) -> str:
        head = _coded(json.dumps({"alg": "HS256", "kid": key.id}).encode())
        signed = f"{head}.{_coded(json.dumps(claims).encode())}"
        return f"{signed}.{_coded(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return sign


def by(key: Key, key_id: str | None) -> Callable[[dict[str, Any]], str]:
    """Tokens signed by a key that calls itself `key_id`."""
    headers = {"kid": key_id} if key_id else {}
    return lambda claims: jwt.encode(claims, key.private, "ES256", headers=headers)


def callback(brought: dict[str, str]) -> str:
    """The address at the shop that a browser comes back to."""
    return f"/auth/google/callback?{urlencode(brought)}"


async def begin(w: Web) -> tuple[str, str]:
    """Where the shop sends a fresh browser, and the cookie that it keeps."""
    w.http.cookies.clear()
    await w.call("GET /auth/google/sign", 302)
    cookie = w.http.cookies[COOKIE]
    w.http.cookies.clear()
    return w.headers["location"], cookie


async def finish(
    w: Web, brought: dict[str, str], cookie: str, status: int = 200
) -> Any:
    """Come back with what the issuer gave."""
    headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
    return await w.call(f"GET {callback(brought)}", status, **headers)


async def sign_in(w: Web, issuer: SmallIssuer, status: int = 200) -> Any:
    """The whole way, with a fresh browser."""
    location, cookie = await begin(w)
    return await finish(w, issuer.consent(location), cookie, status)


def _query(location: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(location).query)


def _unquoted(text: str) -> str:
    return parse_qs(f"x={text}")["x"][0]


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
