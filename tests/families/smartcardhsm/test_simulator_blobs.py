"""Key blobs of the simulated SmartCard-HSM, and keys that were wrapped by somebody else's card."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from console.families.smartcardhsm.simulator import SHARE
from console.families.smartcardhsm.simulator_rows import FIRMWARES, HSM_2_5, HSM_3_1, HSM_3_4
from console.protocols import tlv
from tests.families.smartcardhsm.simulated import DONE, Bench, public_file
from tests.realdata import real

TEXT = b"proof"
ONES = b"\x11" * 32
LIST = b"\x73\x92"


def proves(bench, number, public):
    """Does the key sign what that public key verifies? Raises if not."""
    if isinstance(public, rsa.RSAPublicKey):
        signature, status = bench.sign(number, 0x33, TEXT)
        assert status == DONE
        public.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())
        return
    signature, status = bench.sign(number, 0x73, TEXT)
    assert status == DONE
    public.verify(signature, TEXT, ec.ECDSA(hashes.SHA256()))


def sealed(bench, number):
    blob, status = bench.wrap(number)
    assert status == DONE
    return blob


# --- the image --------------------------------------------------------------------------------


def test_the_image_of_an_ec_key_is_the_one_of_the_reference():
    """Head, MAC and fields recomputed here. The emulation's image has 333 bytes with the list and
    331 without: 32 fewer each, since it leaves A out."""
    bench = Bench().set_up(ONES)
    bench.generate(1, listed=LIST)
    bench.generate(2)
    blob = sealed(bench, 1)
    head = "02d449a31fbb267c0c000a04007f0007020202020300027392" + "00000000"
    assert blob[:29].hex() == head
    assert (len(blob), len(sealed(bench, 2))) == (333 + 32, 331 + 32)

    mac = CMAC(algorithms.AES(hashlib.sha256(ONES + bytes((0, 0, 0, 2))).digest()))
    mac.update(blob[:-16])
    mac.verify(blob[-16:])
    key = hashlib.sha256(ONES + bytes((0, 0, 0, 1))).digest()
    opened = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor()
    plain = opened.update(blob[29:-16]) + opened.finalize()
    assert plain[8:10] == (256).to_bytes(2, "big")
    sizes, at = [], 10
    for _ in range(7):
        size = int.from_bytes(plain[at : at + 2], "big")
        sizes.append(size)
        at += 2 + size
    assert sizes == [32, 32, 32, 32, 65, 32, 65]  # A, B, P, N, G, d, Q
    assert plain[at:] == b"\x80".ljust(len(plain) - at, b"\0")


def test_two_blobs_of_one_key_differ():
    bench = Bench().set_up(ONES)
    bench.generate(1)
    assert sealed(bench, 1) != sealed(bench, 1)


@pytest.mark.parametrize("bits", [0, 1024, 2048])
@pytest.mark.parametrize("old", [False, True])
def test_a_key_moves_to_another_card_the_new_way_and_the_old(bits, old):
    source, target = Bench().set_up(ONES), Bench(HSM_2_5).set_up(ONES)
    source.generate(1, bits=bits)
    public = source.public(1)
    assert target.unwrap(7, sealed(source, 1), old=old) == DONE
    assert target.listed() == ["c400", "cc00", "cc07"]
    proves(target, 7, public)
    assert target.sw("00b12f10000004540200000000") == 0x6A82


def test_an_rsa_4096_blob_goes_through_the_transfer_file():
    source, target = Bench().set_up(ONES), Bench(HSM_3_1).set_up(ONES)
    source.generate(1, bits=4096)
    blob = sealed(source, 1)
    assert len(blob) > HSM_3_1.longest
    assert target.unwrap(1, blob, old=True) == 0x6700
    assert target.unwrap(1, blob) == DONE
    proves(target, 1, source.public(1))
    assert Bench(HSM_2_5).set_up(ONES).unwrap(1, blob) == 0x6A80


# --- what each firmware does with an algorithm list -----------------------------------------------


@pytest.mark.parametrize("row", FIRMWARES, ids=lambda row: row.name)
def test_only_firmware_3_1_fails_to_take_a_list_back(row):
    source, target = Bench(HSM_3_1).set_up(ONES), Bench(row).set_up(ONES)
    source.generate(1, listed=LIST)
    source.generate(2)
    for old in (False, True):
        status = target.unwrap(1, sealed(source, 1), old=old)
        if row is HSM_3_1:
            assert status == 0x6F00
            assert "cc01" not in target.listed()
        else:
            assert status == DONE
            assert sealed(target, 1)[19:25] == sealed(source, 1)[19:25]
            proves(target, 1, source.public(1))
            assert target.sign(1, 0x70, bytes(32))[1] == 0x6985
            target.sw("00e4020002cc01")
    assert target.unwrap(2, sealed(source, 2)) == DONE


# --- refusals ---------------------------------------------------------------------------------


def test_another_dkek_a_cut_blob_and_an_edited_one_are_refused_and_nothing_is_stored():
    source = Bench().set_up(ONES)
    source.generate(1, listed=LIST)
    blob = sealed(source, 1)
    assert Bench().set_up(bytes(range(32))).unwrap(1, blob) == 0x6A80
    target = Bench(HSM_3_4).set_up(ONES)
    without_list = blob[:21].replace(b"\0\2\x73\x92", b"") + bytes(2) + blob[25:]
    for spoilt in (
        blob[:-1],
        blob[:100],
        blob[:40],
        blob[:8],
        blob + b"\0",
        without_list,
        *(blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :] for at in range(0, len(blob), 9)),
    ):
        assert target.unwrap(1, spoilt) == 0x6A80
    assert target.listed() == ["c400", "cc00"]
    assert target.unwrap(1, blob) == DONE


def test_a_taken_reference_is_refused_and_its_key_stays():
    source, target = Bench().set_up(ONES), Bench().set_up(ONES)
    source.generate(1)
    target.generate(1)
    public = target.public(1)
    assert target.unwrap(1, sealed(source, 1)) == 0x6A89
    assert target.unwrap(0, sealed(source, 1)) == 0x6A86
    proves(target, 1, public)


def test_missing_shares_pin_file_and_key_are_told_apart():
    bench = Bench()
    assert bench.initialize(extra="920102") == DONE
    assert bench.wrap(1)[1] == 0x6985
    assert bench.sw("80740193") == 0x6982
    bench.verify()
    bench.generate(1)
    assert bench.wrap(1)[1] == 0x6A88
    assert bench.unwrap(2, bytes(100)) == 0x6A88
    whole = Bench().set_up(ONES)
    assert whole.wrap(9)[1] == 0x6A82
    assert whole.sw("80740193") == 0x6A82
    assert whole.sw("80740192") == 0x6B00
    assert whole.sw("80720193000000") == 0x6B00


def test_memory_may_end_at_an_unwrap():
    source, target = Bench().set_up(ONES), Bench().set_up(ONES)
    source.generate(1)
    at = 0
    while target.write(0xCF00 | at, bytes(1000)) == DONE:
        at += 1
    while target.write(0xCE00 | at, bytes(50)) == DONE:
        at += 1
    assert target.unwrap(1, sealed(source, 1), old=True) == 0x6A84
    assert "cc01" not in target.listed()


# --- keys that somebody else wrapped ------------------------------------------------------------


def wrapped(name):
    """(blob, description, certificate) of a wrapped-key file."""
    first, *others = tlv.parse(tlv.find(real(f"hsm/{name}").read_bytes(), 0x30))
    assert first.tag == 0x04
    return first.value, *(tlv.encode(other.tag, other.value) for other in others)


@pytest.mark.parametrize("row", FIRMWARES, ids=lambda row: row.name)
@pytest.mark.parametrize("name", ["rsa2048", "p256"])
def test_a_key_of_somebody_elses_card_is_restored_and_proven(row, name):
    """Its EC blob has no A, which its emulation leaves out; ours reads it by its prime."""
    bench = Bench(row).set_up(SHARE)
    blob, description, certificate = wrapped(f"wrapped-{name}.bin")
    assert bench.ok("8052000000")[2:] == blob[:8]
    assert bench.unwrap(1, blob) == DONE
    assert bench.write(0xC401, description) == DONE
    assert bench.write(0xCE01, certificate) == DONE
    assert bench.listed() == ["c400", "cc00", "cc01", "c401", "ce01"]
    proves(bench, 1, public_file(real(f"hsm/{name}.pub.der")))
    again = Bench(row).set_up(SHARE)
    assert again.unwrap(2, sealed(bench, 1)) == DONE
    proves(again, 2, public_file(real(f"hsm/{name}.pub.der")))


def test_the_practice_share_is_the_one_under_which_they_were_wrapped():
    """Its file is opened by sc-hsm-tool, in test_hosts."""
    blob, *_ = wrapped("wrapped-p256.bin")
    assert hashlib.sha256(SHARE).digest()[:8] == blob[:8]
