"""What somebody else's card answered, asked of ours again.

The rule: status words and structures are the same, but where the emulation that was recorded is
not faithful to genuine cards, or has a form of its own; each such place is named here.
"""

from __future__ import annotations

import json

import pytest

from console.families.smartcardhsm.simulator import SHARE
from console.families.smartcardhsm.simulator_rows import HSM_2_6, HSM_3_4
from console.protocols import tlv
from tests.families.smartcardhsm.simulated import (
    DONE,
    Bench,
    chain,
    check_certificate,
    check_request,
    public_of,
    share_command,
)
from tests.realdata import real

UNFAITHFUL = {
    (
        "fresh",
        "DKEK status",
    ): "genuine cards say 6D00 until they are set up for shares; it says 6B00",
    ("initialised", "DKEK status"): "genuine cards show the check value; it hides it until the PIN",
}
OTHER_FORMS = {
    "read": "it ends a file with 9000, genuine cards with 6282",
    "enumerate": "it lists no CC00 and has no device certificate before it is initialised",
}


def parts():
    """Its exchanges by part: (note, command, response, status)."""
    found: dict[str, list[tuple[str, str, str, int]]] = {}
    for line in real("captures/smartcard-hsm-pico-6.6.jsonl").read_text().splitlines():
        said = json.loads(line)
        if "part" in said:
            part = found.setdefault(said["part"], [])
        else:
            part.append((said["note"], said["command"], said["response"], int(said["sw"], 16)))
    return found


def as_recorded(row):
    """A card in the state of the second part: one share, an RSA pair, a P-256 pair, described."""
    bench = Bench(row).set_up()
    assert bench.initialize(extra="920101") == DONE
    bench.ok(share_command(SHARE))
    bench.verify()
    kept = {note: bytes.fromhex(response) for note, _, response, _ in parts()["initialised"]}
    bench.generate(1, bits=2048)
    bench.generate(2)
    for number in (1, 2):
        bench.write(0xC400 | number, kept[f"read C40{number}"])
        bench.write(0xCE00 | number, bench.read(0xCE00 | number) if row is HSM_3_4 else b"")
    bench.write(0x2F03, kept["read EF.TokenInfo 2F03"])
    bench.card.reset()
    return bench


def shape(data):
    """The tags of an answer, as deep as they go."""
    try:
        found = tlv.parse(data)
    except Exception:  # noqa: BLE001
        return None
    return [(each.tag, shape(each.value) if each.constructed else None) for each in found]


@pytest.mark.parametrize("row", [HSM_2_6, HSM_3_4], ids=lambda row: row.name)
@pytest.mark.parametrize("part", ["fresh", "initialised"])
def test_every_status_word_is_the_same_or_named(row, part):
    bench = Bench(row, selected=False) if part == "fresh" else as_recorded(row)
    differ = set()
    for note, command, _, status in parts()[part]:
        if note.startswith("read") and part == "fresh" and "2F03" in note:
            continue  # nobody has labelled ours yet
        ours = bench.sw(command)
        if note.startswith("read"):
            assert (ours, status) == (0x6282, DONE), OTHER_FORMS["read"]
        elif ours != status:
            differ.add((part, note))
    assert differ == {
        key for key in UNFAITHFUL if key == ("fresh", "DKEK status") and key[0] == part
    }


def test_the_structures_are_the_same():
    bench = as_recorded(HSM_3_4)
    compared = 0
    for note, command, response, _ in parts()["initialised"]:
        data, _ = bench.do(command)
        theirs = bytes.fromhex(response)
        if note == "SELECT":
            assert tlv.find(data, 0x62, 0x84) == bytes.fromhex("e82b0601040181c31f0201")
            assert {found.tag for found in tlv.parse(tlv.find(theirs, 0x62))} == {
                found.tag for found in tlv.parse(tlv.find(data, 0x62))
            }
        elif note == "DKEK status":
            assert data[:2] == theirs[:2]
            assert (any(data[2:]), any(theirs[2:])) == (True, False), UNFAITHFUL[
                "initialised", note
            ]
        elif note == "DKEK status verified":
            assert data == theirs
        elif note == "enumerate":
            listed = {data[at : at + 2] for at in range(0, len(data), 2)}
            assert {theirs[at : at + 2] for at in range(0, len(theirs), 2)} <= listed
        elif note.startswith("read C40") or "2F03" in note:
            assert data == theirs
        elif note.startswith("read CE"):
            assert shape(data) == shape(theirs)
        elif note.startswith("WRAP key") and theirs:
            compared += 1
            size = 1 if note.endswith("none)") else 0
            # Theirs of RSA is d, n, e (05) and of P-256 without A; ours CRT (06), and whole.
            assert data[:8] == theirs[:8]
            assert data[8] == theirs[8] + (0 if size else 1)
            assert data[9:27] == theirs[9:27]
    assert compared == 2


def test_what_was_recorded_is_signed_as_ours_is():
    """The verifier that our certificates and requests pass, passes theirs."""
    kept = {note: bytes.fromhex(response) for note, _, response, _ in parts()["initialised"]}
    (device,) = chain(kept["read EF.C_DevAut 2F02"])
    check_certificate(device, public_of(device))
    for name in ("read CE01", "read CE02"):
        check_request(kept[name], public_of(device))


def test_what_they_wrapped_ours_unwraps_to_the_same_public_key():
    kept = {note: bytes.fromhex(response) for note, _, response, _ in parts()["initialised"]}
    blobs = [data for note, data in kept.items() if note.startswith("WRAP") and data]
    bench = Bench().set_up(SHARE)
    for number, blob in enumerate(blobs, 1):
        theirs = public_of(kept[f"read CE0{number}"])
        assert bench.unwrap(number, blob) == DONE
        key = bench.card.applet.keys[number].private.public_key()
        assert key.public_numbers() == theirs.public_numbers()


def test_a_wrong_so_pin_which_that_card_accepts_is_refused_by_ours():
    """The reference names it; the capture holds no such exchange."""
    bench = as_recorded(HSM_3_4)
    bench.ok("00a404000be82b0601040181c31f020100")
    assert bench.initialize(so=b"wrongone") == 0x6985
    assert bench.tries(0x88) == 0x63CE
