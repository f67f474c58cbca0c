"""What a key made in the modem comes with: the request, and what the modem claims about it."""

from __future__ import annotations

import base64
import uuid

import cbor2
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from console.errors import Garbled
from console.families.nrf91 import attestation
from console.families.nrf91 import simulator_keys as keys
from tests.families.nrf91.modem_bench import CONTENTS, bench
from tests.families.nrf91.test_nrf91_faults import held, unit

WHO = keys.Identity("352656100000999", uuid.UUID(int=7), "nRF9160-SICA")
REKEY = {"sheet": "", "tags": "3", "confirm_replace": "yes"}


def der() -> bytes:
    return keys.request(keys.make_key(), WHO, "CN=probe-17", "")


def answer(body: bytes, signed: bytes | None = None, tag: int = 3) -> str:
    """The request, and an attestation of it or of something else."""
    own = keys.signed(body, WHO, keys.REQUEST_MESSAGE, tag)
    other = keys.signed(signed or body, WHO, keys.REQUEST_MESSAGE, tag)
    return f"{own.partition('.')[0]}.{other.partition('.')[2]}"


def test_a_request_and_its_attestation_belong_together():
    """Its digest, its tag, the device."""
    body = der()
    read = attestation.request_of(answer(body), 3)

    assert read.csr.subject == x509.load_der_x509_csr(body).subject
    assert read.claims is not None
    assert (read.claims.device, read.claims.tag) == (WHO.uuid, 3)
    assert str(WHO.uuid) in str(read)
    assert attestation.UNCHECKED in str(read)


def test_the_attestation_of_another_request_or_tag_is_none():
    """The cloud would refuse it, months later."""
    body = der()
    for told in (answer(body, der()), answer(body, tag=4)):
        with pytest.raises(Garbled, match="of another request"):
            attestation.request_of(told, 3)


def test_a_request_whose_own_signature_does_not_hold_is_refused():
    """One byte of its subject was changed on the way."""
    body = der()
    for spoiled in (body.replace(b"probe-17", b"probe-18"), body[:-9], b"", b"\x30\x00"):
        text = base64.urlsafe_b64encode(spoiled).decode()
        with pytest.raises(Garbled, match="cannot be read"):
            attestation.request_of(text, 3)


def test_a_request_without_an_attestation_is_said_to_be_so():
    """Other firmware may give none, or one that is built another way."""
    body = der()
    alone = answer(body).partition(".")[0]
    odd = base64.urlsafe_b64encode(cbor2.dumps({1: 2})).decode()
    for told in (alone, f"{alone}.", f"{alone}.????", f"{alone}.{odd}"):
        read = attestation.request_of(told, 3)
        assert read.claims is None
        assert "no attestation that can be read" in str(read)


@given(st.binary(max_size=120))
def test_no_bytes_are_too_strange(data):
    """Whatever a firmware puts there."""
    text = base64.urlsafe_b64encode(data).decode()
    attestation.claims_of(text)
    attestation.device_in(text)


def test_the_verdict_tells_what_was_compared_and_what_cannot_be(tmp_path):
    """In its proof, with the request among the artefacts."""
    with bench(tmp_path, unit(contents=CONTENTS), **REKEY) as shop:
        view = shop.run("nrf91.rekey")
        device = str(shop.bus.simulator("1-1").modem.who.uuid)
        (told,) = [line for line in view.ended.proof if line.startswith("Request: ")]
        assert device in told
        assert attestation.UNCHECKED in told
        assert view.ended.warnings == ()


def test_a_request_that_names_another_device_than_the_modems_own_token_is_warned_of(
    tmp_path, monkeypatch
):
    """The key is in all the same; nobody is told that all is well."""
    token = keys.attestation
    monkeypatch.setattr(keys, "attestation", lambda _, *rest: token(WHO, *rest))
    with bench(tmp_path, unit(contents=CONTENTS), **REKEY) as shop:
        view = shop.run("nrf91.rekey")
        assert any("names another device" in warning for warning in view.ended.warnings)
        assert (3, 2) in held(shop)


def test_an_attestation_of_another_request_ends_unfinished(tmp_path, monkeypatch):
    """And says what to do: the key is there, and worth nothing."""
    signed = keys.signed
    monkeypatch.setattr(keys, "signed", lambda body, *rest: _swapped(signed, body, *rest))
    with bench(tmp_path, unit(contents=CONTENTS), **REKEY) as shop:
        view = shop.run("nrf91.rekey")
        assert view.verdict == "unfinished"
        assert "of another request" in view.ended.sentence
        assert "run rekey again" in view.ended.advice


def _swapped(signed, body: bytes, *rest: object) -> str:
    return f"{signed(body, *rest).partition('.')[0]}.{signed(b'else', *rest).partition('.')[2]}"
