"""Firmware that does what ours does not: other ends, texts, numbers, orders; and our answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.families.nrf91 import approach, at
from console.families.nrf91.modem import Identity, Modem
from console.families.nrf91.simulator_modem import Modem as SimulatedModem
from console.families.nrf91.simulator_rows import (
    AT_CLIENT,
    MFW_1_2_3,
    MFW_1_3_6,
    MFW_2_0_2,
    TRACKER,
    Ending,
    Faults,
    Supply,
)
from tests.families.nrf91.modem_bench import CONTENTS, LOST, RESTORE, bench, digest_of, sheet
from tests.families.nrf91.test_nrf91_faults import PSK, answers, held, unit
from tests.families.nrf91.test_nrf91_flows import new_pair

SHELL = replace(TRACKER, name="shell", shell=True)
IMEI = "352656100000999"
DIGEST = "AB" * 32


class Paper:
    """A line whose other end is a table: what is asked -> what is answered; it keeps the order."""

    def __init__(self, **answers: str) -> None:
        self.answers = {"AT": "OK", "AT+CMEE=1": "OK"} | answers
        self.asked: list[str] = []
        self.now = 0.0
        self._said = b""

    def send(self, data: bytes) -> None:
        for command in data.decode().split("\r\n"):
            if command.strip('"\0'):
                self.asked.append(command)
                answer = self.answers.get(command, "ERROR")
                self._said += answer.replace("\n", "\r\n").encode() + b"\r\n"

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        from console.errors import Silent

        if not self._said:
            self.now += timeout
            raise Silent("Nothing came.", waited=timeout)
        said, self._said = self._said[:most], self._said[most:]
        return said

    def close(self) -> None:
        self._said = b""


def modem(**answers: str) -> tuple[Modem, Paper]:
    paper = Paper(**answers)

    def pause(seconds: float) -> None:
        paper.now += seconds

    return Modem(paper, lambda: paper.now, pause), paper


def listing(told: str, **more: str):
    """What is made of an answer to the list."""
    asked, _ = modem(**{"AT%CMNG=1": told}, **more)
    return asked.picture(Identity(IMEI, "mfw_nrf9160_1.3.6")).entries


# --- identity ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imei", "firmware", "guarded"),
    [
        ("352656100000999\nOK", "mfw_nrf9160_1.3.1\nOK", False),
        ("352656100000999\nOK", "mfw_nrf9160_1.3.2\nOK", True),
        ("352656100000999\nOK", "mfw_nrf9160_1.3.7-prealpha\nOK", True),
        ("352656100000999\nOK", "mfw_nrf91x1_2.0.2\nOK", True),
        ("352656100000999\nOK", "mfw_nrf9151-ntn_1.0.0\nOK", True),
        ("352656100000999\nOK", "mfw-m1_nrf9131_1.0.0\nOK", True),
        ("352656100000999\nOK", "private-build\nOK", None),
        ('+CGSN: "352656100000999"\nOK', "1.2.0\nOK", False),
        ('+CEREG: 2,"00"\n352656100000999\n%XTIME: "2"\nOK', "+CSCON: 0\n1.3.6\nOK", True),
    ],
)
def test_an_identity_is_read_whatever_stands_around_it(imei, firmware, guarded):
    """The chips after the nRF9160 count their versions anew; a version may tell nothing."""
    asked, _ = modem(**{"AT+CGSN": imei, "AT+CGMR": firmware})
    read = asked.identify()

    assert (read.imei, read.guarded) == (IMEI, guarded)


def test_a_modem_that_gives_no_error_numbers_is_asked_all_the_same():
    """They are a comfort: the list decides."""
    asked, _ = modem(
        **{"AT+CMEE=1": "ERROR", "AT+CGSN": f"{IMEI}\nOK", "AT+CGMR": "mfw_nrf9160_1.3.6\nOK"}
    )
    assert asked.identify().imei == IMEI


def test_error_numbers_are_asked_for_again_after_the_line_was_lost():
    """The board may have started anew, and then tells no numbers any more."""
    asked, paper = modem(**{"AT+CGSN": f"{IMEI}\nOK", "AT+CGMR": "mfw_nrf9160_1.3.6\nOK"})
    asked.identify()
    paper.answers["AT%CMNG=1,3,1"] = "nothing final"
    with pytest.raises(Exception, match="did not answer"):
        asked.find(3, 1)

    assert paper.asked.count("AT+CMEE=1") == 2


def test_a_functional_mode_is_read_with_what_may_stand_behind_it():
    """One number, or more."""
    asked, _ = modem(**{"AT+CFUN?": "+CFUN: 4\nOK"})
    assert asked.mode() == 4
    asked, _ = modem(**{"AT+CFUN?": "+CFUN:21,0\nOK"})
    assert asked.mode() == 21


# --- lists -------------------------------------------------------------------------------------


def test_a_list_with_every_shape_of_entry_is_read():
    """With a digest, without one, zeros, small letters, unknown types, the highest tags."""
    told = "\n".join(
        (
            f'%CMNG: 2147483647,8,"{DIGEST}"',
            f'%CMNG:0,0,"{DIGEST.lower()}"',
            "+CEREG: 5",
            "%CMNG: 5,2",
            f'%CMNG: 5,3,"{"0" * 64}"',
            '%CMNG: 5,4,""',
            f'%CMNG: 4294967294,12,"{DIGEST}"',
            "OK",
        )
    )
    read = {entry.pair: entry.digest for entry in listing(told)}

    assert read == {
        (0, 0): DIGEST,
        (5, 2): "",
        (5, 3): "",
        (5, 4): "",
        (2147483647, 8): DIGEST,
        (4294967294, 12): DIGEST,
    }


def test_a_long_list_is_read_whole():
    """Hundreds of entries come in many pieces."""
    lines = [f'%CMNG: {tag},0,"{DIGEST}"' for tag in range(400)]
    assert len(listing("\n".join((*lines, "OK")))) == 400


def test_an_empty_store_is_no_error_however_it_is_told():
    """OK alone, or "not found"."""
    assert listing("OK") == listing("+CME ERROR: 513") == ()


def test_what_a_list_tells_no_digest_of_is_read_where_it_may_be():
    """Old firmware lists none for some types, and gives authorities out. Keys are never asked."""
    content = "-----BEGIN X-----\nAA==\n-----END X-----"
    told = "%CMNG: 5,0\n%CMNG: 5,1\n%CMNG: 5,2\n%CMNG: 5,3\nOK"
    asked, paper = modem(
        **{
            "AT%CMNG=1": told,
            "AT%CMNG=2,5,0": f'%CMNG: 5,0,"{"0" * 64}","{content}"\nOK',
            "AT%CMNG=2,5,1": "+CME ERROR: 514",
        }
    )
    read = asked.picture(Identity(IMEI, "mfw_nrf9160_1.2.3"))
    # The line carries CR LF between quotes as it does elsewhere: that is the content.
    assert read.find(5, 0).digest == digest_of(content.replace("\n", "\r\n"))
    assert [entry.digest for entry in read.entries[1:]] == ["", "", ""]
    assert not any(
        command.startswith(("AT%CMNG=2,5,2", "AT%CMNG=2,5,3")) for command in paper.asked
    )


@pytest.mark.parametrize("flow", ["nrf91.check", RESTORE])
def test_what_is_listed_without_a_digest_is_not_called_compared(tmp_path, flow):
    """It is there; whether it is the sheet's nobody knows."""
    given = answers(tmp_path, (3, 1), (3, 2))
    with bench(tmp_path, unit(MFW_1_2_3, contents=CONTENTS), **given) as shop:
        ended = shop.run(flow).ended
        assert ended.verdict == "no fault found"
        assert any("Of tag 3 private key the modem tells no digest" in w for w in ended.warnings)
    with bench(tmp_path / "new", unit(contents=CONTENTS), **given) as shop:
        assert shop.run(flow).ended.warnings == ()


@pytest.mark.parametrize("flow", ["nrf91.rekey", RESTORE])
@pytest.mark.parametrize("firmware", [MFW_1_2_3, MFW_1_3_6], ids=lambda row: row.name)
def test_a_key_without_a_digest_is_not_taken_for_the_new_one(tmp_path, flow, firmware):
    """The old key under the new certificate would be worse than neither."""
    new = new_pair(tmp_path)[0]
    given = answers(tmp_path, *new, contents=new)
    with bench(tmp_path / "state", unit(firmware, contents=CONTENTS), **given) as shop:
        assert shop.run(flow).verdict == "repaired"
        assert {pair: held(shop)[pair] for pair in new} == {
            pair: digest_of(text) for pair, text in new.items()
        }


@pytest.mark.parametrize("code", [515, 528])
def test_a_refused_key_without_a_digest_is_not_taken_for_written(tmp_path, code):
    """It is listed, but it is the old one."""
    new = new_pair(tmp_path)[0]
    path = sheet(tmp_path / "sheet", *new, contents=new)
    scenario = unit(MFW_1_2_3, contents=CONTENTS, faults=Faults(refuses_with=code))
    with bench(tmp_path / "state", scenario, sheet=path, confirm_replace="yes") as shop:
        assert shop.run("nrf91.rekey").verdict == "unfinished"
        assert held(shop)[3, 2] == digest_of(CONTENTS[3, 2])


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["ERROR", "+CME ERROR: 513", "+CME ERROR: not found"])
def test_deleting_what_is_not_there_is_done_whatever_the_modem_calls_it(told):
    """The list decides."""
    asked, _ = modem(**{"AT%CMNG=3,5,0": told, "AT%CMNG=1,5,0": "OK"})
    asked.delete(5, 0)


def test_a_warning_that_comes_behind_the_final_line_is_heard():
    """It may stand anywhere; a write after it could cost another entry."""
    asked, _ = modem(**{"AT%XVBAT": "%XVBAT: 3700\nOK\n%XPOFWARN:1,33"})
    asked.supply()

    assert asked.warned


def test_what_is_no_text_is_told_as_another_speed(tmp_path):
    """The usual reason is a port at 1000000 baud."""
    noise = bytes.fromhex("fefdf8e0c080f0fefdf8e0c080f0")
    assert at.is_noise(noise)
    assert not at.is_noise(b"\x1b[0m[00:00:00.412,109] <inf> tracker: Starting\x1b[0m\r\n")
    noisy = replace(
        AT_CLIENT, at_port=None, console=(noise.decode("latin-1"),), console_is_shell=False
    )
    with bench(tmp_path, unit(application=noisy), sheet="") as shop:
        view = shop.run("nrf91.check")
        assert any("another speed" in told.sentence for told in view.said), view.said


# --- the careful order -------------------------------------------------------------------------


def commands(shop) -> list[str]:
    """Every change that was asked for, without contents."""
    text = b"".join(shop.bus.sent).decode("latin-1")
    return [line.split('"')[0] for line in text.split("\r\n") if line.startswith(CHANGES)]


CHANGES = ("AT%CMNG=0", "AT%CMNG=3", "AT%KEYGEN")


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [
        (MFW_1_2_3, ["AT%CMNG=0,2,0,"]),
        (MFW_1_3_6, ["AT%CMNG=0,2,0,", "AT%CMNG=3,2,0", "AT%CMNG=0,2,0,"]),
    ],
    ids=["replaces", "refuses with 519"],
)
def test_what_is_replaced_is_deleted_only_where_the_modem_wants_it(tmp_path, firmware, expected):
    """A content that it would refuse then costs nothing."""
    contents = CONTENTS | {(2, 0): CONTENTS[1, 0]}
    with bench(tmp_path, unit(firmware, contents=contents), **answers(tmp_path, (2, 0))) as shop:
        assert shop.run(RESTORE).verdict == "repaired"
        assert commands(shop) == expected
        assert held(shop)[2, 0] == digest_of(CONTENTS[2, 0])


def test_a_refused_replacement_leaves_the_old_one(tmp_path):
    """527 before the deletion, not after it."""
    contents = CONTENTS | {(2, 0): CONTENTS[1, 0]}
    scenario = unit(contents=contents, faults=Faults(refuses_with=527))
    with bench(tmp_path, scenario, **answers(tmp_path, (2, 0))) as shop:
        view = shop.run(RESTORE)
        assert (view.verdict, view.ended.damage) == ("unfinished", "nothing written")
        assert held(shop)[2, 0] == digest_of(CONTENTS[1, 0])


@pytest.mark.parametrize(
    ("firmware", "verdict", "words"),
    [
        (MFW_1_2_3, "refused", "makes no keys itself"),
        (replace(MFW_1_3_6, makes_keys=False), "unfinished", "does not know this command"),
        (
            replace(MFW_1_3_6, name="private-build", makes_keys=False),
            "unfinished",
            "does not know this command",
        ),
    ],
)
def test_firmware_that_makes_no_keys_keeps_the_old_one(tmp_path, firmware, verdict, words):
    """KEYGEN is asked for before anything is deleted."""
    given = {"sheet": "", "tags": "3", "confirm_replace": "yes"}
    with bench(tmp_path, unit(firmware, contents=CONTENTS), **given) as shop:
        view = shop.run("nrf91.rekey")
        assert (view.verdict, view.ended.damage) == (verdict, "nothing written")
        assert words in view.ended.sentence
        assert held(shop)[3, 2] == digest_of(CONTENTS[3, 2])


def test_a_check_lists_what_there_is_and_a_long_list_is_cut(tmp_path):
    """Which tags there are is asked for by the reset, and told by it."""
    many = CONTENTS | {(100 + tag, 4): f"unit-{tag}" for tag in range(40)}
    with bench(tmp_path, unit(contents=many), sheet="", tags="77") as shop:
        proof = shop.run("nrf91.check").ended.proof
        assert "tag 3: root CA, client certificate, private key" in proof
        assert len(proof) < 30
        assert not any("tag 4294967" in line for line in proof)
        assert proof[-1].startswith("and ")
        refused = shop.run("nrf91.reset")
        assert "It holds: 1, 2, 3, 100, " in refused.ended.advice


@pytest.mark.parametrize(
    ("flow", "given"),
    [
        ("nrf91.rekey", {"sheet": "", "tags": "3", "confirm_replace": "yes"}),
        ("nrf91.reset", {"tags": "3"}),
    ],
)
def test_an_application_that_switches_the_radio_on_meanwhile_is_switched_off_again(
    tmp_path, monkeypatch, flow, given
):
    """518 in the middle, not for a write alone."""
    refused = []

    def once(self) -> None:
        if not refused:
            refused.append(True)
            self.mode = 1
        may_change(self)

    may_change = SimulatedModem._may_change
    monkeypatch.setattr(SimulatedModem, "_may_change", once)
    with bench(tmp_path, unit(contents=CONTENTS), **given) as shop:
        assert shop.run(flow).verdict == "repaired"
        assert refused


def test_a_check_leaves_the_mode_although_the_warning_switched_the_radio_off(tmp_path):
    """The modem does that by itself when its supply sags."""
    scenario = unit(application=TRACKER, supply=Supply(battery=3200))
    with bench(tmp_path, scenario, sheet="") as shop:
        view = shop.run("nrf91.check")
        assert "supply is too low" in view.ended.sentence
        assert shop.bus.simulator("1-1").modem.mode == 1


# --- other lines -------------------------------------------------------------------------------


@pytest.mark.parametrize("echoes", [False, True])
def test_a_line_that_ends_commands_with_nul_is_found_out(tmp_path, echoes):
    """One of the four ways that at_host can be built."""
    application = replace(TRACKER, ending=Ending.NUL, echoes=echoes)
    given = answers(tmp_path, LOST, (9, 3), contents=CONTENTS | PSK)
    with bench(tmp_path, unit(application=application), **given) as shop:
        assert shop.run(RESTORE).verdict == "repaired"
        assert held(shop)[LOST] == digest_of(CONTENTS[LOST])


def test_a_shell_that_passes_at_is_found_out_and_used(tmp_path):
    """Its line ends become CR LF on the way, and the list is compared with that."""
    given = answers(tmp_path, LOST, (9, 3), (9, 4), contents=CONTENTS | PSK)
    with bench(tmp_path, unit(application=SHELL), **given) as shop:
        view = shop.run(RESTORE)
        assert view.verdict == "repaired", view.ended
        assert held(shop)[LOST] == digest_of(CONTENTS[LOST].replace("\n", "\r\n"))
        assert held(shop)[9, 4] == digest_of(PSK[9, 4])
        assert shop.run("nrf91.check").verdict == "no fault found"


def test_certificates_through_a_shell_into_firmware_that_wants_lf_are_refused_in_words(tmp_path):
    """The modem says 527; nothing was written."""
    given = answers(tmp_path)
    with bench(tmp_path, unit(MFW_2_0_2, SHELL), **given) as shop:
        view = shop.run(RESTORE)
        assert (view.verdict, view.ended.damage) == ("unfinished", "nothing written")
        assert "invalid" in view.ended.sentence


@pytest.mark.parametrize(
    ("own", "words"), [((), "0 credentials"), (((5, 0),), "1 credential there")]
)
def test_a_serial_modem_with_a_store_of_its_own_is_told(tmp_path, own, words):
    """It is another store than the modem's; the check looks at one and names the other."""
    application = replace(AT_CLIENT, own_store=own)
    with bench(tmp_path, unit(application=application), sheet="") as shop:
        (warning,) = shop.run("nrf91.check").ended.warnings
        assert "TLS store of its own" in warning
        assert words in warning


@pytest.mark.parametrize("mute", ["AT%XVBAT", "AT%XPOFWARN=1,33", "AT#XCMNG=1"])
def test_firmware_that_says_nothing_to_what_it_does_not_know_is_checked_all_the_same(
    tmp_path, monkeypatch, mute
):
    """It should say ERROR; what is a comfort only is left out then."""
    answer = SimulatedModem.answer
    monkeypatch.setattr(
        SimulatedModem, "answer", lambda self, text: [""] if mute in text else answer(self, text)
    )
    with bench(tmp_path, unit(), sheet="") as shop:
        assert shop.run("nrf91.check").verdict == "no fault found"


def test_firmware_that_tells_nothing_of_its_supply_is_warned_of(tmp_path, monkeypatch):
    """Nobody knows whether a write is safe."""
    answer = SimulatedModem.answer
    monkeypatch.setattr(
        SimulatedModem,
        "answer",
        lambda self, text: ["ERROR"] if "AT%X" in text else answer(self, text),
    )
    with bench(tmp_path, unit(), sheet="") as shop:
        assert "Its firmware tells nothing of its supply." in shop.run("nrf91.check").ended.warnings


@pytest.mark.parametrize("text", ["it's", "a\\b"])
@pytest.mark.parametrize("flow", [RESTORE, "nrf91.rekey"])
def test_what_a_shell_cannot_pass_on_is_refused_before_anything_is_touched(tmp_path, text, flow):
    """It would arrive as something else; what the sheet names before it would be in already."""
    new = {(9, 3): "ff" * 16, (9, 4): text}
    given = answers(tmp_path, *new, contents=new)
    with bench(tmp_path, unit(application=SHELL, contents=CONTENTS | PSK), **given) as shop:
        before = held(shop)
        ended = shop.run(flow).ended
        assert (ended.verdict, ended.damage) == ("refused", "nothing written")
        assert "9-identity.txt: Its shell cannot pass" in ended.sentence
        assert held(shop) == before
        assert shop.run("nrf91.check").verdict == "unfinished"


def test_a_board_with_one_port_is_asked_on_that(tmp_path, monkeypatch):
    """Kits have three, some boards one."""
    monkeypatch.setattr(
        approach, "serial_nodes", lambda guide: tuple(n for n in guide.device.nodes)[-1:]
    )
    with bench(tmp_path, unit(application=TRACKER), sheet="") as shop:
        assert shop.run("nrf91.check").verdict == "no fault found"
    with bench(tmp_path / "none", unit(), sheet="") as shop:
        said = shop.run("nrf91.check").ended.sentence
        assert said == "No AT command was answered on its port."


@pytest.mark.parametrize("port", [0, 1])
def test_either_port_may_be_the_one(tmp_path, port):
    """The order of ports is the board's, which one talks AT the application's."""
    application = replace(TRACKER, at_port=port)
    path = sheet(tmp_path / "sheet", (1, 0))
    with bench(tmp_path, unit(application=application), sheet=path) as shop:
        assert shop.run("nrf91.check").verdict == "no fault found"
