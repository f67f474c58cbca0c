"""What is handed over of hostile devices: pages, Markdown, tickets, with nothing injected.

The same runs are made twice, once with hostile words and once with tame ones: whatever is built
from tags, attributes or Markdown's constructs must be the same both times.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from console.chapter import read_whole
from console.hardware.simulated import Scenario, Unit
from console.jobs import arrivals
from console.letters import cells, harmless
from console.report import export, export_job
from console.ticket import ticket
from tests.harness import Workshop, workshop
from tests.hostile.simulator import HOSTILE, HostileUsb
from tests.hostile.texts import TEXTS, must_be_harmless

TAME = Scenario(
    "hostile",
    "Devices that say nothing in particular.",
    tuple(Unit(unit.port, lambda _: HostileUsb("a", "b", "c")) for unit in HOSTILE.units),
)
TURNS = ("R", "AL", "AN")


def a_day(shop: Workshop, say) -> None:
    """A check of every device, for a job with notes and files; `say` gives the words."""
    desk, shop.technician.willing = shop.bench.desk, False  # nothing is asked
    desk.open_job("2243", say("markdown"), say("html"))
    for number, name in enumerate(TEXTS, start=1):
        run = shop.run("generic.check", f"1-{number}", by=say(name)).run
        shop.bench.note(run, say(name), say("rich"))
        desk.note_job("2243", say(name), say("html"))
    for name in TEXTS:
        file = shop.state.job_inbox("2243") / f"f{name}{say(name)[:40]}".replace("/", " ")
        file_name = file.name.replace("\0", "").encode("utf-8", "replace").decode()
        (file.parent / file_name).write_bytes(b"1")
    shop.bench.look_again()


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """The hostile day and the tame one."""
    with (
        workshop(tmp_path_factory.mktemp("hostile"), HOSTILE) as hostile,
        workshop(tmp_path_factory.mktemp("tame"), TAME) as tame,
    ):
        a_day(hostile, TEXTS.__getitem__)
        a_day(tame, lambda _: "tame")
        yield hostile.state, tame.state


@cache
def papers(state, fmt):
    """Every run's report, and the job's."""
    alone = [export(state, run, fmt).decode() for run in state.run_ids()]
    return [*alone, export_job(state, "2243", fmt).decode()]


class Page(HTMLParser):
    """The elements with their attributes, and the text with the elements that it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self._inside: list[str] = []
        self.feed(html)
        self.close()
        assert self._inside == []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self._inside.append(tag)
        if tag != "bdi":
            self.elements.append((tag, tuple(attrs)))

    def handle_endtag(self, tag):
        assert self._inside.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._inside[-1] if self._inside else "", data))

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        assert decl == "doctype html"


def test_a_page_has_the_elements_that_we_wrote_and_no_others(days):
    """The same ones, in the same order, with the same attributes."""
    for evil, tame in zip(papers(days[0], "html"), papers(days[1], "html"), strict=True):
        must_be_harmless(evil)
        assert Page(evil).elements == Page(tame).elements


def test_letters_that_run_to_the_left_are_kept_apart(days):
    """A name in Hebrew does not turn the serial beside it."""
    page = Page(export(days[0], "5", "html").decode())
    turning = [
        (inside, text)
        for inside, text in page.texts
        if any(unicodedata.bidirectional(sign) in TURNS for sign in text)
    ]

    assert len(turning) > 5
    assert {inside for inside, _ in turning} <= {"bdi", "title"}


def test_a_page_shows_every_word_as_it_was_said(days):
    """Escaped, not taken out."""
    for number, text in enumerate(TEXTS.values(), start=1):
        shown = " ".join(
            " ".join(part for _, part in Page(papers(days[0], "html")[number - 1]).texts).split()
        )
        assert " ".join(harmless(text[:40]).split()) in shown


def constructs(text: str) -> list[str]:
    """What Markdown makes of it: the kinds of everything but the text itself."""
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        found.append(f"{token.type} {token.tag} {token.nesting}")
        for inner in token.children or ():
            if inner.type not in ("text", "text_special"):
                found.append(f"{inner.type} {inner.content if inner.type == 'code_inline' else ''}")
    return found


def test_markdown_is_built_of_what_we_wrote_and_nothing_else(days):
    """No link, image, code, table, heading, list or HTML comes out of a name."""
    for evil, tame in zip(papers(days[0], "md"), papers(days[1], "md"), strict=True):
        must_be_harmless(evil)
        assert constructs(evil) == constructs(tame)


def test_markdown_shows_every_word_as_it_was_said(days):
    """A reader of the rendered text reads what the device said."""
    for number, text in enumerate(TEXTS.values(), start=1):
        tokens = MarkdownIt("commonmark").parse(papers(days[0], "md")[number - 1])
        inline = [inner for token in tokens for inner in token.children or ()]
        shown = "".join(" " if inner.type == "softbreak" else inner.content for inner in inline)
        assert " ".join(harmless(text[:40]).split()) in " ".join(shown.split())


def test_a_ticket_has_forty_lines_of_78_cells_at_most(days):
    """Wide letters take two cells."""
    for run in days[0].run_ids():
        lines = ticket(read_whole(days[0], run)[1].records).splitlines()

        assert 5 < len(lines) <= 40
        assert max(cells(line) for line in lines) <= 78
        must_be_harmless("\n".join(lines), kept="\n")


def test_files_with_hostile_names_are_told_by_names_that_can_be_shown(days):
    """One line each."""
    names = [file.name for file in arrivals(days[0], "2243")]

    assert len(names) == len(TEXTS)
    must_be_harmless("|".join(names), kept="")
