"""What the ladder decides, by table: who came, what the kernel's lines mean, the verdict."""

from __future__ import annotations

import pytest

from console.events import Device
from console.families import DeadEnd, Family, Mode
from console.hardware.kernel import KernelLog, about
from console.rungs import (
    BUTTONS,
    KERNEL,
    KNOWN_GOOD,
    LOOK,
    NO_HUB,
    OTHER_CABLE,
    OTHER_HOST,
    OTHER_PORT,
    QUESTIONS,
    RUNGS,
    Findings,
    Found,
    Said,
    Sight,
    Who,
    behind_a_hub,
    in_socket,
    kernel_found,
    outcome,
    ports_of,
    who_came,
)

SCALE = Family(
    "scale", "Scales", (Mode("app", "0a0a", "0001", "Scale", "app"),), (), dead=DeadEnd(lost="Bin.")
)
GOOD = Device("1-1", "v1", "046d", "c077", product="Mouse")
TWIN = Device("1-1", "v2", "0a0a", "0001", "S1")
NAMELESS = Device("1-1", "v3", "0a0a", "0001")
SHOWS, NOTHING, SKIP, NEEDLESS = Said


def again(device: Device) -> Device:
    """The same unit at a later visit."""
    return Device("1-2", "v9", device.vid, device.pid, device.serial, device.product)


@pytest.mark.parametrize(
    ("came", "good", "facts", "who"),
    [
        (GOOD, None, {"good_awaited": True}, Who.KNOWN_GOOD),
        (GOOD, None, {"good_awaited": True, "any_kind": True, "ours": True}, Who.KNOWN_GOOD),
        (TWIN, None, {"good_awaited": True, "ours": True}, Who.UNSURE),
        (GOOD, None, {}, Who.STRANGER),
        (again(GOOD), GOOD, {}, Who.KNOWN_GOOD),
        (again(GOOD), GOOD, {"good_is_here": True}, Who.STRANGER),
        (TWIN, GOOD, {"ours": True}, Who.PATIENT),
        (again(TWIN), TWIN, {"ours": True}, Who.KNOWN_GOOD),
        (again(NAMELESS), NAMELESS, {"ours": True}, Who.UNSURE),
        (again(NAMELESS), NAMELESS, {"ours": True, "good_is_here": True}, Who.PATIENT),
        (again(GOOD), GOOD, {"ours": True, "any_kind": True}, Who.KNOWN_GOOD),
        (TWIN, GOOD, {"ours": True, "any_kind": True}, Who.PATIENT),
    ],
)
def test_who_came(came, good, facts, who):
    """In doubt a person is asked; what is none of the family is never taken for the dead one."""
    plain = {"ours": False, "any_kind": False, "good_awaited": False, "good_is_here": False}

    assert who == who_came(came, good, **plain | facts)


def test_a_path_tells_of_a_hub_and_a_socket_has_two_halves():
    """1-1.4 is port 4 of the hub in 1-1; USB 2 and 3 count apart."""
    blue = Device("2-1", "v", "0781", "5583", sibling="1-1")

    assert (behind_a_hub("1-1.4"), behind_a_hub("1-1")) == (True, False)
    assert (in_socket(blue, "1-1"), in_socket(blue, "1-2")) == (True, False)


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("usb 1-1: device descriptor read/64, error -71", "nonsense"),
        ("usb 1-1: device descriptor read/64, error -110", "did not answer in time"),
        ("usb 1-1: device descriptor read/all, error -32", "refused"),
        ("usb 1-1: device not accepting address 5, error -71", "did not take the address"),
        ("usb usb1-port1: unable to enumerate USB device", "gave up"),
        ("usb usb1-port1: over-current condition", "short circuit"),
        ("usb usb1-port1: disabled by hub (EMI?), re-enabling...", "switched the port off"),
        ("usb usb1-port1: cannot enable. Maybe the USB cable is bad?", "cable or hub"),
        ("usb 1-1: device not responding to setup address.", "does not respond"),
    ],
)
def test_each_of_the_kernels_complaints_has_a_meaning_and_is_kept_as_it_was(line, meaning):
    """The sentence for the technician, the line for support."""
    seen = kernel_found(KernelLog((line,)), "1-1")

    assert any(meaning in words for words in seen.meanings)
    assert f"kernel: {line}" in seen.found.lines
    assert bool(seen.danger) == ("over-current" in line)


def test_a_port_that_saw_nothing_come_is_evidence_and_a_log_that_is_closed_is_none():
    """No attempt at all: contact, power, a cable that only charges."""
    left = KernelLog(("usb 1-1: USB disconnect, device number 4",))
    closed = kernel_found(KernelLog(trouble="This user may not."), "1-1")
    came = kernel_found(KernelLog(("usb 1-1: new full-speed USB device number 4",)), "1-1")

    assert "only charges" in kernel_found(KernelLog(), "1-1").found.lines[0]
    assert "nothing came since it was unplugged" == kernel_found(left, "1-1").found.words
    assert "nothing came on port 1-1" == kernel_found(KernelLog(), "1-1").found.words
    assert (Said.SKIP, ()) == (closed.found.said, closed.found.proof)
    assert ("This user may not.",) == closed.meanings
    assert "no trouble on port 1-1" == came.found.words
    assert "no trouble on any port" == kernel_found(KernelLog(), "").found.words


def test_without_a_port_the_faults_of_any_port_are_told_with_their_ports():
    """Nobody knows where it sits: the kernel may."""
    log = (
        "usb 1-1: new full-speed USB device number 4",
        "usb 1-1.4: device descriptor read/64, error -71",
        "usb 1-2: SerialNumber: OF-ANOTHER-CUSTOMER",
        "usb usb1-port3: over-current condition",
    )
    found = about("", log)

    assert (log[1], log[3]) == found
    assert ("1-1.4",) == ports_of(found)
    assert "on port 1-1.4" in kernel_found(KernelLog(found), "").found.words


@pytest.mark.parametrize("count", [1, 4])
def test_trouble_is_told_in_a_few_words(count):
    """They stand beside the step's title, on a page that names the port."""
    faults = tuple(f"usb 1-{n}: device descriptor read/64, error -71" for n in range(1, count + 1))
    here, anywhere = (kernel_found(KernelLog(faults), port).found.words for port in ("1-1", ""))

    assert here == ("4 lines of trouble" if count == 4 else "1 line of trouble")
    assert anywhere.endswith("of trouble on port 1-1" + (" and 3 others" if count == 4 else ""))
    nameless = kernel_found(KernelLog(("usb usb1-port1: cannot enable.",)), "").found.words
    assert "a line tells of trouble on a port not named" == nameless


def test_what_is_skipped_or_not_needed_was_left_out():
    """What was tried in vain was not."""
    left_out = {said: Found(NO_HUB, said, "").was_left_out() for said in Said}

    assert {SHOWS: False, NOTHING: False, SKIP: True, NEEDLESS: True} == left_out


# --- verdicts ---------------------------------------------------------------------------------


def found(**said: Said) -> Findings:
    """Findings by the rungs' ids; those not named were not reached."""
    rungs = {rung.step.id: rung for rung in RUNGS}
    return Findings(tuple(Found(rungs[name], what, name) for name, what in said.items()))


ALL = {
    "look": NOTHING,
    "kernel": SHOWS,
    "known_good": SHOWS,
    "other_port": NOTHING,
    "no_hub": NEEDLESS,
    "buttons": NOTHING,
    "other_host": NOTHING,
}


def test_when_all_was_done_in_vain_it_is_beyond_repair_with_the_evidence():
    """And not before."""
    end = outcome(SCALE, found(**ALL), None)

    assert ("beyond repair", "Bin.", "does not enumerate") == (end.verdict, end.advice, end.damage)
    assert "does not enumerate" in end.sentence
    assert len(ALL) - 1 == len(end.proof)


@pytest.mark.parametrize(
    "left_out", ["known_good", "other_port", "no_hub", "buttons", "other_host"]
)
def test_one_rung_left_out_is_not_beyond_repair(left_out):
    """It says which."""
    end = outcome(SCALE, found(**ALL | {left_out: SKIP}), None)
    rung = next(rung for rung in RUNGS if rung.step.id == left_out)

    assert "unfinished" == end.verdict
    assert f"Not every rung was done: {rung.short}." in end.sentence
    assert end.damage is None


def test_a_known_good_device_that_does_not_show_needs_the_other_cable_too():
    """Port or cable, that is the question."""
    end = outcome(SCALE, found(**ALL | {"known_good": NOTHING}), None)

    assert "unfinished" == end.verdict
    assert "another cable in that port" in end.sentence
    assert ("Its port or its cable is faulty.",) == end.to_do


def test_a_dead_device_on_a_faulty_port_is_dead_and_the_port_is_to_be_mended():
    """Another computer has shown the one, the known-good device the other."""
    end = outcome(SCALE, found(**ALL | {"known_good": NOTHING, "other_cable": NOTHING}), None)

    assert "beyond repair" == end.verdict
    assert ("Its port is faulty, or what is behind it.",) == end.to_do


def test_what_shows_at_another_computer_has_its_cause_here():
    """Whatever else was left out."""
    end = outcome(SCALE, found(other_host=SHOWS), None)

    assert "cause elsewhere" == end.verdict
    assert "another computer" in end.sentence


def test_a_claim_that_this_bench_did_not_see_settles_nothing():
    """It is to be seen here."""
    end = outcome(SCALE, found(**ALL | {"buttons": SHOWS}), None)

    assert "unfinished" == end.verdict
    assert "this bench does not see it" in end.sentence
    assert "replug run scale.check" in end.advice


def sight(rung, port="1-2", was="1-1", **facts) -> Sight:
    return Sight(rung, "Scale (0a0a:0001)", port, was, **facts)


@pytest.mark.parametrize(
    ("seen", "said", "verdict", "why"),
    [
        (sight(LOOK), {}, "no fault found", "It does show"),
        (sight(KNOWN_GOOD), {}, "no fault found", "loose contact"),
        (sight(OTHER_CABLE), {"known_good": NOTHING}, "cause elsewhere", "its cable"),
        (sight(OTHER_PORT), {"known_good": SHOWS}, "no fault found", "not settled"),
        (
            sight(OTHER_PORT),
            {"known_good": NOTHING, "other_cable": SHOWS},
            "cause elsewhere",
            "was its cable",
        ),
        (
            sight(OTHER_PORT),
            {"known_good": NOTHING, "other_cable": NOTHING},
            "cause elsewhere",
            "was port 1-1",
        ),
        (sight(OTHER_PORT), {"known_good": SKIP}, "cause elsewhere", "was not tried"),
        (sight(OTHER_PORT, "1-1"), {"known_good": SHOWS}, "cause elsewhere", "its cable"),
        (sight(NO_HUB), {"known_good": SHOWS}, "cause elsewhere", "the hub"),
        (sight(BUTTONS), {"known_good": SHOWS}, "no fault found", "buttons woke it"),
    ],
)
def test_what_shows_is_to_be_checked_and_why_it_did_not_is_said(seen, said, verdict, why):
    """Never "repaired": nothing was repaired."""
    end = outcome(SCALE, found(**said), seen)

    assert verdict == end.verdict
    assert why in end.sentence
    assert f"on port {seen.port}" in end.sentence
    assert f"Now check it: replug run scale.check {seen.port}" == end.advice


def test_what_shows_in_a_guise_is_a_fault_that_was_found():
    """The family's own words for it; for what nobody knows, the generic check."""
    rom = Mode("rom", "0483", "df11", "ROM", "ROM", "It starts its ROM.", "Free BOOT0.")
    known = outcome(SCALE, found(), sight(LOOK, known=False, guise=rom))
    strange = outcome(SCALE, found(), sight(OTHER_PORT, known=False))

    assert ("unfinished", "Free BOOT0.") == (known.verdict, known.advice)
    assert "It starts its ROM." in known.sentence
    assert "none of the modes" in strange.sentence
    assert strange.advice.endswith("replug run generic.check 1-2")


def test_every_rung_that_asks_says_what_it_is_called_when_it_was_not_done():
    """Two rungs ask nobody."""
    assert {LOOK, KERNEL} == {rung for rung in RUNGS if not rung.ask}
    assert all(rung.short for rung in RUNGS if rung.ask)
    assert {OTHER_HOST.step.id, "which"} <= set(QUESTIONS)
