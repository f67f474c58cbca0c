"""Keys of the simulated SmartCard-HSM: made, used, and proven with somebody else's mathematics."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from console.families.smartcardhsm import simulator_curves as curves
from console.families.smartcardhsm.simulator_rows import HSM_2_5, HSM_3_1, HSM_3_4
from console.protocols import tlv
from tests.families.smartcardhsm.simulated import (
    DONE,
    SELECT,
    Bench,
    chain,
    check_request,
    check_signature,
    public_of,
)

TEXT = b"What was restored signs again."
DIGESTS = {
    1: hashes.SHA1(),
    2: hashes.SHA224(),
    3: hashes.SHA256(),
    4: hashes.SHA384(),
    5: hashes.SHA512(),
}
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@pytest.fixture(scope="module")
def rsa_bench():
    bench = Bench().set_up()
    bench.generate(1, bits=2048)
    return bench


def encoded(public, kind=serialization.PublicFormat.SubjectPublicKeyInfo):
    return public.public_bytes(serialization.Encoding.DER, kind)


@pytest.mark.parametrize("curve", curves.CURVES, ids=lambda curve: curve.named.name)
def test_a_pair_on_each_curve_asks_for_its_certificate_and_signs(curve):
    bench = Bench().set_up()
    asked, status = bench.generate(1, curve=curve)
    assert status == DONE
    device, _ = chain(bench.read(0x2F02))
    check_request(asked, public_of(device))
    for number, digest in DIGESTS.items():
        signature, status = bench.sign(1, 0x70 + number, TEXT)
        assert status == DONE
        public_of(asked).verify(signature, TEXT, ec.ECDSA(digest))
        made = hashlib.new(digest.name, TEXT).digest()
        signature, status = bench.sign(1, 0x70, made)
        assert status == DONE
        public_of(asked).verify(signature, made, ec.ECDSA(Prehashed(digest)))


def test_a_hash_of_an_odd_length_counts_as_its_number():
    bench = Bench().set_up()
    bench.generate(1)
    signature, _ = bench.sign(1, 0x70, b"\x77" * 10)
    led = bytes(22) + b"\x77" * 10
    bench.public(1).verify(signature, led, ec.ECDSA(Prehashed(hashes.SHA256())))
    with pytest.raises(InvalidSignature):
        other = b"\x77" * 10 + bytes(22)
        bench.public(1).verify(signature, other, ec.ECDSA(Prehashed(hashes.SHA256())))
    assert bench.sw("80680170000000") == 0x6700


@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_rsa_signs_what_the_card_hashes(rsa_bench, number):
    public, digest = rsa_bench.public(1), DIGESTS[number]
    signature, status = rsa_bench.sign(1, 0x30 + number, TEXT)
    assert status == DONE
    public.verify(signature, TEXT, padding.PKCS1v15(), digest)
    signature, status = rsa_bench.sign(1, 0x40 + number, TEXT)
    assert status == DONE
    public.verify(signature, TEXT, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def test_rsa_signs_what_the_host_hashed(rsa_bench):
    public, made = rsa_bench.public(1), hashlib.sha256(TEXT).digest()
    signature, status = rsa_bench.sign(1, 0x30, SHA256_INFO + made)
    assert status == DONE
    public.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())
    signature, status = rsa_bench.sign(1, 0x40, made)
    assert status == DONE
    public.verify(signature, TEXT, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    padded = b"\0\1" + b"\xff" * (256 - 3 - 51) + b"\0" + SHA256_INFO + made
    signature, status = rsa_bench.sign(1, 0x20, padded)
    assert status == DONE
    public.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())
    assert rsa_bench.sign(1, 0x20, padded[1:])[1] == 0x6700
    assert rsa_bench.sign(1, 0x20, b"\xff" * 256)[1] == 0x6A80
    assert rsa_bench.sign(1, 0x40, made[1:])[1] == 0x6700
    assert rsa_bench.sign(1, 0x30, bytes(250))[1] == 0x6700
    assert rsa_bench.sign(1, 0x73, made)[1] == 0x6985


def test_rsa_deciphers(rsa_bench):
    public = rsa_bench.public(1)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    assert rsa_bench.decipher(1, 0x22, public.encrypt(TEXT, padding.PKCS1v15())) == (TEXT, DONE)
    assert rsa_bench.decipher(1, 0x23, public.encrypt(TEXT, oaep)) == (TEXT, DONE)
    raw, _ = rsa_bench.decipher(1, 0x21, public.encrypt(TEXT, padding.PKCS1v15()))
    assert raw[:2] == b"\0\2"
    assert raw.endswith(b"\0" + TEXT)
    assert rsa_bench.decipher(1, 0x23, public.encrypt(TEXT, padding.PKCS1v15()))[1] == 0x6A80


def test_two_parties_agree_on_a_secret():
    bench = Bench().set_up()
    bench.generate(1)
    mine = ec.generate_private_key(ec.SECP256R1())
    point = encoded(mine.public_key())[-65:]
    secret, status = bench.decipher(1, 0x80, point)
    assert status == DONE
    assert secret == b"\x04" + mine.exchange(ec.ECDH(), bench.public(1))
    assert bench.decipher(1, 0x80, point[:-1])[1] == 0x6A80
    assert bench.decipher(1, 0x21, point)[1] == 0x6985


def test_an_answer_that_the_host_left_no_room_for_is_not_cut():
    bench = Bench().set_up(bytes(32))
    bench.generate(1, bits=2048)
    assert bench.sw("8072019200") == 0x6700
    assert bench.sw("80720192000000") == DONE
    made = hashlib.sha256(TEXT).digest()
    assert bench.sw(bytes.fromhex("8068014020") + made) == 0x6700


def test_a_request_is_signed_by_another_key_of_the_card_where_that_is_asked():
    bench = Bench().set_up()
    bench.generate(1)
    asked, status = bench.generate(2, by=1)
    assert status == DONE
    check_request(asked, bench.public(1))
    assert bench.generate(3, by=9)[1] == 0x6A82


def test_the_later_line_keeps_the_request_and_the_earlier_leaves_that_to_the_host():
    for row, kept in ((HSM_2_5, False), (HSM_3_1, True)):
        bench = Bench(row).set_up()
        asked, _ = bench.generate(1)
        assert ("ce01" in bench.listed()) is kept
        assert not kept or bench.read(0xCE01) == asked
        assert "c401" not in bench.listed()


def test_references_sizes_and_curves_that_cannot_be_are_refused():
    bench = Bench(HSM_2_5).set_up()
    assert bench.generate(1)[1] == DONE
    assert bench.generate(1)[1] == 0x6A89
    assert bench.generate(0)[1] == 0x6A86
    assert bench.generate(2, bits=4096)[1] == 0x6A80
    unknown = curves.Curve(ec.SECP256R1(), b"\x07" * 32, b"", b"", b"", b"")
    assert bench.generate(2, curve=unknown)[1] == 0x6A80
    assert bench.listed() == ["c400", "cc00", "cc01"]
    bench.ok(SELECT)
    assert bench.generate(2)[1] == 0x6982
    assert bench.sign(1, 0x73, TEXT)[1] == 0x6982
    assert bench.decipher(1, 0x80, TEXT)[1] == 0x6982


def test_a_deleted_key_is_gone_and_its_description_stays():
    bench = Bench().set_up()
    bench.generate(1)
    bench.write(0xC401, b"about it")
    assert bench.sw("00e4020002cc01") == DONE
    assert bench.sign(1, 0x73, TEXT)[1] == 0x6A82
    assert bench.read(0xC401) == b"about it"
    assert bench.generate(1)[1] == DONE


def test_an_algorithm_that_is_not_on_the_list_is_refused():
    bench = Bench(HSM_3_4).set_up(bytes(32))
    bench.generate(1, listed=b"\x73")
    assert bench.sign(1, 0x73, TEXT)[1] == DONE
    assert bench.sign(1, 0x70, bytes(32))[1] == 0x6985
    assert bench.wrap(1)[1] == 0x6985


def test_the_curves_are_those_of_the_library():
    """Each number is checked by a signature above; the base point is the public key of 1."""
    for curve in curves.CURVES:
        one = ec.derive_private_key(1, curve.named).public_key().public_numbers()
        size = len(curve.p)
        assert curve.g == b"\4" + one.x.to_bytes(size, "big") + one.y.to_bytes(size, "big")
        p, a, b = (int.from_bytes(number, "big") for number in (curve.p, curve.a, curve.b))
        assert (one.y**2 - one.x**3 - a * one.x - b) % p == 0
        minus = ec.derive_private_key(int.from_bytes(curve.n, "big") - 1, curve.named)
        assert minus.public_key().public_numbers().x == one.x


def test_a_changed_request_does_not_verify():
    """A test of the test."""
    bench = Bench().set_up()
    asked, _ = bench.generate(1)
    device, _ = chain(bench.read(0x2F02))
    spoilt = asked.replace(b"UTTEST00001", b"UTTEST00002")
    with pytest.raises(InvalidSignature):
        check_request(spoilt, public_of(device))
    with pytest.raises(InvalidSignature):
        check_signature(public_of(asked), tlv.find(asked, 0x67, 0x5F37), TEXT)
