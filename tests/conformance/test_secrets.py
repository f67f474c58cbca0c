"""The canary: a secret that was typed, or brought along, is in no file, no reply, no repr."""

from __future__ import annotations

import base64

import pytest

from console.bench import Bench
from console.errors import Refused
from console.events import Verdict
from console.families import Family, Mode
from console.flow import Flow, Kind, Outcome, Question, Step
from console.practice.local import InProcessBus
from console.run import Request
from console.state import State
from tests.harness import Technician, VirtualClock

CANARY = "kanarienvogel-4711"
PIN = Question("pin", Kind.SECRET, "The PIN?")
USE = Step("use", "Use the PIN")


def _uses_pin(guide):
    guide.step(USE, len, guide.ask(PIN), found=lambda length: f"{length} characters")
    return Outcome(Verdict.NO_FAULT, "The PIN was used.")


def _fails_with_pin(guide):
    pin = guide.ask(PIN)

    def refuse():
        raise Refused("The card said no.", code="6982")

    guide.step(USE, refuse)
    return Outcome(Verdict.NO_FAULT, pin)


def _breaks_with_pin(guide):
    raise RuntimeError(f"a mistake of ours that quotes {guide.ask(PIN)}")


FAMILY = Family(
    "canary",
    "A family that asks for a secret",
    (Mode("dfu", "1d50", "607f", "Practice unit", "DFU"),),
    tuple(
        Flow(name, name, "", (USE,), perform, (PIN,))
        for name, perform in (
            ("uses", _uses_pin),
            ("fails", _fails_with_pin),
            ("breaks", _breaks_with_pin),
        )
    ),
)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("flow", ["uses", "fails", "breaks"])
def test_a_secret_is_in_no_file_whatever_becomes_of_the_run(tmp_path, capfd, flow, typed):
    """Typed at the question or brought along; used, refused, or quoted by a mistake of ours."""
    clock = VirtualClock()
    state = State(tmp_path, "core-healthy")
    state.prepare()
    bus = InProcessBus("core-healthy", clock)
    bench = Bench(state, bus, clock, (FAMILY,))
    technician = Technician(bench, bus, {"pin": CANARY, "retry": "stop"})
    told = []
    bench.start()
    bench.listen(technician.hear)
    bench.listen(lambda message: told.append(repr(message)))
    answers = {} if typed else {"pin": CANARY}
    request = Request(f"canary.{flow}", "1-1", answers, attended=True)
    run = bench.open_run(request)
    technician.ended.get(timeout=30)
    bench.stop("test over")
    said = "".join(capfd.readouterr()) + "".join(told) + repr(request)
    spelled = (CANARY.encode(), base64.b64encode(CANARY.encode()), CANARY.encode().hex().encode())
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert state.journal(run) in files
    assert b"(given)" in files[state.journal(run)]
    assert [path for path, data in files.items() if any(s in data for s in spelled)] == []
    assert CANARY not in said
