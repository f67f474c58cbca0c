"""The AT line byte by byte, as sdk-nrf's at_host has it, and the other port."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from console.families.nrf91.simulator import SCENARIOS, Mode, Thingy
from console.families.nrf91.simulator_contents import rewritten
from console.families.nrf91.simulator_rows import (
    APPLICATIONS,
    AT_CLIENT,
    MFW_1_2_3,
    MFW_1_3_6,
    REWRITING,
    SILENT,
    THINGY91_BRIDGE,
    TRACKER,
    Ending,
    Faults,
    Keeps,
    Supply,
    Times,
    Torn,
)
from console.hardware.simulated import Away, Hang, interfaces_of
from tests.families.nrf91.modem_wire import CA, CASE_5, IMEI, Wire, digest


@pytest.mark.parametrize(
    ("ending", "sent"),
    [(Ending.CR, "\r"), (Ending.CR, "\r\n"), (Ending.LF, "\n"), (Ending.LF, "\r\n"),
     (Ending.CRLF, "\r\n"), (Ending.NUL, "\0")],
)  # fmt: skip
def test_a_command_ends_as_the_firmware_was_built(ending, sent):
    """What follows the end is white space before the next."""
    wire = Wire(application=replace(AT_CLIENT, ending=ending))
    assert wire.ask("AT+CFUN?", sent) == ["+CFUN: 0", "OK"]
    assert wire.ask("AT+CFUN?", sent) == ["+CFUN: 0", "OK"]


@pytest.mark.parametrize(("ending", "sent"), [(Ending.CRLF, "\r"), (Ending.NUL, "\r\n")])
def test_another_ending_ends_nothing(ending, sent):
    """The line is silent."""
    wire = Wire(application=replace(AT_CLIENT, ending=ending))
    wire.send(b"AT" + sent.encode())
    assert wire.listen() == b""


def test_an_empty_line_is_no_command():
    """Not even an ERROR."""
    wire = Wire()
    wire.send(b"\r\n\r\n  \r")
    assert wire.listen() == b""


def test_what_is_sent_while_it_works_is_lost_but_for_a_few_bytes():
    """The UART is not read until the modem has answered."""
    wire = Wire()
    wire.send(b"AT+CFUN=4\r\nAT+CFUN?\r\n")
    assert wire.until_final() == ["OK"]
    assert wire.listen() == b""
    wire.send(b"\r")
    assert wire.until_final() == ["ERROR"]
    wire.send(b"AT+CFUN=0\r\n")
    wire.send(b"AT\r")
    assert wire.until_final() == ["OK"]
    assert wire.until_final() == ["OK"]


def test_backspace_is_obeyed_even_inside_quotes():
    """08 and 7F."""
    wire = Wire().offline()
    assert wire.ask("AT+CFUNX\x08?") == ["+CFUN: 4", "OK"]
    assert wire.write(1, 4, "abX\x7fc") == "OK"
    assert wire.listed() == {(1, 4): digest("abc")}


def test_left_inside_quotes_it_swallows_everything():
    """Until a quote comes."""
    wire = Wire().offline()
    wire.send(b'AT%CMNG=0,1,0,"-----BEGIN')
    wire.send(b"\r\nAT\r\nAT+CGSN\r\n")
    assert wire.listen() == b""
    wire.send(b'"\r')
    assert wire.until_final()[-1] in ("OK", "ERROR", "+CME ERROR: 50")
    assert wire.ask("AT") == ["OK"]


def test_what_does_not_fit_is_dropped_with_its_last_quote():
    """A power cycle is one way out; taking bytes back is the other."""
    wire = Wire().offline()
    wire.send(b'AT%CMNG=0,1,0,"' + b"x" * 5000 + b'"\r\n')
    assert wire.listen() == b""
    wire.send(b'"\r')
    assert wire.listen() == b""
    wire.send(b'\x08\x08"\r')
    assert wire.until_final() == ["OK"]
    assert len(wire.store.find(1, 0)[0].content) < 4096
    wire.send(b'AT%CMNG=0,2,0,"' + b"x" * 5000 + b'"\r\n')
    wire.cycle()
    assert wire.ask("AT") == ["OK"]


def test_a_shell_sends_back_what_it_hears():
    """The answer comes after the echo."""
    wire = Wire(application=replace(AT_CLIENT, echoes=True))
    wire.send(b"AT+CFUN?\r")
    assert wire.listen() == b"AT+CFUN?\r+CFUN: 0\r\nOK\r\n"


def test_lines_come_of_themselves_in_the_middle_of_answers():
    """Registration, connection state: before the final line."""
    wire = Wire(application=TRACKER)
    told = [wire.ask("AT+CGSN") for _ in range(3)]
    assert told == [
        [IMEI, '+CEREG: 5,"002F","0012BEEF",7', "OK"],
        [IMEI, "OK"],
        [IMEI, "+CSCON: 0", "OK"],
    ]


def test_booting_is_noisy_and_deaf():
    """The banner at once, the rest when it listens; a command sent before is lost."""
    wire = Wire(boot=False)
    wire.send(b"AT\r")
    assert wire.boot().splitlines() == [
        "*** Booting Zephyr OS build v2.6.99-ncs1 ***",
        "The AT host sample started",
    ]
    assert wire.passed == pytest.approx(Times().boot)
    assert wire.ask("AT") == ["OK"]


def test_a_slow_answer_costs_its_time_a_slice_at_a_time():
    """Nobody is kept in a read for longer than that."""
    wire = Wire(times=Times(list=60.0))
    before = wire.passed
    wire.send(b"AT\r")
    assert wire.listen(100) == b""
    assert wire.passed - before == pytest.approx(5.0)
    assert wire.until_final() == ["OK"]
    assert wire.passed - before == pytest.approx(60.0)


def test_an_answer_can_be_lost_though_the_thing_was_done():
    """Once; and a unit can fall silent for good."""
    wire = Wire(faults=Faults(loses_answer=3)).offline()
    wire.send(f'AT%CMNG=0,1,0,"{CA}"\r\n'.encode())
    assert wire.listen(40) == b""
    assert wire.listed() == {(1, 0): digest(CA)}
    wire = Wire(faults=Faults(mute_after=2)).offline()
    wire.send(b"AT\r")
    assert wire.listen(40) == b""


# --- which port -----------------------------------------------------------------------------


@pytest.mark.parametrize("application", APPLICATIONS.values(), ids=lambda each: each.name)
def test_the_other_port_talks_no_at(application):
    """A log, a trace, a shell that knows no AT, or nothing: never OK."""
    wire = Wire(application=application, contents={})
    for port in {0, 1} - {application.at_port}:
        wire.listen(40, port)
        wire.send(b"AT\r\n", port)
        said = wire.listen(40, port)
        assert b"OK" not in said
        assert (b"command not found" in said) == (application.console_is_shell and port == 0)


def test_a_firmware_that_passes_no_at_is_silent_about_it_on_both():
    """One port is its shell, which repeats what it hears; the other one says nothing."""
    wire = Wire(application=SILENT)
    wire.send(b"AT\r", 0)
    assert wire.listen(4, 0) == b"AT\r\nAT: command not found\r\nuart:~$ "
    wire.send(b"AT\r", 1)
    assert wire.listen(4, 1) == b""


# --- power ----------------------------------------------------------------------------------


def half(text: str) -> str:
    return digest(text[: len(text) // 2])


@pytest.mark.parametrize(
    ("torn", "left"), [(Torn.HALF, {(1, 0): half(CA)}), (Torn.NOTHING, {})], ids=lambda x: str(x)
)
def test_power_lost_in_a_write_leaves_half_an_entry_or_none(torn, left):
    """By the switch or by the plug; it comes back and lists what is left."""
    for lose in ("cycle", "pull"):
        wire = Wire(faults=Faults(torn=torn)).offline()
        wire.send(f'AT%CMNG=0,1,0,"{CA}"\r\n'.encode())
        wire.listen(2)
        getattr(wire, lose)()
        wire.boot()
        assert wire.listed() == left


def test_the_power_can_be_lost_in_the_nth_write():
    """Once in its life; it is off the bus then."""
    wire = Wire(faults=Faults(cut_in_write=2)).offline()
    assert wire.write(1, 0, CA) == "OK"
    wire.send(f'AT%CMNG=0,2,0,"{CA}"\r\n'.encode())
    with pytest.raises(Hang):
        wire.listen(40)
    assert wire.unit.away == Away(None)
    wire.unit.power_on()
    wire.boot()
    assert wire.listed() == {(1, 0): digest(CA), (2, 0): half(CA)}
    wire.offline().ask("AT%CMNG=3,2,0")
    assert wire.write(2, 0, CA) == "OK"


@pytest.mark.parametrize("after", range(1, 22))
def test_the_cable_can_slip_after_each_byte_of_a_command(after):
    """Nothing is written of what had not ended; then all is as before."""
    command = b'AT%CMNG=0,1,4,"who"\r\n'
    prelude = len(b"AT+CMEE=1\r\n" + b"AT+CFUN=4\r\n")
    wire = Wire(faults=Faults(unplugged_after=prelude + after)).offline()
    with pytest.raises(Hang):
        wire.send(command)
    wire.unit.power_on()
    wire.boot()
    ended = after >= len(command) - 1
    assert wire.offline().listed() == ({(1, 4): digest("w")} if ended else {})
    assert wire.write(2, 4, "who") == "OK"


def test_on_its_battery_it_stays_inside_the_quotes_while_the_cable_is_out():
    """The nRF91 does not see the cable; the switch is what helps."""
    wire = Wire(on_battery=True).offline()
    wire.send(b'AT%CMNG=0,1,0,"-----BEGIN')
    wire.pull()
    wire.send(b"\rAT\r")
    assert wire.listen() == b""
    assert wire.unit.modem.mode == 4
    wire.cycle()
    assert wire.ask("AT") == ["OK"]


@pytest.mark.parametrize(
    ("keeps", "flushed", "kept"),
    [
        (Keeps.AT_ONCE, False, True),
        (Keeps.FLUSHED, False, False),
        (Keeps.FLUSHED, True, True),
        (Keeps.NEVER, True, False),
    ],
)
def test_a_worn_store_shows_only_after_the_power_cycle(keeps, flushed, kept):
    """Listed right before, gone afterwards."""
    wire = Wire(faults=Faults(keeps=keeps)).offline()
    assert wire.write(1, 0, CA) == "OK"
    assert wire.listed() == {(1, 0): digest(CA)}
    if flushed:
        wire.ask("AT+CFUN=0")
    wire.cycle()
    assert wire.listed() == ({(1, 0): digest(CA)} if kept else {})


def test_a_firmware_can_rewrite_credentials_at_each_start():
    """Tags 1 and 2; what a technician put there is gone after a start."""
    wire = Wire(MFW_1_2_3, REWRITING, {(1, 0): CA, (1, 4): "who", (3, 0): CA})
    expected = {(1, 0): digest(rewritten(1)), (2, 0): digest(rewritten(2)), (3, 0): digest(CA)}
    assert wire.listed() == expected
    wire.offline()
    assert wire.write(1, 0, CA) == "OK"
    wire.cycle()
    assert wire.listed() == expected


def test_rewriting_on_an_empty_battery_is_how_tag_3_goes():
    """Case 5, from the inside: one start after the other."""
    wire = Wire(MFW_1_2_3, REWRITING, CASE_5, supply=Supply(battery=3040))
    assert not {(3, 0), (3, 1), (3, 2)} & set(wire.listed())
    fine = Wire(MFW_1_2_3, REWRITING, CASE_5)
    for _ in range(5):
        fine.cycle()
    assert {(3, 0), (3, 1), (3, 2)} <= set(fine.listed())


def test_the_warning_an_application_sets_guards_its_store():
    """From 1.3.2 on: offline and 528, said on the line once it listens."""
    wire = Wire(MFW_1_3_6, TRACKER, supply=Supply(battery=2950), boot=False)
    assert "%XPOFWARN: 1,30" in wire.boot()
    wire.ask("AT+CMEE=1")
    assert wire.write(1, 0, CA) == "+CME ERROR: 528"


# --- on USB, and kept -------------------------------------------------------------------------


def test_it_is_a_composite_device_with_two_serial_ports():
    """1915:910A as the reference has it; the bridge's builds for the first one say 9100."""
    told = Wire().unit.descriptors()
    assert told.device[8:12].hex() == "15190a91"
    kinds = [kind for _, kind in sorted(interfaces_of(told.configuration).items())]
    assert kinds == ["020201", "0a0000"] * 2
    assert told.strings[3].startswith("THINGY91_")
    assert Wire(board=THINGY91_BRIDGE).unit.descriptors().device[10:12].hex() == "0091"


def test_two_units_have_two_serials():
    """Made up, and the same in each run."""
    units = [Thingy(lambda _: None, imei) for imei in (IMEI, "352656100000017", IMEI)]
    serials = [unit.descriptors().strings[3] for unit in units]
    assert serials[0] == serials[2] != serials[1]


def test_words_it_has_no_button_for_are_refused():
    """With those it has."""
    with pytest.raises(ValueError, match="it has: reset, bootloader, bridge, bench, battery"):
        Wire().unit.press("dfu")


@pytest.mark.parametrize("moment", ["idle", "in quotes", "working", "booting", "away", "recovery"])
def test_another_process_may_go_on_with_it(moment):
    """Frozen as JSON in the middle of anything, thawed in a new unit."""
    one = Wire(application=TRACKER, contents=CASE_5, boot=moment != "booting")
    if moment not in ("booting",):
        one.offline()
    match moment:
        case "in quotes":
            one.send(b'AT%CMNG=0,1,0,"half')
        case "working":
            one.send(f'AT%CMNG=0,9,0,"{CA}"\r\n'.encode())
            one.listen(1)
        case "away":
            one.unit.press("bootloader")
        case "recovery":
            one.cycle("bootloader")
    kept = json.loads(json.dumps(one.unit.freeze()))
    other = Wire(application=TRACKER, boot=False)
    other.unit.thaw(kept)
    assert other.unit.freeze() == kept
    for wire in (one, other):
        if moment == "away":
            wire.unit.power_on()
        if wire.unit.mode is Mode.APPLICATION:
            if moment == "in quotes":
                wire.send(b'"\r')
            wire.listen(60)
    assert one.unit.freeze() == other.unit.freeze()
    assert one.unit.mode is other.unit.mode


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_each_scenario_is_what_it_says(scenario):
    """Its unit boots; the store is as the sentence tells."""
    (unit,) = scenario.units
    passed: list[float] = []
    made = unit.make(passed.append)
    wire = Wire(boot=False)
    wire.unit = made
    application = made.application
    assert application is not None
    wire.port = application.at_port or 0
    wire.boot()
    if application.at_port is None:
        wire.send(b"AT+CGSN\r")
        assert b"OK" not in wire.listen(20)
        return
    listed = wire.listed()
    expected = {
        "nrf91-healthy": digest(CASE_5[3, 1]),
        "case-5": None,
        "nrf91-brownout": None,
        "nrf91-half-written": half(CASE_5[3, 1]),
    }
    assert listed.get((3, 1)) == expected[scenario.name]
    assert {(3, 0), (3, 2), (1, 0), (2, 0)} <= set(listed)
    weak = int(wire.ask("AT%XVBAT")[0].split(" ")[1]) < 3300
    assert weak == (scenario.name == "nrf91-brownout")
