"""The ladder climbed on practice hardware: each way in which it can end."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from console.errors import BadUsage, GateClosed
from console.events import Answered, DeviceJudged, Told
from console.families import found
from console.families.particle.simulator import Mode, ParticleBoard, SparkCore
from console.families.particle.simulator_rows import PHOTON
from console.hardware.kernel import KernelLog
from console.hardware.simulated import (
    Descriptors,
    PlainDevice,
    Scenario,
    Unit,
    configuration_descriptor,
    device_descriptor,
    interface_descriptor,
    plain_mouse,
)
from console.history import view_of
from console.journal import replay
from console.report import FORMATS, export
from console.run import Request
from console.ticket import ticket
from tests.harness import workshop

A, B = "54ff72066667515108311467", "55ff6e065075555340261787"
PULL, PLUG, PRESS = "pull", "plug", "press"


def core(identity=A, **options):
    return lambda pause: SparkCore(pause, identity, **options)


def rom(_pause):
    """An STM32 that starts its ROM."""
    parts = (interface_descriptor(0, 0, (0xFE, 1, 2), 0),)
    return PlainDevice(
        Descriptors(
            device_descriptor(vid=0x0483, pid=0xDF11, release=0x2200),
            configuration_descriptor(parts, 1),
            {1: "STMicroelectronics", 2: "STM32  BOOTLOADER"},
        )
    )


def bench(*units, **options) -> Scenario:
    """Units, each (port, make); none is plugged in but those whose port begins with "+"."""
    made = tuple(Unit(port.lstrip("+"), make, port.startswith("+")) for port, make in units)
    return Scenario("bench", "A bench.", made, **options)


class Hands:
    """Does what a script says at each question: deeds on the bus, then an answer or none."""

    def __init__(self, shop, script) -> None:
        self._shop = shop
        self._script = {name: list(deeds) for name, deeds in script.items()}
        self._seen = set()
        shop.technician.willing = False
        shop.bench.listen(self._hear)

    def _hear(self, message) -> None:
        view = self._shop.bench.runs().get(message.get("run", ""))
        asked = view.question if view else None
        if asked is None or (view.run, asked.number) in self._seen:
            return
        self._seen.add((view.run, asked.number))
        for deed in self._script.get(asked.id, ["skip"]):
            self._do(view.run, asked.id, deed)

    def _do(self, run, question, deed) -> None:
        match deed:
            case str():
                self._shop.bench.answer(run, question, deed, "hands")
            case ("stop",):
                self._shop.bench.stop_run(run, "hands")
            case (what, *ports):
                getattr(self._shop.bus, what)(*ports)


@contextmanager
def climbed(
    tmp_path, scenario, flow="particle.check", port="1-1", attended=True, answers=None, **script
):
    """The view of one climb, its events, and the workshop."""
    with workshop(tmp_path, scenario) as shop:
        Hands(shop, script)
        request = Request(flow, port, answers or {}, not_shown=True, attended=attended, by="test")
        run = shop.bench.open_run(request)
        assert shop.technician.ended.get(timeout=60) == run
        events = [record.event for record in replay(shop.state.journal(run)).records]
        yield view_of(shop.state, run), events, shop


MOUSE_IN = [(PULL, "1-1"), (PLUG, "1-1", "1-2")]
"""The mouse that lies at 1-2 goes where the dead one was."""
ELSEWHERE = [(PULL, "1-1"), (PLUG, "1-2")]
"""The dead one, which lies at 1-2 since, is plugged in there."""


def test_a_device_that_never_shows_is_beyond_repair_with_the_evidence(tmp_path):
    """The mouse was seen by the bench itself; the kernel's lines are in the proof."""
    script = {
        "known_good": MOUSE_IN,
        "other_port": [*ELSEWHERE, "nothing"],
        "buttons": [(PRESS, "dfu", "1-2"), "nothing"],
        "other_host": ["nothing"],
    }
    with climbed(tmp_path, "core-dead", **script) as (view, events, shop):
        proof = "\n".join(view.ended.proof)

        assert ("beyond repair", "does not enumerate") == (view.verdict, view.ended.damage)
        assert "USB Optical Mouse (046d:c077) shows on port 1-1" in proof
        assert "kernel: usb 1-1: device descriptor read/64, error -71" in proof
        assert "Another computer: nothing came, you said" in proof
        assert Answered("known_good", "shows", "the bus") in events
        assert ["x", "x", "x", "-", "x", "-", "x", "x"] == [step.mark for step in view.plan]
        assert [] == shop.bus.sent


def test_the_kernels_new_complaints_on_another_port_are_evidence_too(tmp_path):
    """The same failure elsewhere: it is the device."""
    script = {"known_good": MOUSE_IN, "other_port": [*ELSEWHERE, "nothing"]}
    with climbed(tmp_path, "core-dead", **script) as (view, _, _shop):
        assert any("kernel: usb 1-2: device descriptor" in line for line in view.ended.proof)


def test_a_faulty_port_is_found_by_the_known_good_device(tmp_path):
    """It does not show there, with any cable; the patient does elsewhere."""
    script = {
        "known_good": [*MOUSE_IN, "nothing"],
        "other_cable": ["nothing"],
        "other_port": ELSEWHERE,
    }
    with climbed(tmp_path, "core-bad-port", **script) as (view, events, _):
        assert "cause elsewhere" == view.verdict
        assert "The cause was port 1-1" in view.ended.sentence
        assert "Now check it: replug run particle.check 1-2" == view.ended.advice
        assert ("Its port is faulty, or what is behind it.",) == view.ended.to_do
        assert "1-2" == view.port
        assert [True] == [e.taken for e in events if isinstance(e, DeviceJudged)]


def test_a_faulty_cable_is_told_from_a_faulty_port(tmp_path):
    """The known-good device shows with another one."""
    scenario = bench(("1-1", core()), ("1-2", plain_mouse))
    script = {
        "known_good": ["nothing"],
        "other_cable": [(PLUG, "1-1", "1-2")],
        "other_port": [(PLUG, "1-2")],
    }
    with climbed(tmp_path, scenario, **script) as (view, _, _shop):
        assert ("cause elsewhere", "1-2") == (view.verdict, view.port)
        assert "The cause was its cable." in view.ended.sentence


def test_a_hub_is_seen_in_the_ports_path_and_found_guilty(tmp_path):
    """It does not show in another port of the hub, and shows straight in the machine."""
    scenario = bench(
        ("+1-1.4", core()), ("1-2", plain_mouse), bad_ports={"1-1.4": 110, "1-1.3": 110}
    )
    script = {
        "other_port": ["nothing"],
        "no_hub": [(PULL, "1-1.4"), (PLUG, "1-2", "1-1.4")],
    }
    with climbed(tmp_path, scenario, port="1-1.4", **script) as (view, _, _shop):
        assert "cause elsewhere" == view.verdict
        assert "The cause was the hub" in view.ended.sentence
        assert any("-110: it did not answer in time" in line for line in view.ended.proof)


def test_no_hub_in_the_path_needs_no_question(tmp_path):
    """1-1 is the machine's own."""
    with climbed(tmp_path, "core-dead") as (view, events, _):
        assert "no hub in between: port 1-1" in [step.found for step in view.steps]
        assert "no_hub" not in [getattr(event, "question", "") for event in events]


def test_a_device_that_its_buttons_wake_is_not_dead(tmp_path):
    """It shows in another mode: its bootloader."""
    script = {
        "known_good": MOUSE_IN,
        "other_port": [*ELSEWHERE, "nothing"],
        "buttons": [(PRESS, "dfu", "1-2")],
    }
    with climbed(tmp_path, "core-hidden", **script) as (view, _, shop):
        assert "no fault found" == view.verdict
        assert "Spark Core in DFU mode (1d50:607f) on port 1-2" in view.ended.sentence
        assert "Its buttons woke it" in view.ended.sentence
        assert "1d50:607f" == f"{view.device.vid}:{view.device.pid}"
        assert " " == view.steps[-1].mark
        assert [] == shop.bus.sent


def test_a_device_that_comes_while_another_was_asked_for_ends_the_ladder_too(tmp_path):
    """It is of the patient's kind: a person says which of the two it is."""
    scenario = bench(("1-1", core()), ("1-2", plain_mouse))
    script = {"known_good": [(PLUG, "1-1")], "which": ["patient"]}
    with climbed(tmp_path, scenario, **script) as (view, _, _shop):
        assert "no fault found" == view.verdict
        assert "a loose contact" in view.ended.sentence


def test_a_known_good_device_of_the_patients_kind_is_told_from_it(tmp_path):
    """Its serial is known from then on; the other one is the patient."""
    scenario = bench(("1-1", core(A)), ("1-2", core(B)))
    script = {
        "known_good": [(PLUG, "1-1", "1-2")],
        "which": ["other"],
        "other_port": [(PULL, "1-1"), (PLUG, "1-1"), (PLUG, "1-2")],
    }
    with climbed(tmp_path, scenario, **script) as (view, _, _shop):
        assert ("no fault found", A) == (view.verdict, view.device.serial)
        assert "is not settled" in view.ended.sentence


def test_a_known_good_device_in_another_port_proves_nothing(tmp_path):
    """It is told where it is wanted."""
    script = {"known_good": [(PLUG, "1-2"), "skip"]}
    with climbed(tmp_path, "core-dead", **script) as (view, _, _shop):
        assert any("It came on port 1-2; it is asked for on 1-1." in s.sentence for s in view.said)
        assert "a known-good device in its port and cable" in view.ended.sentence


def test_one_that_shows_already_on_its_port_ends_it_at_once(tmp_path):
    """Nothing is asked."""
    with climbed(tmp_path, "core-app", attended=False) as (view, events, _):
        assert "no fault found" == view.verdict
        assert view.ended.sentence.startswith("It does show: Spark Core with its firmware")
        assert [] == [event for event in events if isinstance(event, Answered)]


@pytest.mark.parametrize(
    ("answer", "verdict"), [("patient", "no fault found"), ("other", "unfinished")]
)
def test_one_of_its_kind_in_another_port_may_be_it(tmp_path, answer, verdict):
    """Only a person can tell."""
    scenario = bench(("+1-3", core(mode=Mode.DFU)))
    with climbed(tmp_path, scenario, which=[answer]) as (view, _, _shop):
        assert verdict == view.verdict


def test_where_nobody_tells_which_it_is_it_is_not_taken(tmp_path):
    """And that is said."""
    scenario = bench(("+1-3", core()))
    with climbed(tmp_path, scenario, attended=False) as (view, _, _shop):
        assert "unfinished" == view.verdict
        assert any("nobody says that it is ours" in said.sentence for said in view.said)


def test_something_unknown_on_its_port_may_be_the_device_in_a_guise(tmp_path):
    """Then it is a fault that was found, and what it is has its own check."""
    with climbed(tmp_path, bench(("+1-1", plain_mouse)), which=["patient"]) as (view, _, _shop):
        assert "unfinished" == view.verdict
        assert "none of the modes it should have" in view.ended.sentence
        assert "replug run generic.check 1-1" in view.ended.advice


def test_the_chips_own_bootloader_is_known_to_the_family(tmp_path):
    """A guise: none of its modes, and not dead."""
    with climbed(tmp_path, bench(("+1-1", rom))) as (view, _, _shop):
        assert "unfinished" == view.verdict
        assert "BOOT0" in view.ended.sentence
        assert "Free BOOT0" in view.ended.advice


def test_a_stranger_that_comes_for_the_patient_may_be_it_if_a_person_says_so(tmp_path):
    """It is judged first, and not touched."""
    scenario = bench(("1-1", plain_mouse))
    script = {"other_port": [(PLUG, "1-1")], "buttons": ["skip"]}
    with workshop(tmp_path, scenario) as shop:
        Hands(shop, script)
        run = shop.bench.open_run(Request("particle.check", "1-2", not_shown=True, attended=True))
        while not any("hold to be dead" in s.sentence for s in shop.bench.runs()[run].said):
            pass
        shop.bench.answer(run, "other_port", "shows", "test")
        assert shop.technician.ended.get(timeout=60) == run
        view = view_of(shop.state, run)

    assert "unfinished" == view.verdict
    assert "none of the modes it should have" in view.ended.sentence


def test_a_photon_is_of_the_family_as_well(tmp_path):
    """Any mode of any of its boards."""
    scenario = bench(("1-2", lambda pause: ParticleBoard(pause, A, PHOTON)))
    with climbed(tmp_path, scenario, other_port=[(PLUG, "1-2")]) as (view, _, _shop):
        assert "Photon with its firmware (2b04:c006) on port 1-2" in view.ended.sentence


def test_another_computer_that_shows_it_makes_this_one_the_cause(tmp_path):
    """That answer is a person's alone."""
    with climbed(tmp_path, "core-dead", other_host=["shows"]) as (view, _, _shop):
        assert ("cause elsewhere", "done") == (view.verdict, view.ended.reason)


def test_rungs_that_were_skipped_leave_it_unfinished(tmp_path):
    """Whatever the others found."""
    with climbed(tmp_path, "core-dead", known_good=MOUSE_IN) as (view, _, _shop):
        assert "unfinished" == view.verdict
        assert "Not every rung was done: another port, its buttons, another computer. " in (
            view.ended.sentence
        )
        assert "Its port and its cable work." in view.ended.sentence


def test_a_rung_that_was_skipped_or_not_needed_is_not_marked_as_done(tmp_path):
    """In the plan, in the report and in the ticket alike; and it is behind us all the same."""
    with climbed(tmp_path, "core-dead", other_port=["nothing"]) as (view, _, shop):
        handed_over = export(shop.state, view.run, "md").decode()
        short = ticket(replay(shop.state.journal(view.run)).records)

    assert ["x", "x", "-", "-", "x", "-", "-", "-"] == [step.mark for step in view.plan]
    assert 7 == view.done  # the other cable was left out of the plan itself
    assert "3. `-` A known\\-good device in that port, that cable: not done" in handed_over
    assert " - 3 A known-good device in that port, that cable: not done" in short
    assert " - 6 The dead one without a hub: no hub in between: port 1-1" in short
    assert " \\- 3 A known\\-good device" in handed_over
    assert " x 3 A known" not in handed_over


def test_shows_is_not_believed_where_the_bus_would_show_it(tmp_path):
    """It is said, and asked anew."""
    script = {"known_good": ["shows", "nothing"], "other_cable": ["nothing"]}
    with climbed(tmp_path, "core-dead", **script) as (view, events, _):
        told = [e.sentence for e in events if isinstance(e, Told)]
        assert any("I would see it myself" in sentence for sentence in told)
        assert "nothing came, you said" == view.steps[2].found


def test_an_empty_answer_leaves_no_rung_out(tmp_path):
    """Enter alone is no word; skip is one."""
    script = {"known_good": ["", "nothing"], "other_cable": ["nothing"]}
    with climbed(tmp_path, "core-dead", **script) as (view, events, _):
        told = [e.sentence for e in events if isinstance(e, Told)]
        assert "One of: shows, nothing, skip." in told
        assert "nothing came, you said" == view.steps[2].found


def test_the_time_of_each_rung_is_limited(tmp_path):
    """Nobody came for ten minutes a rung: not done, and the clock says so."""
    silent = {name: [] for name in ("known_good", "other_port", "buttons")}
    with climbed(tmp_path, "core-dead", **silent) as (view, events, shop):
        by_clock = [e for e in events if isinstance(e, Answered) and e.by == "the clock"]
        assert ["known_good", "other_port", "buttons"] == [event.question for event in by_clock]
        assert shop.clock.monotonic() >= 1000 + 3 * 600
        assert "unfinished" == view.verdict


def test_it_can_be_stopped_on_every_rung(tmp_path):
    """With nothing sent."""
    with climbed(tmp_path, "core-dead", buttons=[("stop",)]) as (view, _, shop):
        assert ("unfinished", "stopped") == (view.verdict, view.ended.reason)
        assert [] == shop.bus.sent


def test_where_nobody_sits_it_waits_for_nobody(tmp_path):
    """The answers brought along count as that; the rest is skipped."""
    answers = {"known_good": "shows", "buttons": "nothing"}
    with climbed(tmp_path, "core-dead", attended=False, answers=answers) as (view, _, shop):
        assert "unfinished" == view.verdict
        assert "it shows, you said; this bench did not see it" == view.steps[2].found
        assert shop.clock.monotonic() == 1000.0


def test_all_answers_brought_along_come_to_the_verdict(tmp_path):
    """A script may know all of it."""
    names = ("known_good", "other_cable", "other_port", "buttons", "other_host")
    answers = dict.fromkeys(names, "nothing")
    with climbed(tmp_path, "core-dead", attended=False, answers=answers) as (view, _, _shop):
        assert "beyond repair" == view.verdict


def test_a_device_nobody_knows_has_the_ladder_too(tmp_path):
    """What comes after the known-good device is it."""
    scenario = bench(("1-1", core()), ("1-2", plain_mouse))
    script = {
        "known_good": [(PLUG, "1-1", "1-2")],
        "other_port": [(PULL, "1-1"), (PLUG, "1-1"), (PLUG, "1-2")],
    }
    with climbed(tmp_path, scenario, "generic.check", **script) as (view, _, _shop):
        assert ("no fault found", "1-2") == (view.verdict, view.port)
        assert "replug run generic.check 1-2" in view.ended.advice


def test_without_a_port_every_port_counts(tmp_path):
    """The hub cannot be seen in a path that nobody named; it is asked for."""
    with climbed(tmp_path, "core-dead", port="") as (view, events, _):
        asked = [event.question for event in events if isinstance(event, Answered)]
        assert "no_hub" in asked
        assert "4 lines tell of trouble on port 1-1" == view.steps[1].found
        assert "it is not shown on any port" == view.steps[0].found


def test_without_a_port_what_else_is_here_is_named_to_the_technician_alone(tmp_path):
    """In what is handed over it is another device, also in the proof."""
    mice = bench(("+1-3", plain_mouse), ("1-2", core()))
    with climbed(tmp_path, mice, port="") as (view, _, shop):
        said = " ".join(said.sentence for said in view.said)
        assert "USB Optical Mouse (046d:c077) is here, on port 1-3." in said
        assert "None of what is here is as awaited." in said
        for fmt in FORMATS:
            told = export(shop.state, view.run, fmt).decode()
            assert ("Mouse" in told, "046d" in told, "another device" in told) == (
                False,
                False,
                True,
            )


def test_in_a_guest_the_host_is_the_first_suspect(tmp_path):
    """A device is attached to a guest by its host, anew in each of its modes."""
    with workshop(tmp_path, "core-dead") as shop:
        shop.bus.guest = True
        run = shop.bench.open_run(Request("particle.check", "1-1", not_shown=True))
        assert shop.technician.ended.get(timeout=60) == run
        said = [said.sentence for said in view_of(shop.state, run).said]

    assert any("its host must attach the device" in sentence for sentence in said)


def test_an_overloaded_port_is_a_warning_in_the_verdict(tmp_path):
    """Whoever goes on to the next port must have read it."""
    with workshop(tmp_path, "core-dead") as shop:
        log = KernelLog(("usb usb1-port1: over-current condition",))
        shop.bus.kernel_log = lambda port: log
        run = shop.bench.open_run(Request("particle.check", "1-1", not_shown=True))
        assert shop.technician.ended.get(timeout=60) == run
        view = view_of(shop.state, run)

    assert ("Its port was overloaded (over-current).",) == view.ended.warnings
    assert any("short circuit, bent pins" in said.advice for said in view.said)


def test_a_port_may_be_named_by_its_label_and_must_be_one(tmp_path):
    """What is marked hands off is not to be tried with."""
    with workshop(tmp_path, bench(("+1-1", plain_mouse), ("+1-2", plain_mouse))) as shop:
        shop.bench.desk.label("1-4", "back left", "test")
        shop.bench.desk.mark("1-2", hands_off=True, by="test")
        run = shop.bench.open_run(Request("particle.check", "back left", not_shown=True))
        assert "1-4" == (shop.technician.ended.get(timeout=60) and view_of(shop.state, run).port)
        with pytest.raises(BadUsage, match="no port banana"):
            shop.bench.open_run(Request("particle.check", "banana", not_shown=True))
        with pytest.raises(GateClosed, match="hands off"):
            shop.bench.open_run(Request("particle.check", "1-2", not_shown=True))


def test_every_family_says_what_to_do_with_its_dead():
    """Sentences, for a person who has the device in hand."""
    for family in found():
        words = (*family.dead.signs, *family.dead.buttons, family.dead.lost)
        assert all(sentence[0].isupper() for sentence in words), family.name
        assert all(guise.about and guise.next for guise in family.dead.guises), family.name
