"""The bench as lines of text: the table, the device in hand, and what happened lately.

The rule: pure; a snapshot and a size go in. No decision about a device is made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from console.errors import NotPermitted
from console.offers import DeviceCard, FlowCard
from console.views import DeviceView, JobView, Lately, Row, RunView, clock_of, matching
from screens.cut import Cut, cut
from screens.flow_page import flow_words
from screens.lines import Style
from screens.run_page import pull_line, trouble_lines
from screens.snapshot import Snapshot
from screens.words import (
    both_ends,
    clamp,
    fit,
    line,
    paragraph,
    port_words,
    rule,
    window,
)

LATELY = 3
"""Lines of the past. They do not move: moving them would cost each its bytes at every hotplug."""

YOURS = "?!"
"""Marks of rows that wait for the technician."""
STYLE_OF_MARK = {"!": Style.CARE, "?": Style.CARE, "~": Style.GOOD}

PRACTICE_HINT = "replug --practice core-blank-key"
EMPTY = (
    "Nothing is plugged in. Plug a device in: it is named here at once, and nothing is sent to it.",
    "It does not show up although it is plugged in: d finds out why, rung by rung.",
    f"No device at hand: p opens practice hardware, the same as: {PRACTICE_HINT}",
)
EMPTY_PRACTICE = (
    "Nothing is plugged in on this practice bench.",
    "x plugs the device of the chosen port in again, or pulls it out.",
    "One is plugged in and not shown? d finds out why, rung by rung.",
)


@dataclass(frozen=True)
class BenchLook:
    """What the technician looks at: the chosen port, the pane in hand, how far it is scrolled.

    Only rows that have the words of `find` are shown.
    """

    port: str = ""
    pane: str = "table"
    offset: int = 0
    find: str = ""


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


def shown_rows(shot: Snapshot, look: BenchLook) -> tuple[Row, ...]:
    """The rows of the table, as far as they are looked for."""
    return matching(shot.rows, shot.bench, look.find) if look.find else shot.rows


def bench_lines(shot: Snapshot, look: BenchLook, width: int, height: int) -> list[Text]:
    """The page below the header."""
    troubles = [text for words in shot.troubles for text in trouble_lines(words, width)]
    table = max(4, min(len(shot.rows), height // 3))
    detail = height - len(troubles) - table - LATELY - 4
    chosen, run = shot.device(look.port), shot.run_at(look.port)
    named = chosen is not None and chosen.label
    where = f"{named} (port {look.port})" if named else port_words(look.port)
    nothing = not shown_rows(shot, look)
    where = "what to do" if nothing else where
    told = _not_found(look, width) if nothing and look.find else _detail(shot, chosen, run, width)
    below = window(told, detail, _offset(look, "detail"))
    return [
        rule(width, _find_words(shot, look), chosen=look.pane == "table"),
        *troubles,
        _table_head(width),
        *_padded(_table(shot, look, width, table), table),
        rule(width, where, look.pane == "detail"),
        *_padded(below, detail),
        rule(width, "lately (> is the newest)", look.pane == "lately"),
        *_padded(_lately(shot, look, width), LATELY),
    ]


def _find_words(shot: Snapshot, look: BenchLook) -> str:
    found, of = len(shown_rows(shot, look)), len(shot.rows)
    return f"{found} of {of} with: {look.find} (Esc shows all)" if look.find else ""


def _not_found(look: BenchLook, width: int) -> list[Text]:
    words = f'Nothing here has "{look.find}" in its port, label, device, serial or job.'
    return [*paragraph(words, width), *paragraph("Esc shows everything again.", width)]


def _offset(look: BenchLook, pane: str) -> int:
    return look.offset if look.pane == pane else 0


def _padded(lines: list[Text], height: int) -> list[Text]:
    return [*lines, *(Text("") for _ in range(height - len(lines)))]


# --- the table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Widths:
    """Cells of each column; the device has what the others leave."""

    port: int
    name: int
    job: int
    next: int

    @classmethod
    def of(cls, width: int) -> _Widths:
        """At 80 columns a label like "front right" and a job like "WO-22408" are whole."""
        spare = width - 80
        port = max(8, min(PORT + spare // 4, 16))
        job = max(5, min(JOB + spare // 8, 16))
        then = max(NEXT, NEXT + spare // 3)
        return cls(port, max(4, width - 3 - SHOWN - port - job - then - 4), job, then)


PORT, SHOWN, JOB, NEXT = 11, 10, 8, 12
"""Cells at 80 columns. A port's own width grows up to 16."""


def _table_head(width: int) -> Text:
    heads = _columns(width, "  ", "PORT", "DEVICE", "IS NOW", "JOB", "  NEXT")
    return line((heads, Style.PALE))


def _columns(width: int, number: str, port: str, name: str, shown: str, job: str, then: str) -> str:
    cells = _Widths.of(width)
    words = (
        number,
        fit(port, cells.port),
        fit(name, cells.name),
        fit(shown, SHOWN),
        fit(job, cells.job),
        fit(then, cells.next),
    )
    return fit(" ".join(words), width).rstrip()


def _name(row: Row, width: int) -> str:
    """What it is and its serial: that tells two alike apart, so it stays whole if it can."""
    what, _, serial = row.name.rpartition("  ")
    known = row.here and what and 0 < cell_len(serial) <= width // 2
    if cell_len(row.name) <= width or not known:
        return row.name
    return f"{fit(what, width - cell_len(serial) - 1)} {serial}"


def _table(shot: Snapshot, look: BenchLook, width: int, height: int) -> list[Text]:
    rows = shown_rows(shot, look)
    chosen = next((at for at, row in enumerate(rows) if row.port == look.port), 0)
    part = cut(len(rows), height, chosen)
    table = [_row(row, row.port == look.port, width) for row in rows[part.first : part.end]]
    hidden = (*rows[: part.first], *rows[part.end :])
    return [*table, _more(part, hidden, width)] if part.hidden else table


def _more(part: Cut, hidden: tuple[Row, ...], width: int) -> Text:
    """How many rows are not shown, and which of them wait for the technician."""
    waiting = [f"{row.mark} on {_place(row)}" for row in hidden if row.mark in YOURS]
    words = ", ".join((f"   {part.more()}", *waiting))
    for left in range(1, len(waiting)):
        if cell_len(words) <= width:
            break
        some = (*waiting[:-left], f"{left} more wait")
        words = ", ".join((f"   {part.more()}", *some))
    return line((fit(words, width).rstrip(), Style.CARE if waiting else Style.PALE))


def _place(row: Row) -> str:
    return port_words(row.port, row.label)


def _row(row: Row, chosen: bool, width: int) -> Text:
    number = f">{row.number}" if chosen else f" {row.number}"
    cells = _Widths.of(width)
    then = row.next if row.run or cell_len(row.next) <= cells.next - 2 else "see below"
    name, what = _name(row, cells.name), f"{row.mark} {then}"
    words = _columns(width, number.ljust(2), _place(row), name, row.shown, row.job, what)
    style = Style.STRONG if chosen else STYLE_OF_MARK.get(row.mark, Style.PLAIN)
    return line((words, style))


# --- the device in hand --------------------------------------------------------------------


def _detail(
    shot: Snapshot, device: DeviceView | None, run: RunView | None, width: int
) -> list[Text]:
    if device is None and run is not None:
        return [*paragraph(run.name, width, style=Style.STRONG), *_its_run(run, width)]
    if device is None:
        words = EMPTY_PRACTICE if shot.practice else EMPTY
        return [text for sentence in words for text in paragraph(sentence, width)]
    card = shot.cards.get(device.port)
    ids = f"{device.vid}:{device.pid}  {device.maker}  {device.product}  {device.speed}"
    return [
        *_who(device, card, width),
        *_job(shot, device.job, width),
        *_not_permitted(device, width),
        *(_its_run(run, width) if run else ()),
        *(_offers(card, width) if card and not run else ()),
        *_entry("USB", ids, width),
        *(text for slot in device.cards if slot.atr for text in _entry("ATR", slot.atr, width)),
    ]


def _who(device: DeviceView, card: DeviceCard | None, width: int) -> list[Text]:
    """What changes with a hotplug stands on a short line of its own: it costs bytes."""
    since = clock_of(device.since, seconds=True)
    here = f" {device.shown or 'here'} since {since}"
    away = f" AWAY since {since}. It was:"
    about = card.about if card else ""
    return [
        line((f" {' '.join(device.name.split())}", Style.STRONG)),
        line(here) if device.here else line((away, Style.CARE)),
        *paragraph(about, width),
        *([line((f" {device.mark.upper()}. m clears it.", Style.CARE))] if device.mark else []),
        *_entry("Begun", device.begun, width),
        *_entry("Next", device.next, width),
    ]


def _job(shot: Snapshot, job: str, width: int) -> list[Text]:
    """What came for the job of what sits here, and how more of it is sent."""
    if not job:
        return []
    files = shot.jobs.get(job, JobView(job)).files
    last = f", last {files[-1].name}, {files[-1].size} bytes" if files else ""
    count = f"{len(files) or 'no'} file{'' if len(files) == 1 else 's'}"
    send = shot.sends.get(job, "")
    return [
        *_entry("Job", f"{job}; its inbox has {count}{last}.", width),
        *_entry("Send it", send, width),
    ]


def _entry(head: str, words: str, width: int) -> list[Text]:
    return paragraph(words, width, f" {head:<10} ", rest=" " * 12) if words.strip() else []


def _not_permitted(device: DeviceView, width: int) -> list[Text]:
    said = [f"{node.path} may not be opened: {node.why}" for node in device.closed]
    advice = [NotPermitted.advice_by_default] if said else []
    return [text for words in (*said, *advice) for text in trouble_lines(words, width)]


def _its_run(run: RunView, width: int) -> list[Text]:
    said = run.said[-1].sentence if run.said else ""
    return [
        *_entry(f"Run {run.run}", f"{run.title}. Enter opens it.", width),
        *pull_line(run, width),
        *_entry("Lately", said, width),
    ]


def _offers(card: DeviceCard, width: int) -> list[Text]:
    """Each flow on one line, by the word it is called; then what each needs."""
    if not card.flows:
        return paragraph("No flow is offered for it.", width)
    names = flow_words(card.flows)
    room = max(map(len, names))
    numbered = tuple(
        (str(at) if at < 10 else " ", name, flow)
        for at, (name, flow) in enumerate(zip(names, card.flows, strict=True), start=1)
    )
    short = [
        line(fit(f" f {n} {fit(name, room)}  {f.title}. {f.about}", width).rstrip())
        for n, name, f in numbered
    ]
    return [*short, *(text for _, name, f in numbered for text in _needs(name, f, width))]


def _needs(name: str, flow: FlowCard, width: int) -> list[Text]:
    return [
        *paragraph(f"{name}: {flow.title}. {flow.about}", width),
        *_entry("Have ready", "  ".join(flow.ready), width),
        *_entry("Hands", flow.hands, width),
        *_entry("Keeps", flow.keeps, width),
    ]


# --- the past -----------------------------------------------------------------------------


def _lately(shot: Snapshot, look: BenchLook, width: int) -> list[Text]:
    """Newest first while the pane is in hand; otherwise a new line takes the oldest one's place."""
    past, cells = shot.bench.lately, _Widths.of(width).port
    if look.pane == "lately":
        first = clamp(look.offset, len(past), LATELY)
        return [_happened(shot, one, width, cells) for one in past[::-1][first : first + LATELY]]
    places, count = [Text("") for _ in range(LATELY)], shot.bench.happened
    for age, one in enumerate(past[: -LATELY - 1 : -1]):
        places[(count - age - 1) % LATELY] = _happened(shot, one, width - 8, cells, newest=age == 0)
    return places


def _happened(shot: Snapshot, past: Lately, width: int, cells: int, newest: bool = False) -> Text:
    mark = ">" if newest else " "
    port = fit(port_words(past.port, shot.label(past.port)), cells) + " " if past.port else ""
    return line(fit(f"{mark}{clock_of(past.at, True)}  {port}{past.text}", width).rstrip())


def welcome_back(shot: Snapshot) -> str:
    """What to say first to somebody whose line was dropped; "" if it was not."""
    since, until = shot.away
    if not since:
        return ""
    happened = sum(since < past.at <= until for past in shot.bench.lately)
    count = f"{happened} lines under lately are new." if happened else "Nothing happened meanwhile."
    return f"You were away {clock_of(since, True)} - {clock_of(until, True)}. {count}"
