"""A restore that stops says what is on the device by then; each key goes where it is said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_keys import Key
from tests.families.smartcardhsm.restoring import RESTORE, keys_of, three
from tests.families.smartcardhsm.sticks import USER, backed_up, bench, card, of, with_ec
from tests.harness import workshop

UPDATE, DELETE = 0xD7, 0xE4


def answers(files, **more: str) -> dict[str, str]:
    return {"backup": str(files), "pin": USER, **more}


def test_a_file_that_is_refused_after_another_was_placed_leaves_it_unfinished(tmp_path):
    """The second of three was edited, and no shares were brought that would tell before."""
    with workshop(tmp_path / "shop", bench(card(setup=three), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        second = sorted(files.iterdir())[1]
        data = bytearray(second.read_bytes())
        data[120] ^= 1
        second.write_bytes(bytes(data))
        view = shop.run(RESTORE, "1-2", answers=answers(files))

        assert view.verdict == "unfinished", view.ended
        assert "refused key 2" in view.ended.sentence
        assert "1 of 3 keys" in view.ended.sentence
        assert "another copy" in view.ended.advice
        assert view.ended.advice.count("unharmed") == 1
        assert any("key 1" in words for words in view.ended.proof)
        assert keys_of(shop, "1-2") == {1}


def test_a_description_that_is_refused_leaves_it_unfinished_and_is_mended(tmp_path):
    no = Fault(UPDATE, Outcome.REFUSED, p1=0xC4, status=0x6985, times=9)
    target = card("DENK0109002", faults=(no,))
    with workshop(tmp_path / "shop", bench(card(setup=with_ec), target)) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers=answers(files))

        assert view.verdict == "unfinished", view.ended
        assert "at web server" in view.ended.sentence
        assert "without its description" in view.ended.advice
        assert keys_of(shop, "1-2") == {1}


@pytest.mark.parametrize(("wanted", "at"), [("", 3), ("3", 3), ("5", 5)])
def test_a_certificate_that_outlived_its_key_does_not_hold_it_at_its_number(tmp_path, wanted, at):
    """There or at another number that is asked for: the key is where it is said to be."""
    with workshop(tmp_path / "shop", bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        (path,) = files.iterdir()
        held = of(shop, "1-2").applet.files
        held.put(0xCE03, KeyFile.parse("x", path.read_bytes()).certificate)
        view = shop.run(
            RESTORE, "1-2", answers=answers(files, **({"keys": wanted} if wanted else {}))
        )

        assert view.verdict == "repaired", view.ended
        assert f"key {at}," in view.ended.proof[0]
        assert keys_of(shop, "1-2") == {at}
        assert {number for number in held.listed() if number >> 8 == 0xC4} == {0xC400, 0xC400 | at}


def test_what_cannot_be_taken_off_again_is_said(tmp_path):
    """Another half key has the number that was asked for; the copy to compare with it stays."""
    stuck = Fault(DELETE, Outcome.REFUSED, status=0x6982, times=99)
    target = card("DENK0109002", faults=(stuck,))
    with workshop(tmp_path / "shop", bench(card(setup=with_ec), target)) as shop:
        files = backed_up(shop, tmp_path / "backup")
        (path,) = files.iterdir()
        bare = replace(KeyFile.parse("x", path.read_bytes()), about=b"", certificate=b"")
        path.write_bytes(bare.encode())
        applet = of(shop, "1-2").applet
        applet.keys[4] = Key(ec.generate_private_key(ec.SECP256R1()))
        applet.files.put(0xCC04, b"")
        view = shop.run(RESTORE, "1-2", answers=answers(files, keys="4"))

        assert view.verdict == "unfinished", view.ended
        assert "Number 4 is taken" in view.ended.sentence
        assert "Key 1 is" in str(view.ended.warnings)
        assert keys_of(shop, "1-2") == {1, 4}
