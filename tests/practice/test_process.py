"""The practice process, as a process: who uses it may die, what it simulates lives on."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from console import sockets
from console.clock import MachineClock
from console.errors import BadUsage, BenchError, NotPermitted, Refused, Silent, Unplugged
from console.events import Device
from console.hardware.lines import ControlLine
from console.practice import bus
from console.practice.bus import SWITCHED_OFF, PracticeBus
from console.practice.client import connect
from console.practice.place import Place

PACE = 0.05
GETSTATUS = (0xA1, 3, 0, 0, 6, 5.0)
SHORT_GETSTATUS = (0xA1, 3, 0, 0, 6, 0.2)
CLRSTATUS = (0x21, 4, 0, 0, b"", 5.0)
ERASE = (0x21, 1, 0, 0, bytes.fromhex("4100200000"), 5.0)
LEAVE = (0x21, 1, 0, 0, b"", 5.0)
AT_ENTRY, IDLE, BUSY = "0a0000000a00", "000000000200", "003200000400"
DNLOAD_IDLE = "000000000500"
LIMIT = 20.0


class Room:
    """One state directory, and the buses that programs have on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = MachineClock()
        self.buses: list[PracticeBus] = []
        self.lines: list[ControlLine] = []

    def bus(self, scenario: str = "core-blank-key") -> PracticeBus:
        self.buses.append(PracticeBus(scenario, self.root, self.clock, PACE))
        return self.buses[-1]

    def line(self, practice: PracticeBus) -> ControlLine:
        self.lines.append(practice.open_control(practice.scan()[0]))
        return self.lines[-1]

    def process(self) -> int:
        """The process id, which is in no message: it is that of the socket's other end."""
        with contextlib.closing(sockets.connect(Place(self.root).socket())) as connected:
            peer = connected.getsockopt(sockets.socket.SOL_SOCKET, sockets.socket.SO_PEERCRED, 12)
        return int.from_bytes(peer[:4], sys.byteorder)


class Watcher:
    """What a bus told, one at a time."""

    def __init__(self, practice: PracticeBus) -> None:
        self._told: queue.Queue[tuple[list[str], str]] = queue.Queue()
        practice.watch(self._seen)

    def _seen(self, devices: tuple[Device, ...], state: str) -> None:
        self._told.put(([device.pid for device in devices], state))

    def next(self) -> tuple[list[str], str]:
        return self._told.get(timeout=LIMIT)


@pytest.fixture
def room(tmp_path):
    """A state directory whose process is ended afterwards."""
    room = Room(tmp_path / "state")
    yield room
    for opened in (*room.lines, *room.buses):
        opened.close()
    bus.stop(room.root)


def test_the_process_is_started_when_it_is_needed_and_once(room):
    """Four programs at the same moment, one process."""
    found: queue.Queue[str] = queue.Queue()
    programs = [
        threading.Thread(target=lambda: found.put(room.bus().scan()[0].visit)) for _ in range(4)
    ]
    for program in programs:
        program.start()
    for program in programs:
        program.join(LIMIT)
    assert sorted(found.queue) == ["practice-1"] * 4


def test_a_line_through_the_process_does_what_one_in_this_process_does(room):
    """Answers, stalls, alternate settings."""
    line = room.line(room.bus())
    assert line.read(*GETSTATUS).hex() == AT_ENTRY
    with pytest.raises(Refused) as refused:
        line.write(*ERASE)
    line.select(0, 1)
    line.write(*CLRSTATUS)
    assert (refused.value.code, line.read(*GETSTATUS).hex()) == ("stall", IDLE)


def test_a_second_program_is_told_who_holds_the_device(room):
    """By its process id; when the first lets go, the second may."""
    first, second = room.bus(), room.bus()
    line = room.line(first)
    with pytest.raises(NotPermitted, match=f"process {os.getpid()}"):
        room.line(second)
    line.close()
    assert eventually(lambda: room.line(second)).read(*GETSTATUS).hex() == AT_ENTRY


def eventually(act):
    """The process hears of a closed line a moment after it was closed."""
    last = None
    for _ in range(200):
        try:
            return act()
        except NotPermitted as error:
            last = error
            threading.Event().wait(0.01)
    raise last


def test_a_program_that_is_killed_lets_go_and_heals_nothing(room):
    """Killed between the erase and its second GETSTATUS; the next one finds it there."""
    room.bus().scan()
    script = (
        "import sys; from pathlib import Path; from console.clock import MachineClock;"
        "from console.practice.bus import PracticeBus;"
        "b = PracticeBus('core-blank-key', Path(sys.argv[1]), MachineClock());"
        "line = b.open_control(b.scan()[0]);"
        f"line.write(*{CLRSTATUS}); line.write(*{ERASE}); line.read(*{GETSTATUS});"
        "print('busy', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(room.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout.readline() == "busy\n"
        program.kill()
    line = eventually(lambda: room.line(room.bus()))
    assert line.read(*GETSTATUS).hex() == DNLOAD_IDLE


def test_a_hang_costs_its_timeout_and_nobody_else_waits(room):
    """Another connection is answered meanwhile; a pull ends the hang at once."""
    practice = room.bus("case-3")
    line = room.line(practice)
    line.write(*CLRSTATUS)
    line.write(*ERASE)
    assert line.read(*GETSTATUS).hex() == BUSY
    with pytest.raises(Silent) as silent:
        line.read(*SHORT_GETSTATUS)
    hanging: queue.Queue[BaseException] = queue.Queue()
    waiting = threading.Thread(target=lambda: hanging.put(raised(lambda: line.read(*GETSTATUS))))
    waiting.start()
    devices = practice.scan()
    bus.pull(room.root, room.clock)
    assert (silent.value.waited, [device.pid for device in devices]) == (0.2, ["607f"])
    assert isinstance(hanging.get(timeout=4.0), Unplugged)
    waiting.join(LIMIT)


def raised(act) -> BaseException:
    try:
        act()
    except (Unplugged, Silent) as error:
        return error
    raise AssertionError("nothing was raised")


def test_every_change_reaches_who_watches(room):
    """Pulled, plugged in, sent into DFU by its buttons, and back by itself."""
    watcher = Watcher(room.bus())
    told = [watcher.next()]
    bus.pull(room.root, room.clock)
    told.append(watcher.next())
    bus.plug(room.root, room.clock)
    told.append(watcher.next())
    bus.press(room.root, room.clock, "dfu")
    told += [watcher.next(), watcher.next()]
    assert [pids for pids, _ in told] == [["607f"], [], ["607d"], [], ["607f"]]


def test_a_device_that_leaves_comes_back_by_itself(room):
    """Under the name of its application, and the old line reaches nothing."""
    practice = room.bus()
    watcher = Watcher(practice)
    watcher.next()
    line = room.line(practice)
    line.write(*CLRSTATUS)
    line.write(*LEAVE)
    line.read(*GETSTATUS)
    assert [watcher.next()[0], watcher.next()[0]] == [[], ["607d"]]
    with pytest.raises(Unplugged):
        line.read(*GETSTATUS)


def test_what_was_switched_off_goes_on_where_it_was(room):
    """The same visit, the same state; watching resumes when somebody switches it on."""
    practice = room.bus()
    watcher = Watcher(practice)
    watcher.next()
    room.line(practice).write(*CLRSTATUS)
    assert bus.stop(room.root)
    dark = watcher.next()
    nothing = practice.scan()
    line = room.line(room.bus())
    practice.scan()
    assert (dark, nothing) == (([], SWITCHED_OFF), ())
    assert (line.read(*GETSTATUS).hex(), watcher.next()[0]) == (IDLE, ["607f"])


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_ended_is_started_again_with_the_same_devices(room, by):
    """Watchers are told, and see the same visit a moment later."""
    practice = room.bus()
    watcher = Watcher(practice)
    watcher.next()
    bus.pull(room.root, room.clock)
    bus.plug(room.root, room.clock)
    before = practice.scan()
    watcher.next(), watcher.next()
    os.kill(room.process(), by)
    assert [watcher.next()[0], watcher.next()[0]] == [[], ["607d"]]
    assert practice.scan() == before


def test_the_end_of_a_login_does_not_end_it(room):
    """SIGHUP and Ctrl-C are no power loss, and its session is its own."""
    practice = room.bus()
    practice.scan()
    process = room.process()
    os.kill(process, signal.SIGHUP)
    os.kill(process, signal.SIGINT)
    assert (room.process(), len(practice.scan())) == (process, 1)
    assert os.getsid(process) != os.getsid(0)


def test_it_ends_by_itself_when_nobody_needs_it(room):
    """Its devices are kept; here after a fraction of the ten minutes."""
    room.root.mkdir()
    words = ["--state", str(room.root), "--scenario", "core-app", "--idle", "0.1"]
    ended = subprocess.run(
        [sys.executable, "-m", "console.practice", *words], timeout=LIMIT, check=False
    )
    assert (ended.returncode, bus.status(room.root)) == (0, None)
    assert '"core-app"' in Place(room.root).kept.read_text()


def test_one_place_practises_one_scenario_at_a_time(room):
    """The other is named, and nothing is done to it."""
    room.bus("case-3").scan()
    with pytest.raises(BenchError, match='"case-3", not "core-app"'):
        room.bus("core-app").scan()


def test_hands_are_told_what_they_cannot_do(room):
    """The board's own words come through the socket."""
    with pytest.raises(BadUsage, match="Nothing has been practised"):
        bus.plug(room.root, room.clock)
    room.bus().scan()
    with pytest.raises(BadUsage, match="plugged in already"):
        bus.plug(room.root, room.clock)
    with pytest.raises(BadUsage, match="dfu, reset"):
        bus.press(room.root, room.clock, "bootsel")


def test_starting_over_is_the_scenarios_beginning(room):
    """After a pull: the first visit, in DFU mode again."""
    room.bus().scan()
    bus.pull(room.root, room.clock)
    bus.start_over(room.root)
    device = room.bus().scan()[0]
    assert (device.visit, device.pid) == ("practice-1", "607f")


def test_a_record_that_cannot_be_read_is_put_aside(room):
    """The practice begins anew; the file stays for whoever wants to know."""
    room.root.mkdir()
    Place(room.root).kept.write_text('{"scenario": "core-blank-key", "visits": ')
    assert room.bus().scan()[0].visit == "practice-1"
    assert (room.root / "practice.unreadable").exists()


def test_nonsense_is_answered_and_harms_nothing(room):
    """An unknown command, a transfer without a device."""
    room.bus().scan()
    with connect(room.root) as process:
        for words in ({"do": "fly"}, {"do": "transfer"}, {"do": "open"}):
            with pytest.raises(BadUsage):
                process.ask(**words)
    assert bus.status(room.root)["scenario"] == "core-blank-key"


def test_what_it_keeps_belongs_to_this_user_alone(room):
    """It holds keys, made up as they are."""
    room.bus().scan()
    bus.pull(room.root, room.clock)
    modes = [path.stat().st_mode & 0o077 for path in (room.root, Place(room.root).kept)]
    assert modes == [0, 0]
