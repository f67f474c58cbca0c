"""What two makers' cards were seen to answer, and what their personalities answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.families.openpgp.simulator_rows import GNUK_START, PICO, Personality
from console.protocols import tlv
from tests.families.openpgp.cards import Talk
from tests.realdata import real

CAPTURES = (
    ("captures/openpgp-gnuk-1.2.19.jsonl", GNUK_START, "f1420a7a"),
    ("captures/openpgp-pico-3.4.jsonl", PICO, "b4ac4cd9"),
)
SIGNATURE = "002a9e9a"
PUBLIC = 0x7F49


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def shape(command: str, answer: bytes) -> object:
    """What of an answer does not depend on chance."""
    if command.startswith(SIGNATURE):
        return len(answer)
    if answer[:2] == PUBLIC.to_bytes(2, "big"):
        parts = tlv.parse(tlv.find(answer, PUBLIC) or b"")
        return [(p.tag, len(p.value), p.value if p.tag == 0x82 else b"") for p in parts]
    return answer.hex()


@pytest.mark.parametrize(("name", "row", "serial"), CAPTURES, ids=("gnuk", "pico"))
def test_the_personality_answers_as_the_card_did(name: str, row: Personality, serial: str) -> None:
    """The same dialogue, word for word: status words, objects, lengths of what is random."""
    about, *dialogue = lines(real(name))
    talk = Talk(row, bytes.fromhex(serial))

    assert talk.card.atr.hex() == about["atr"]
    assert len(dialogue) > 80
    for said in dialogue:
        data, sw = talk.send(said["command"])
        seen = (f"{sw:04x}", shape(said["command"], data))
        true = (said["sw"], shape(said["command"], bytes.fromhex(said["response"])))
        assert (said["note"], *seen) == (said["note"], *true)
