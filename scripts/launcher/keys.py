"""Secrets that the launcher makes at the first start, and the accounts for people."""

import base64
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from bus.kit.settings import Settings

SECRETS = "secrets.json"
CREDENTIALS = "credentials.json"
RAY_TOKEN = "ray.token"  # noqa: S105 - a file's name
NATS_USERS = ("souk", "events", "services")


def ensure_secrets(
    data_dir: Path, databases: Iterable[str], callers: Iterable[str] = ()
) -> dict[str, Any]:
    """The secrets of this data folder; what is missing is made and kept.

    `callers` are the NATS users beside those that every shop has.
    """
    path = data_dir / SECRETS
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    made = {
        "jwt_keys": known.get("jwt_keys") or _seed(),
        "encryption_keys": known.get("encryption_keys")
        or Fernet.generate_key().decode(),
        "bank_webhook_secret": known.get("bank_webhook_secret") or _word(),
        "databases": _words(databases, known.get("databases", {})),
        "nats": _words((*NATS_USERS, *callers), known.get("nats", {})),
    }
    if made != known:
        write_private(path, json.dumps(made, indent=2))
    token = data_dir / RAY_TOKEN
    if not token.exists():
        write_private(token, secrets.token_hex(32))
    return made


def account_password(settings: Settings, purpose: str) -> str:
    """A password that follows from the shop's own secret, so that it is known again.

    Without a secret (in a test) it is made anew.
    """
    secret = settings.encryption_keys or settings.jwt_keys or secrets.token_hex()
    digest = hmac.digest(secret.encode(), purpose.encode(), "sha256")
    return base64.b32encode(digest)[:20].decode().lower()


def write_credentials(data_dir: Path, accounts: Mapping[str, object]) -> Path:
    """Add accounts to the file that people read; known ones stay."""
    path = data_dir / CREDENTIALS
    known = json.loads(path.read_text()) if path.exists() else {}
    write_private(path, json.dumps({**known, **accounts}, indent=2))
    return path


def read_credentials(data_dir: Path) -> dict[str, Any]:
    """The accounts that were written so far."""
    path = data_dir / CREDENTIALS
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return known


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only (mode 0600)."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _words(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    return {name: known.get(name) or _word() for name in names}


def _word() -> str:
    return secrets.token_urlsafe(24)


def _seed() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
