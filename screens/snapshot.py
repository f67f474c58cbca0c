"""What every screen looks at: one frozen picture of the bench, its runs and its devices' cards.

The rule: frozen and complete. A screen draws from the newest one and remembers nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from console.events import PlannedStep
from console.offers import DeviceCard, FlowCard, QuestionCard
from console.picture import Progress
from console.state import State
from console.views import BenchView, DeviceView, JobView, Row, RunView, rows

if TYPE_CHECKING:
    from console.run import Request

NOT_SHOWN = ""
"""The port of a device that does not appear; what can be done with it has a card too."""


@dataclass(frozen=True)
class Snapshot:
    """`cards` are by port; `away` is since when and until when this screen's line was dropped.

    `jobs` are what was said of the jobs of what is here, `sends` how each is sent a file.
    """

    bench: BenchView = field(default_factory=BenchView)
    runs: Mapping[str, RunView] = field(default_factory=dict)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    cards: Mapping[str, DeviceCard] = field(default_factory=dict)
    host: str = ""
    practice: str = ""
    trouble: str = ""
    gone: str = ""
    away: tuple[str, str] = ("", "")
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    sends: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Row, ...]:
        return rows(self.bench, self.runs)

    @property
    def open_runs(self) -> tuple[RunView, ...]:
        return tuple(run for run in self.runs.values() if run.ended is None)

    @property
    def your_turns(self) -> int:
        return sum(run.your_turn for run in self.open_runs)

    @property
    def state_in_words(self) -> str:
        """ "ok", or the one word that sends the eyes to the trouble line."""
        return "TROUBLE" if self.troubles else "ok"

    @property
    def troubles(self) -> tuple[str, ...]:
        buses = tuple(words for words in self.bench.troubles.values() if words)
        return tuple(words for words in (self.gone, self.trouble, *buses) if words)

    def device(self, port: str) -> DeviceView | None:
        return self.bench.at_port(port)

    def label(self, port: str) -> str:
        """What the technician calls the port; "" while it has no name."""
        device = self.device(port)
        return device.label if device else ""

    def port_named(self, words: str) -> str:
        """The port with that label, or the words as they are."""
        named = (device.port for device in self.bench.devices if device.label == words != "")
        return next(named, words)

    def run_at(self, port: str) -> RunView | None:
        return next((run for run in self.open_runs if run.port == port), None)


class Feed(Protocol):
    """Where snapshots come from, and where wishes go. See follower.py for the real one.

    ask() and start_run() wait for the bench: never call them on the screen's own thread.
    """

    state: State
    by: str

    def begin(self, show: Callable[[Snapshot], object]) -> None:
        """From now on call `show` with each newest snapshot, from another thread."""

    def ask(self, do: str, **fields: Any) -> Any:
        """What the bench answers. Raises ConsoleError."""

    def start_run(self, request: Request) -> str:
        """Start a run; its id. Raises ConsoleError."""

    def end(self) -> None:
        """Say goodbye to the bench."""


def card_from(fields: Mapping[str, Any]) -> DeviceCard:
    """A device's card as it comes over the link."""
    flows = tuple(_flow_from(flow) for flow in fields["flows"])
    return DeviceCard(**{**fields, "flows": flows})


def _flow_from(fields: Mapping[str, Any]) -> FlowCard:
    plan = tuple(PlannedStep(**step) for step in fields["plan"])
    questions = tuple(
        QuestionCard(**{**question, "choices": tuple(question["choices"])})
        for question in fields["questions"]
    )
    ready = tuple(fields["ready"])
    return FlowCard(**{**fields, "plan": plan, "questions": questions, "ready": ready})
