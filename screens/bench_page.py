"""The bench as lines of text: the table, the device in hand, and what happened lately.

The rule: pure; a snapshot and a size go in. No decision about a device is made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from console.cards import DeviceCard, FlowCard
from console.errors import NotPermitted
from console.views import DeviceView, Lately, Row, RunView, clock_of
from screens.lines import Style
from screens.run_page import pull_line
from screens.snapshot import Snapshot
from screens.words import (
    around,
    both_ends,
    fit,
    line,
    paragraph,
    rule,
    window,
    wrap,
)

LATELY = 4
"""Lines of the past; each line more costs its bytes at every hotplug, since all move down."""

STYLE_OF_MARK = {"!": Style.CARE, "?": Style.CARE, "~": Style.GOOD}

PRACTICE_HINT = "replug --practice core-blank-key"
EMPTY = (
    "Nothing is plugged in. Plug a device in: it is named here at once, and nothing is sent to it.",
    "It does not show up although it is plugged in: d tells how to wake it with its buttons.",
    f"No device at hand: p opens practice hardware, the same as: {PRACTICE_HINT}",
)
EMPTY_PRACTICE = (
    "Nothing is plugged in on this practice bench.",
    "x plugs the device of the chosen port in again, or pulls it out.",
)


@dataclass(frozen=True)
class BenchLook:
    """What the technician looks at: the chosen port, the pane in hand, how far it is scrolled."""

    port: str = ""
    pane: str = "table"
    offset: int = 0


def header(shot: Snapshot, width: int) -> Text:
    """Who and where; how many wait for the technician, how many run."""
    practice = line((f" PRACTICE {shot.practice} ", Style.CHOSEN)) if shot.practice else Text("")
    left = Text.assemble(line((" REPLUG  ", Style.STRONG)), practice, line(f" {shot.host}"))
    turns = shot.your_turns
    turn = f"YOUR TURN: {turns}   " if turns else ""
    return both_ends(left, f"{turn}running {len(shot.open_runs)}", width)


def clock(shot: Snapshot, width: int) -> Text:
    """When something last happened (it does not tick), and whether all is well."""
    words = f"{clock_of(shot.bench.at)} {shot.state_in_words} "
    style = Style.DANGER if shot.troubles else Style.PLAIN
    return line((words.rjust(width), style))


def bench_lines(shot: Snapshot, look: BenchLook, width: int, height: int) -> list[Text]:
    """The page below the header."""
    troubles = [text for words in shot.troubles for text in _trouble(words, width)]
    table = max(4, min(len(shot.rows), height // 3))
    detail = height - len(troubles) - table - LATELY - 4
    chosen = shot.device(look.port)
    where = _port_words(chosen) if chosen else "what to do"
    below = window(_detail(shot, chosen, width), detail, _offset(look, "detail"))
    return [
        rule(width, chosen=look.pane == "table"),
        *troubles,
        _table_head(width),
        *_padded(_table(shot, look, width, table), table),
        rule(width, where, look.pane == "detail"),
        *_padded(below, detail),
        rule(width, "lately", look.pane == "lately"),
        *window(_lately(shot, width), LATELY, _offset(look, "lately")),
    ]


def _offset(look: BenchLook, pane: str) -> int:
    return look.offset if look.pane == pane else 0


def _padded(lines: list[Text], height: int) -> list[Text]:
    return [*lines, *(Text("") for _ in range(height - len(lines)))]


def _trouble(words: str, width: int) -> list[Text]:
    return paragraph(words, width, " ! ", Style.DANGER, "   ")


# --- the table ----------------------------------------------------------------------------


def _table_head(width: int) -> Text:
    return line((_columns(width, "  ", "PORT", "DEVICE", "IS NOW", "JOB", "  NEXT"), Style.PALE))


def _columns(width: int, number: str, port: str, name: str, shown: str, job: str, then: str) -> str:
    rest = fit(name, width - 45) + " " + fit(shown, 10) + " " + fit(job, 5) + " "
    return (f" {number} " + fit(port, 11) + " " + rest + fit(then, 13)).rstrip()


def _table(shot: Snapshot, look: BenchLook, width: int, height: int) -> list[Text]:
    rows = shot.rows
    chosen = next((at for at, row in enumerate(rows) if row.port == look.port), 0)
    first = around(len(rows), height, chosen)
    return [_row(row, row.port == look.port, width) for row in rows[first : first + height]]


def _row(row: Row, chosen: bool, width: int) -> Text:
    number = f">{row.number}" if chosen else f" {row.number}"
    port = row.label or f"port {row.port}"
    then = row.next if len(row.next) <= 11 else "see below"
    name = row.name if row.here or row.mark != "." else row.name
    words = _columns(width, number.rjust(2), port, name, row.shown, row.job, f"{row.mark} {then}")
    style = Style.STRONG if chosen else STYLE_OF_MARK.get(row.mark, Style.PLAIN)
    return line((words, style))


# --- the device in hand --------------------------------------------------------------------


def _port_words(device: DeviceView) -> str:
    return device.label or f"port {device.port}"


def _detail(shot: Snapshot, device: DeviceView | None, width: int) -> list[Text]:
    if device is None:
        words = EMPTY_PRACTICE if shot.practice else EMPTY
        return [text for sentence in words for text in paragraph(sentence, width)]
    run = shot.run_at(device.port)
    card = shot.cards.get(device.port)
    return [
        *_who(device, card, width),
        *_not_permitted(device, width),
        *(_its_run(run, width) if run else ()),
        *(_flows(card, width) if card and not run else ()),
    ]


def _who(device: DeviceView, card: DeviceCard | None, width: int) -> list[Text]:
    since = clock_of(device.since, seconds=True)
    shown = f"{device.shown or 'here'} since" if device.here else "unplugged at"
    about = card.about if card and device.here else ""
    ids = f"{device.vid}:{device.pid}  {device.maker}  {device.speed}".strip()
    return [
        *paragraph(f"{device.name}, {shown} {since}. {about}", width, style=Style.STRONG),
        *(_entry("USB", ids, width)),
        *(_entry("Next", device.next, width) if device.here else ()),
    ]


def _entry(head: str, words: str, width: int) -> list[Text]:
    return paragraph(words, width, f" {head:<12} ", rest=" " * 14) if words.strip() else []


def _not_permitted(device: DeviceView, width: int) -> list[Text]:
    closed = [node for node in device.nodes if not node.may_open]
    said = [f"{node.path} may not be opened: {node.why}" for node in closed]
    advice = [NotPermitted.advice_by_default] if closed else []
    return [text for words in (*said, *advice) for text in _trouble(words, width)]


def _its_run(run: RunView, width: int) -> list[Text]:
    said = run.said[-1].sentence if run.said else ""
    return [
        *_entry(f"Run {run.run}", f"{run.title}. Enter opens it.", width),
        *pull_line(run, width),
        *_entry("Lately", said, width),
    ]


def _flows(card: DeviceCard, width: int) -> list[Text]:
    if not card.flows:
        return paragraph("No flow is offered for it.", width)
    return [text for number, flow in enumerate(card.flows, 1) for text in _flow(number, flow, width)]


def _flow(number: int, flow: FlowCard, width: int) -> list[Text]:
    head = paragraph(f"{flow.title}. {flow.about}", width, f" f {number} ", rest=" " * 5)
    ready = "  ".join(flow.ready)
    return [
        *head,
        *_entry("  Have ready", ready, width),
        *_entry("  Hands", flow.hands, width),
        *_entry("  Keeps", flow.keeps, width),
    ]


# --- the past -----------------------------------------------------------------------------


def _lately(shot: Snapshot, width: int) -> list[Text]:
    since, until = shot.away
    away = f" You were away {clock_of(since, True)} - {clock_of(until, True)} (line dropped)."
    lines = [_happened(past, width) for past in reversed(shot.bench.lately)]
    return [line((away, Style.CARE)), *lines] if since else lines


def _happened(past: Lately, width: int) -> Text:
    port = fit(f"port {past.port}" if past.port else "", 11)
    words = f" {clock_of(past.at, True)}  {port} {past.text}"
    return line(wrap(words, 10_000, "")[0] if not port.strip() else fit(words, width).rstrip())
