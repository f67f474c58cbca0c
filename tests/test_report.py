"""What the technician hands over: the journal's own bytes, or a page made of them."""

from __future__ import annotations

import hashlib
import json
import stat
from html.parser import HTMLParser

import pytest

from console.errors import BadUsage, TornJournal
from console.events import (
    Answered,
    ArtefactKept,
    Device,
    DeviceJudged,
    Event,
    Noted,
    PlannedStep,
    RunEnded,
    RunStarted,
    StepDone,
    StepStarted,
    Told,
    Warned,
)
from console.journal import Journal, read_lines
from console.report import FORMATS, SHOWN, export, export_files, export_job_files, resolve_run
from console.state import State
from tests.harness import VirtualClock, workshop

PEM = b"-----BEGIN PUBLIC KEY-----\nMIGf<MA0>&\n-----END PUBLIC KEY-----\n"
SECRET = b"-----BEGIN RSA PRIVATE KEY----- the vault's own"
CORE = Device("1-1", "v", "1d50", "607f", "6D70", "Spark Core")


def run_of(*events: Event, **started: str) -> tuple[Event, ...]:
    first = RunStarted(
        "1", "core.rekey", "New key", CORE, "Core 6D70", (PlannedStep("a", "Look"),), "0.1"
    )
    return (RunStarted(**{**vars(first), **started}), *events)


@pytest.fixture
def state(tmp_path) -> State:
    made = State(tmp_path / "state")
    made.prepare()
    return made


def journal_of(state: State, *events: Event, run: str = "1") -> bytes:
    state.run(run).mkdir()
    journal = Journal(state.journal(run), VirtualClock())
    for event in events:
        journal.append(event)
    journal.close()
    return state.journal(run).read_bytes()


def kept(state: State, name: str, data: bytes, place: str = "run") -> ArtefactKept:
    folder = state.vault if place == "vault" else state.artefacts("1")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return ArtefactKept(name, place, hashlib.sha256(data).hexdigest(), len(data), "A key.")


class Page(HTMLParser):
    """What a browser makes of it: the tags, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def page(state: State) -> str:
    return export(state, "1", "html").decode()


# --- jsonl ----------------------------------------------------------------------------------


def test_the_plain_export_is_the_journal_byte_for_byte_and_verifies(state):
    """So that the hashes in it can be checked by anybody."""
    data = journal_of(state, *run_of(Told("a"), RunEnded("repaired", "done", "It is.")))
    exported = export(state, "1", "jsonl")
    hashes = [hashlib.sha256(text).hexdigest() for text in exported.splitlines()]

    assert data == exported
    assert ["", *hashes[:-1]] == [json.loads(text)["prev"] for text in exported.splitlines()]


def test_a_torn_last_line_is_left_out_and_said(state):
    """The rest is whole."""
    data = journal_of(state, *run_of(Told("a")))
    with state.journal("1").open("ab") as file:
        file.write(b'{"n": 3, "ha')

    assert data == export(state, "1", "jsonl")
    assert "The last line was torn when the bench died" in page(state)


@pytest.mark.parametrize("fmt", ["jsonl", "html", "md"])
def test_a_changed_journal_is_not_exported(state, fmt):
    """Not even up to the change: it would look like a record."""
    data = journal_of(state, *run_of(Told("one"), Told("two")))
    state.journal("1").write_bytes(data.replace(b"one", b"six"))

    with pytest.raises(TornJournal, match="does not hold together: line 3 does not follow"):
        export(state, "1", fmt)


@pytest.mark.parametrize("fmt", ["jsonl", "html", "md"])
def test_a_run_that_cannot_be_read_is_said(state, fmt):
    """In words."""
    with pytest.raises(TornJournal, match="The journal of run 1 cannot be read"):
        export(state, "1", fmt)


def test_a_format_that_there_is_not_is_said(state):
    """With those there are."""
    journal_of(state, *run_of())
    with pytest.raises(BadUsage) as caught:
        export(state, "1", "pdf")
    assert "There is: jsonl, html, md." == caught.value.advice


@pytest.mark.parametrize("fmt", ["html", "md"])
def test_a_step_that_never_ran_is_not_handed_over_as_an_empty_line(state, fmt):
    """Who reads the paper must not take it for done."""
    plan = tuple(PlannedStep(name, name.title()) for name in ("look", "skip", "write", "read"))
    journal_of(
        state,
        *run_of(
            StepStarted("look", 1, True, "", ""),
            StepDone("look"),
            StepStarted("write", 1, True, "", ""),
            RunEnded("unfinished", "stopped", "You stopped the run."),
            plan=plan,
        ),
    )
    text = export(state, "1", fmt).decode()

    assert ("left out" in text, "not done" in text) == (True, True)


# --- html -----------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>\"'&</title></pre><img src=x onerror=alert(1)>"


def test_no_text_of_a_device_or_a_person_becomes_markup(state):
    """Every field that comes from outside, in one page."""
    device = Device("1-1", EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)
    harmless = journal_of(state, *run_of(Told("a")))
    tags = set(Page(page(state)).tags)
    assert harmless
    state.journal("1").unlink()
    state.run("1").rmdir()
    evil_kept = ArtefactKept("k.pem", "run", EVIL, 5, EVIL)
    journal_of(
        state,
        *run_of(
            Told(EVIL, EVIL),
            Warned(EVIL),
            StepStarted("a", 1, True, EVIL, EVIL),
            StepDone("a", EVIL),
            Noted(EVIL, EVIL),
            Answered("job", EVIL, EVIL),
            evil_kept,
            RunEnded(EVIL, EVIL, EVIL, EVIL, (EVIL,), (EVIL,), (EVIL,), EVIL),
            title=EVIL,
            name=EVIL,
            by=EVIL,
            flow=EVIL,
            device=device,
            practice=EVIL,
            continues=EVIL,
            version=EVIL,
        ),
    )
    seen = Page(page(state))

    assert "<script" not in page(state)
    assert {"script", "img"} & set(seen.tags) == set()
    assert set(seen.tags) - tags <= {"h2", "p", "b", "tr", "td"}
    assert seen.text.count(EVIL) >= 15


def test_control_characters_and_half_code_points_are_shown_as_marks(state):
    """A page may be printed in a terminal, and must always be written."""
    journal_of(state, *run_of(Noted("\x1b[2J\x07 \udcff \u202e"), job="\x1b]0;x\x07\udc00"))
    text = page(state)

    assert not [char for char in text if not char.isprintable() and char not in "\n\t"]
    assert "\N{REPLACEMENT CHARACTER}[2J" in text


def test_a_practice_run_is_marked_as_no_record(state):
    """First thing on the page."""
    journal_of(state, *run_of(practice="case-3"))
    body = page(state).partition("<body>")[2].lstrip()

    assert body.startswith(('<p class="practice">\nPRACTICE', '<p class="practice">PRACTICE'))
    assert "scenario case-3. This is no record of a repair." in body


def test_a_real_run_is_not_marked_as_practice(state):
    """The word is nowhere in what is read."""
    journal_of(state, *run_of())

    assert "PRACTICE" not in page(state)


def test_the_page_says_everything_that_the_journal_says(state):
    """Verdict, evidence, what remains, every line in order, and the last hash."""
    data = journal_of(
        state,
        *run_of(
            StepStarted("a", 1, True, "nothing written", "You can."),
            StepDone("a", "451 kB"),
            Answered("job", "2243", "--job"),
            RunEnded("repaired", "done", "It is.", "Go.", ("p1",), ("t1",), ("w1",)),
        ),
    )
    text = Page(page(state)).text
    last = read_lines(data).records[-1].hash

    for words in (
        *("Verdict: repaired", "It is. Go.", "Proof: p1", "Warning: w1", "Still to do: t1"),
        *("451 kB", "2243", "6D70", "5 events", "Damage class at the end: nothing written."),
        last,
    ):
        assert words in text, words
    assert text.index("~ 1 Look") < text.index("job = 2243") < text.index("= REPAIRED.")


def test_a_run_without_an_end_says_so(state):
    """It is not dressed up as one that has a verdict."""
    journal_of(state, *run_of())

    assert "Not ended" in page(state)


def test_an_empty_journal_makes_a_page(state):
    """Nothing was written; that is no reason to fail."""
    journal_of(state)

    assert "0 events" in page(state)


# --- Markdown -------------------------------------------------------------------------------


def test_markdown_says_what_the_page_says_and_holds_no_markup_of_others(state):
    """Headings are ours; what a device or a person wrote is read as it stands."""
    journal_of(
        state,
        *run_of(
            Noted("# not a heading\n<img src=x> [a](b) `c` | *d*"),
            RunEnded("repaired", "done", "It is.", "Go.", ("p1",), ("t1",), ("w1",)),
        ),
    )
    text = export(state, "1", "md").decode()
    headings = [line for line in text.splitlines() if line.startswith("#")]

    assert "# New key: Core 6D70" == headings[0]
    assert "## Verdict: repaired" in headings
    assert 5 == len(headings)
    assert "\\# not a heading \\<img src=x\\> \\[a\\]\\(b\\) \\`c\\` \\| \\*d\\*" in text
    for words in ("- Proof: p1", "- Warning: w1", "- Still to do: t1", "all of them fit"):
        assert words in text


# --- with what came before ------------------------------------------------------------------


def test_a_run_is_handed_over_with_those_it_continues(state):
    """Oldest first, in every format; each chain begins with its own number 1."""
    first = journal_of(state, *run_of(Told("broke off")))
    second = journal_of(state, *run_of(Told("went on"), run="2", continues="1"), run="2")
    page = export(state, "2", "html").decode()
    text = export(state, "2", "md").decode()

    assert first + second == export(state, "2", "jsonl")
    assert 0 < page.index("broke off") < page.index("went on")
    assert 0 < text.index("broke off") < text.index("went on")


@pytest.mark.parametrize("continues", ["1", "2", "../1", "77"])
def test_a_predecessor_that_is_none_is_left_out(state, continues):
    """Itself, a circle, a run that is not there."""
    journal_of(state, *run_of(continues="2"))
    data = journal_of(state, *run_of(run="2", continues=continues), run="2")

    assert export(state, "2", "jsonl").endswith(data)


# --- other customers' devices -----------------------------------------------------------------

STRANGER = Device("1-2", "v9", "20a0", "42b2", "SECRET-SERIAL", "Nitrokey 3")
NOT_OURS = DeviceJudged("1-2", STRANGER, False, "Not taken: serial SECRET-SERIAL is not ours.")


def followed(exported: bytes) -> list[str]:
    """The chain as the README tells a reader to follow it; the hash of every line."""
    before, hashes = "", []
    for line in exported.splitlines():
        fields = json.loads(line)
        assert fields["prev"] == ("" if fields["n"] == 1 else before)
        real = hashlib.sha256(line).hexdigest()
        before = fields["hash"] if fields.get("redacted") else real
        hashes.append(before)
    return hashes


def test_another_customers_device_is_another_device_in_every_export(state):
    """No serial and no ids of it; the chain can still be followed, and the line says so."""
    data = journal_of(state, *run_of(NOT_OURS, Told("a")))
    exported = export(state, "1", "jsonl")

    for fmt in ("jsonl", "html", "md"):
        told = export(state, "1", fmt)
        assert b"SECRET" not in told
        assert b"42b2" not in told
    assert [record.hash for record in read_lines(data).records] == followed(exported)
    (line,) = (json.loads(text) for text in exported.splitlines() if b"redacted" in text)
    assert ("another device", "1-2") == (line["device"]["product"], line["port"])


def test_our_own_device_is_never_hidden(state):
    """Taken, or back in another mode: that is evidence."""
    back = Device("1-1", "v2", "1d50", "607d", "6D70", "Spark Core")
    wrong = DeviceJudged("1-1", back, False, "It is back as app.")
    nameless = DeviceJudged("1-1", Device("1-1", "v3", "1d50", "607d"), False, "It is back.")
    data = journal_of(state, *run_of(wrong, nameless))

    assert data == export(state, "1", "jsonl")


# --- artefacts ------------------------------------------------------------------------------


def test_an_artefact_of_the_run_is_in_the_page_and_one_of_the_vault_is_not(state):
    """Of the vault only the name, the size and the digest."""
    public = kept(state, "public-key.pem", PEM)
    private = kept(state, "1-slot.bin", SECRET, "vault")
    journal_of_run = state.journal("1")
    journal = Journal(journal_of_run, VirtualClock())
    for event in run_of(public, private):
        journal.append(event)
    seen = Page(page(state))

    assert PEM.decode() in seen.text
    assert SECRET.decode() not in seen.text
    assert private.sha256 in seen.text
    assert "It lies in the vault of the bench and is never exported." in " ".join(seen.text.split())


def artefact_page(state: State, event: ArtefactKept) -> str:
    state.run("1").mkdir(exist_ok=True)
    journal = Journal(state.journal("1"), VirtualClock())
    for known in run_of(event):
        journal.append(known)
    return Page(page(state)).text


def test_an_artefact_changed_after_the_run_is_not_shown_as_the_runs(state):
    """The digest in the journal is the run's; another text beside it would be a lie."""
    event = kept(state, "public-key.pem", PEM)
    (state.artefacts("1") / "public-key.pem").write_bytes(b"another key")
    text = artefact_page(state, event)

    assert "another key" not in text
    assert "has been changed since the run kept it" in text


def test_an_artefact_that_is_gone_large_or_no_text_is_named_only(state):
    """With its digest."""
    gone = kept(state, "gone", b"x")
    (state.artefacts("1") / "gone").unlink()
    large = kept(state, "large", b"L" * (SHOWN + 1))
    binary = kept(state, "binary", b"\xff\x00")
    journal = Journal(state.journal("1"), VirtualClock())
    for event in run_of(gone, large, binary):
        journal.append(event)
    text = Page(page(state)).text

    assert "LLLL" not in text
    assert all(known.sha256 in text for known in (gone, large, binary))


@pytest.mark.parametrize("name", ["../../../vault/1-slot.bin", "/etc/passwd", ".."])
def test_a_name_that_leads_out_of_the_runs_folder_is_not_followed(state, name):
    """Whoever wrote the journal: nothing of the vault is in a report."""
    kept(state, "1-slot.bin", SECRET, "vault")
    kept(state, "a", b"x")
    digest = hashlib.sha256(SECRET).hexdigest()
    text = artefact_page(state, ArtefactKept(name, "run", digest, len(SECRET)))

    assert SECRET.decode() not in text


def test_an_artefact_of_a_place_not_known_here_is_named_only(state):
    """A newer program may keep things elsewhere, for its own reasons."""
    kept(state, "public-key.pem", PEM)
    digest = hashlib.sha256(PEM).hexdigest()

    assert PEM.decode() not in artefact_page(
        state, ArtefactKept("public-key.pem", "safe", digest, 5)
    )


# --- which run, and where to ----------------------------------------------------------------


def test_a_run_is_named_by_its_number_or_as_the_last(state):
    """Number ten is the last of ten."""
    for run in ("9", "10"):
        state.run(run).mkdir()

    assert ("10", "9") == (resolve_run(state, "last"), resolve_run(state, "9"))


@pytest.mark.parametrize("words", ["last", "1", "", "../1"])
def test_a_run_that_there_is_not_is_said(state, words):
    """And where nothing was run, that is said."""
    with pytest.raises(BadUsage) as caught:
        resolve_run(state, words)
    assert "Nothing was run here yet." == caught.value.advice


def test_a_report_is_written_privately_and_whole_in_every_format(state):
    """Into the state directory's exports, a run's and a job's."""
    data = journal_of(state, *run_of(job="2243"))
    files = (*export_files(state, "1"), *export_job_files(state, "2243"))

    assert [file.name for file in files] == [
        f"{what}.{fmt}" for what in ("run-1", "job-2243") for fmt in FORMATS
    ]
    assert {state.exports} == {file.parent for file in files}
    assert files[0].read_bytes() == data == files[3].read_bytes()
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}


@pytest.mark.parametrize("job", ["../evil", "", "9"])
def test_a_job_that_names_no_file_or_is_none_is_not_exported(state, job):
    """A run may name any job; a file may not be called anything."""
    journal_of(state, *run_of(job="../evil"))

    with pytest.raises(BadUsage):
        export_job_files(state, job)
    assert not list(state.root.parent.rglob("*evil*"))


def test_the_report_of_a_repair_holds_its_public_key_and_nothing_of_the_vault(tmp_path):
    """The whole way: the practice Core, the real flow, the page."""
    with workshop(tmp_path, "core-blank-key") as shop:
        view = shop.run()
        html = export(shop.state, view.run, "html").decode()
        public = (shop.state.artefacts(view.run) / "public-key.pem").read_text()
        slots = [path.read_bytes() for path in shop.state.vault.iterdir()]

    assert public in Page(html).text
    assert slots
    assert "PRIVATE KEY-----" not in html
    assert not any(slot.hex() in html for slot in slots)
