"""Cards of ours on the real PC/SC stack, before programs of others."""

from __future__ import annotations

import pytest

from tests.hardware.stack import PROGRAM_LIMIT, Stack
from tests.simulated_cards import ATR

TOY = "tests.simulated_cards:Toy"


@pytest.fixture
def stack(machine):
    """A running daemon with a toy in its first slot."""
    machine.do("start")
    machine.do("insert", 0, TOY)
    yield machine
    machine.do("end")


def opensc(stack: Stack, *words: str) -> dict:
    done = stack.do("run", ["opensc-tool", "--reader", "0", *words])
    assert done["rc"] == 0, done
    return done


def test_a_program_of_others_reads_the_answer_to_reset(stack):
    """OpenSC's, through pcscd and the virtual reader."""
    assert opensc(stack, "--atr")["stdout"].strip() == ATR.hex(":")


def test_a_program_of_others_speaks_to_the_card(stack):
    """What it sent is what the card was given, and the card has remembered it."""
    done = opensc(
        stack, "--card-driver", "default", "--send-apdu", "0010000000", "--send-apdu", "001A000000"
    )
    assert "SW1=0x90, SW2=0x00" in done["stdout"]
    assert "0010000000" in stack.do("sent")
    assert stack.do("frozen", 0)["done"] == 1


def test_a_card_that_works_or_waits_for_a_touch_is_waited_for(stack):
    """Two seconds of work; a touch that comes while the program runs."""
    opensc(stack, "--card-driver", "default", "--send-apdu", "0010020000")
    stack.do("later", 1.0, "press", 0, "touch")
    opensc(stack, "--card-driver", "default", "--send-apdu", "0012000000")
    assert stack.do("frozen", 0)["done"] == 1


def test_a_card_pulled_under_a_program_has_not_done_its_work(stack):
    """The program is told."""
    stack.do("later", 1.0, "remove", 0)
    words = ["opensc-tool", "-r", "0", "-c", "default", "-s", "0010C80000"]
    assert stack.do("run", words)["rc"] != 0
    assert stack.do("frozen", 0)["done"] == 0


def test_scdaemon_reaches_the_reader_through_pcsc(stack):
    """In a home of its own; a card that is no OpenPGP card is refused by gpg, not unseen."""
    done = stack.do("run", ["gpg", "--batch", "--card-status"])
    assert done["rc"] != 0
    assert "00a4040006d27600012401" in stack.do("sent")


def test_a_program_is_given_its_input_and_a_home(stack):
    """Not the technician's."""
    done = stack.do("run", ["sh", "-c", "cat; echo $HOME; exit 3"], "hello\n")
    assert done["stdout"].startswith("hello\n/tmp/replug-pcsc-")
    assert (done["rc"], PROGRAM_LIMIT) == (3, 300.0)
