"""The key that signs id tokens. It lies in the data directory and survives restarts."""

import base64
import os
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ALGORITHM = "RS512"
_FILE = "id-token-key.pem"

_key: rsa.RSAPrivateKey | None = None


def load(data: Path) -> None:
    """Take the key of ``data``, or make one."""
    global _key
    file = data / _FILE
    if file.exists():
        loaded = serialization.load_pem_private_key(file.read_bytes(), password=None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        _key = loaded
    else:
        _key = new_key()
        _write(file, _key)


def rotate(data: Path) -> None:
    """Replace the key; like Globus's it has no ``kid`` by which to notice."""
    global _key
    _key = new_key()
    _write(data / _FILE, _key)


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def _write(file: Path, key: rsa.RSAPrivateKey) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def sign(claims: dict[str, Any], *, key: rsa.RSAPrivateKey | None = None) -> str:
    signer = key or _key
    assert signer is not None, "keys.load() comes first"
    return jwt.encode(claims, signer, algorithm=ALGORITHM)


def jwks() -> dict[str, Any]:
    """The document at ``/jwk.json``: one key, no ``kid``, as Globus publishes it."""
    assert _key is not None, "keys.load() comes first"
    numbers = _key.public_key().public_numbers()
    return {
        "keys": [
            {
                "kty": "RSA",
                "use": "sig",
                "alg": ALGORITHM,
                "n": _number(numbers.n),
                "e": _number(numbers.e),
            }
        ]
    }


def _number(value: int) -> str:
    """Base64urlUInt of RFC 7518 section 2."""
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
