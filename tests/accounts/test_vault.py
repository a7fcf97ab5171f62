"""T02–T05: what is sealed opens where it belongs, and nowhere else."""

import base64
import dataclasses
import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import vault
from accounts.vault import Binding, CannotOpen, KeyRing, parse_keys
from portal.env import BadSetting

HERE = Binding(
    table="token",
    column="access",
    row="11111111-1111-4111-8111-111111111111",
    owner="user:22222222-2222-4222-8222-222222222222",
    purpose="transfer.api.globus.org",
)
CANARY = "AgCanaryCanaryCanary"


def ring(*ids: str) -> KeyRing:
    return KeyRing({bytes.fromhex(each): os.urandom(32) for each in ids})


def test_sealed_text_opens_where_it_was_sealed():
    keys = ring("00000001")
    assert keys.open(keys.seal(CANARY, HERE), HERE).reveal() == CANARY


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=500))
def test_any_text_comes_back(text):
    keys = ring("00000001")
    assert keys.open(keys.seal(text, HERE), HERE).reveal() == text


def test_t02_the_layout_is_version_key_id_nonce_ciphertext():
    keys = ring("0a0b0c0d")
    sealed = keys.seal(CANARY, HERE)
    assert sealed[:5] == bytes.fromhex("010a0b0c0d")
    assert len(sealed) == 5 + 12 + len(CANARY) + 16
    assert CANARY.encode() not in sealed


def test_t02_no_two_seals_are_alike():
    keys = ring("00000001")
    assert len({keys.seal(CANARY, HERE) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(Binding)])
def test_t04_moved_ciphertext_does_not_open(part):
    keys = ring("00000001")
    elsewhere = dataclasses.replace(HERE, **{part: getattr(HERE, part) + "x"})
    with pytest.raises(CannotOpen):
        keys.open(keys.seal(CANARY, HERE), elsewhere)


def test_t04_parts_of_a_binding_cannot_run_into_each_other():
    one = dataclasses.replace(HERE, table="ab", column="c")
    other = dataclasses.replace(HERE, table="a", column="bc")
    assert one.encoded() != other.encoded()


def test_t04_every_flipped_bit_is_noticed():
    keys = ring("00000001", "00000002")
    sealed = keys.seal(CANARY, HERE)
    for position in range(len(sealed) * 8):
        damaged = bytearray(sealed)
        damaged[position // 8] ^= 1 << (position % 8)
        with pytest.raises(CannotOpen):
            keys.open(bytes(damaged), HERE)


def test_t04_every_truncation_and_addition_is_noticed():
    keys = ring("00000001")
    sealed = keys.seal(CANARY, HERE)
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            keys.open(sealed[:length], HERE)
    with pytest.raises(CannotOpen):
        keys.open(sealed + b"\x00", HERE)


@pytest.mark.parametrize(
    "planted",
    [b"", CANARY.encode(), b"plain text that is long enough to be sealed", b"\x01"],
)
def test_t04_planted_plain_text_does_not_open(planted):
    with pytest.raises(CannotOpen):
        ring("00000001").open(planted, HERE)


def test_t04_an_unknown_key_or_version_does_not_open():
    sealed = ring("00000001").seal(CANARY, HERE)
    with pytest.raises(CannotOpen):
        ring("00000002").open(sealed, HERE)
    with pytest.raises(CannotOpen):
        ring("00000001").open(b"\x02" + sealed[1:], HERE)


def test_t04_the_error_says_nothing_of_the_text():
    keys = ring("00000001")
    with pytest.raises(CannotOpen) as caught:
        keys.open(keys.seal(CANARY, HERE)[:-1], HERE)
    assert CANARY not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_the_first_key_seals_and_every_key_opens():
    old = {bytes.fromhex("00000001"): os.urandom(32)}
    new = {bytes.fromhex("00000002"): os.urandom(32)}
    sealed = KeyRing(old).seal(CANARY, HERE)

    both = KeyRing(new | old)

    assert both.open(sealed, HERE).reveal() == CANARY
    assert both.seal(CANARY, HERE)[1:5] == bytes.fromhex("00000002")


#: the same in every process of a parallel test run
KEY = hashlib.sha256(b"a key for tests").digest()


def line(key_id: str = "00000001", key: bytes = KEY) -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no key"),
        ("# only a remark\n\n", "holds no key"),
        ("00000001", "has 32 bytes, this one has 0"),
        ("zzzzzzzz:AAAA", "must read"),
        ("00000001:not base64!", "must read"),
        (line(key_id="01"), "8 hex digits"),
        (line(key=KEY[:16]), "has 32 bytes, this one has 16"),
        (line(key=KEY + b"x"), "has 32 bytes, this one has 33"),
        (line(key=bytes(32)), "not random"),
        (line() + "\n" + line(), "twice"),
        (line("00000001") + "\n" + line("00000002"), "twice"),
    ],
)
def test_t05_an_unusable_key_file_is_refused_by_name(text, reason):
    with pytest.raises(BadSetting, match="PORTAL_VAULT_KEYS_FILE") as caught:
        parse_keys(text)
    assert reason in str(caught.value)


def test_t05_the_refusal_does_not_quote_the_key():
    bad = line(key=b"A key that is too short")
    with pytest.raises(BadSetting) as caught:
        parse_keys(bad)
    assert bad.split(":")[1] not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_t05_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(BadSetting, match="PORTAL_VAULT_KEYS_FILE names a file"):
        vault.read_ring(tmp_path / "none")
