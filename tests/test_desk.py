"""What people say of the ports: labels and hands-off marks, from the words to the next day."""

from __future__ import annotations

import json

import pytest

from console.desk import Desk
from console.errors import BadUsage, GateClosed, NoSuchDevice, RecordError
from console.events import Device, DeviceAssigned, FileArrived
from console.history import is_closed, view_of
from console.jobs import job_ids, job_lines, job_of, known_job
from console.journal import Journal, replay
from console.ports import HANDS_OFF, NOTHING_SAID, PortBook, read_ports, write_ports
from console.report import FORMATS, export_job
from console.run import Request
from console.state import State
from console.views import JobView, rows
from tests.floor import LEFT, RIGHT, floor


@pytest.fixture
def shop(tmp_path):
    with floor(tmp_path, LEFT, RIGHT) as made:
        yield made


def at(shop, port="1-1"):
    return shop.bench.view().at_port(port)


# --- the book ---------------------------------------------------------------------------------


def test_a_book_comes_back_from_its_file_as_it_was(tmp_path):
    """Labels and marks alike."""
    state = State(tmp_path)
    book = PortBook({"1-1": "front left"}, frozenset({("1-1", "A"), ("2-1", "1d50:607f")}))
    write_ports(state, book)

    assert book == read_ports(state)


def test_where_nothing_was_said_there_is_nothing(tmp_path):
    """A new state directory."""
    assert NOTHING_SAID == read_ports(State(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"labels": [], "hands_off": 3}'])
def test_a_file_that_cannot_be_read_is_said(tmp_path, text):
    """With what it means for the marks."""
    (tmp_path / "ports.json").write_text(text)
    with pytest.raises(RecordError, match="cannot be read"):
        read_ports(State(tmp_path))


@pytest.mark.parametrize("label", ["1-1", "2-1.4", "1d50:607f", "a\x1b[2J", "x" * 41])
def test_a_label_that_would_mean_something_else_is_refused(label):
    """Nobody may aim at one port and hit another."""
    with pytest.raises(BadUsage):
        NOTHING_SAID.labelled("1-2", label)


def test_two_ports_never_share_a_label():
    """The same words must mean one device."""
    book = NOTHING_SAID.labelled("1-1", "left")
    with pytest.raises(BadUsage, match="Port 1-1 is called left already"):
        book.labelled("1-2", "left")

    assert "left" == book.labelled("1-1", "left").label("1-1")


def test_a_port_is_a_path_or_a_label_or_what_was_spoken_of_before():
    """A slip of the finger is none of them."""
    book = PortBook({"1-1": "left", "reader:X": "slot"}, frozenset({("reader:Y", "A")}))
    meant = {words: book.port_meant(words) for words in ("1-9.4", "left", "slot")}

    assert {"1-9.4": "1-9.4", "left": "1-1", "slot": "reader:X"} == meant
    assert ("reader:X", "reader:Y") == (book.port_meant("reader:X"), book.port_meant("reader:Y"))
    assert {""} == {book.port_meant(words) for words in ("lft", "1-", "1-1.", "", "reader:Z")}


# --- labels -----------------------------------------------------------------------------------


def test_a_label_is_shown_and_names_the_device(shop):
    """In the table, in `lately`, and wherever a device is named."""
    assert "1-1" == shop.bench.desk.label("1-1", "front left", "ann")
    view = shop.bench.view()

    assert ["front left", ""] == [row.label for row in rows(view, {})]
    assert "port 1-1 is called front left" == view.lately[-1].text
    assert "1-1" == shop.bench.describe("front left").port


def test_a_label_survives_the_bench(tmp_path):
    """The next bench reads it again, and its journal tells it."""
    with floor(tmp_path, LEFT) as first:
        first.bench.desk.label("1-1", "front left", "ann")
    with floor(tmp_path, LEFT) as second:
        assert "front left" == at(second).label


def test_a_label_is_taken_away_by_its_own_name(shop):
    """An empty name is none."""
    shop.bench.desk.label("1-1", "front left", "ann")
    shop.bench.desk.label("front left", "", "ann")

    assert "" == at(shop).label


def test_a_label_waits_for_the_device_in_an_empty_port(tmp_path):
    """The bench may be labelled before anybody comes."""
    with floor(tmp_path) as shop:
        shop.bench.desk.label("1-2", "right", "ann")
        shop.bus.here = (RIGHT,)

        assert "right" == at(shop, "1-2").label


def test_an_unreadable_file_is_a_trouble_on_the_screen_and_is_never_written_over(tmp_path):
    """Marks that cannot be read may still be mended by hand."""
    (tmp_path / "ports.json").write_text("{")
    with floor(tmp_path, LEFT) as shop:
        with pytest.raises(RecordError):
            shop.bench.desk.label("1-1", "left", "ann")

        assert "cannot be read" in shop.bench.view().troubles["ports"]
        assert "{" == (tmp_path / "ports.json").read_text()


# --- hands off --------------------------------------------------------------------------------


def test_a_marked_device_has_no_flows_and_no_run(shop):
    """Whoever asks, and by whatever name."""
    shop.bench.desk.mark("1-1", hands_off=True, by="ann")
    card = shop.bench.describe("1-1")

    assert ((), HANDS_OFF) == (card.flows, card.mark)
    with pytest.raises(GateClosed, match="marked hands off"):
        shop.run("quick", "A")
    assert () == shop.state.run_ids()


def test_a_marked_row_says_so_in_letters(shop):
    """m, and the words; never colour alone."""
    shop.bench.desk.mark("1-1", hands_off=True, by="ann")
    marked, other = rows(shop.bench.view(), {})

    assert ("m", "-", "hands off") == (marked.number, marked.mark, marked.next)
    assert "2" == other.number


def test_a_mark_stays_with_the_unit_not_with_the_port(shop):
    """The next customer's device in that port is a patient; my own key never becomes one."""
    shop.bench.desk.mark("1-1", hands_off=True, by="ann")
    stranger = Device("1-1", "v9", "0a0a", "0001", "OTHER")
    shop.bus.here = (stranger, RIGHT)
    assert "" == at(shop).mark

    shop.bus.here = (Device("1-1", "v10", "0a0a", "0002", "A"), RIGHT)
    assert HANDS_OFF == at(shop).mark


def test_a_mark_is_cleared_and_survives_the_bench_until_then(tmp_path):
    """It is in the file."""
    with floor(tmp_path, LEFT) as first:
        first.bench.desk.mark("1-1", hands_off=True, by="ann")
    with floor(tmp_path, LEFT) as second:
        assert HANDS_OFF == at(second).mark
        second.bench.desk.mark("1-1", hands_off=False, by="ann")
        assert "" == at(second).mark
        assert frozenset() == read_ports(second.state).hands_off


def test_an_empty_port_cannot_be_marked_and_a_busy_one_neither(shop):
    """There is no unit to stick to; and a run would lose its device."""
    with pytest.raises(NoSuchDevice):
        shop.bench.desk.mark("1-7", hands_off=True, by="ann")
    run = shop.run("ask")
    shop.asked(run)
    with pytest.raises(GateClosed):
        shop.bench.desk.mark("1-1", hands_off=True, by="ann")
    shop.bench.stop_run(run, "test")
    shop.ended(run)


def test_a_run_that_waits_never_takes_a_marked_device(shop):
    """It is none of its candidates, whatever it looks like."""
    boot = Device("1-2", "v7", "0a0a", "0002", "B")
    shop.bench.desk.mark("1-2", hands_off=True, by="ann")
    run = shop.bench.open_run(Request("scale.wait", "", not_shown=True, attended=True))
    shop.waiting(run)
    shop.bus.here = (LEFT, boot)
    shop.bench.look_again()
    shop.bench.stop_run(run, "test")
    shop.ended(run)

    assert not [said for said in view_of(shop.state, run).said if "1-2" in said.sentence]


def test_a_desk_begins_with_nothing_said(tmp_path):
    """Until its bench opens it."""
    assert NOTHING_SAID == Desk(object()).book


# --- notes ------------------------------------------------------------------------------------


def test_a_note_on_a_run_that_has_ended_stands_in_its_record(shop):
    """After the verdict, which stays the verdict: no start closes that run again."""
    run = shop.run("quick")
    shop.ended(run)
    shop.bench.note(run, "the customer's cable was bad", "ann")
    view = view_of(shop.state, run)

    assert ("noted", "ann: the customer's cable was bad") == (
        view.said[-1].kind,
        view.said[-1].sentence,
    )
    assert "repaired" == view.verdict
    assert is_closed(shop.state.journal(run))


def test_a_note_on_a_run_that_never_was_is_refused(shop):
    """And leaves no folder behind."""
    with pytest.raises(BadUsage, match="no run 7"):
        shop.bench.note("7", "hm", "ann")

    assert () == shop.state.run_ids()


# --- jobs -------------------------------------------------------------------------------------


def test_a_device_belongs_to_its_job_and_so_do_its_runs(shop):
    """Given once; the row shows it, and a run that names no job has it."""
    assert "1-1" == shop.bench.desk.assign("A", "2243", "ann")
    run = shop.run("quick")
    shop.ended(run)

    assert ["2243", ""] == [row.job for row in rows(shop.bench.view(), {})]
    assert "2243" == view_of(shop.state, run).job
    said, (view,) = known_job(shop.state, "2243")
    assert ("2243", ("Scale  A",), run) == (said.job, said.devices, view.run)


def test_a_job_goes_with_its_unit_to_another_port_and_to_another_day(tmp_path):
    """A serial names it; nothing but a port names a unit without one."""
    nameless = Device("1-2", "v2", "0a0a", "0001")
    with floor(tmp_path, LEFT, nameless) as first:
        first.bench.desk.assign("1-1", "2243", "ann")
        first.bench.desk.assign("1-2", "2244", "ann")
    moved = (Device("1-5", "v8", "0a0a", "0001", "A"), Device("1-6", "v9", "0a0a", "0001"))
    with floor(tmp_path, *moved) as second:
        assert ("2243", "") == (at(second, "1-5").job, at(second, "1-6").job)
        second.bench.desk.assign("1-5", "", "ann")
        assert "" == at(second, "1-5").job


def test_a_device_put_under_a_wrong_job_leaves_that_jobs_record(shop):
    """Its name is in no format of that job's export; the chain of hashes stays whole."""
    shop.bench.desk.assign("1-2", "2243", "ann")
    shop.bench.desk.assign("1-1", "2243", "ann")
    shop.bench.desk.assign("1-1", "2250", "ann")

    assert ("Scale  B",) == job_of(shop.state, "2243").devices
    assert ("Scale  A",) == job_of(shop.state, "2250").devices
    for fmt in FORMATS:
        told = export_job(shop.state, "2243", fmt).decode()
        assert ("Scale  A" in told, "2250" in told, "Scale" in told) == (False, False, True)
    lines = [json.loads(line) for line in export_job(shop.state, "2243", "jsonl").splitlines()]
    gone = [line for line in lines if line.get("redacted")]
    assert [("another device", "2243"), ("another device", "")] == [
        (line["name"], line["job"]) for line in gone
    ]
    hashes = [record.hash for record in replay(shop.state.job("2243")).records]
    assert [hashes[line["n"] - 1] for line in gone] == [line["hash"] for line in gone]


def test_one_of_two_units_with_one_name_is_taken_out_alone(tmp_path):
    """What has no serial is known by its port."""
    alike = (Device("1-1", "v1", "0a0a", "0001"), Device("1-2", "v2", "0a0a", "0001"))
    with floor(tmp_path, *alike) as shop:
        for port in ("1-1", "1-2"):
            shop.bench.desk.assign(port, "2243", "ann")
        shop.bench.desk.assign("1-1", "", "ann")

        assert ("Scale",) == job_of(shop.state, "2243").devices
        shop.bench.desk.assign("1-2", "", "ann")
        assert () == job_of(shop.state, "2243").devices


def test_a_device_that_comes_back_to_its_job_is_in_its_record_again(shop):
    """Taken out by mistake, too."""
    for job in ("2243", "", "2243"):
        shop.bench.desk.assign("1-1", job, "ann")

    assert ("Scale  A",) == job_of(shop.state, "2243").devices
    assert b"redacted" not in export_job(shop.state, "2243", "jsonl")


def test_records_of_older_programs_know_a_device_by_its_name(shop):
    """They told no unit."""
    shop.bench.desk.open_job("2243", "", "ann")
    journal = Journal(shop.state.job("2243"), shop.bench.clock)
    for job, name in (("2243", "A"), ("2243", "B"), ("", "A")):
        journal.append(DeviceAssigned("1-1", job, name, "ann"))
    journal.close()

    assert ("B",) == job_of(shop.state, "2243").devices


def test_a_job_that_a_run_names_is_opened_and_has_its_inbox(shop):
    """The line that is printed for it leads somewhere."""
    shop.ended(shop.bench.open_run(Request("scale.quick", "1-1", job="2243", by="ann")))
    said, (run,) = known_job(shop.state, "2243")

    assert ("2243", "ann") == (run.job, said.by)
    assert shop.state.job_inbox("2243").is_dir()
    assert "Send a file to it:" in job_lines(said, (run,), "scp")


def test_a_job_that_is_answered_in_a_run_is_opened_too(shop):
    """What is no job's number is refused, and asked for still."""
    run = shop.run("order")
    shop.asked(run)
    with pytest.raises(BadUsage, match="cannot be a job's number"):
        shop.bench.answer(run, "job", "../x", "ann")
    shop.bench.answer(run, "job", "2243", "ann")
    shop.ended(run)
    said, (view,) = known_job(shop.state, "2243")

    assert ("2243", True) == (view.job, bool(said.opened))
    assert shop.state.job_inbox("2243").is_dir()


def test_an_inbox_that_cannot_be_made_ends_no_run(shop):
    """It is a trouble of the bench's own."""
    shop.state.job_inbox("2243").write_bytes(b"a file where a folder should be")
    view = shop.ended(shop.run("quick", job="2243"))

    assert ("repaired", "2243") == (view.verdict, view.job)
    assert "inbox" in shop.bench.view().troubles


def test_a_run_with_what_is_no_jobs_number_is_refused(shop):
    """Before it has a folder, and without one beside the inboxes."""
    with pytest.raises(BadUsage, match="cannot be a job's number"):
        shop.bench.open_run(Request("scale.quick", "1-1", job="../x", by="ann"))

    assert ((), ()) == (shop.state.run_ids(), job_ids(shop.state))
    assert not (shop.state.inbox.parent / "x").exists()


def test_a_job_that_only_runs_of_older_programs_named_is_told_how_to_be_opened():
    """It has no inbox that a line could lead to."""
    assert "To send files to it: replug job open 2243" in job_lines(JobView("2243"), (), "scp")[-1]
    assert ["Job a b"] == job_lines(JobView("a b"), (), "scp")


@pytest.mark.parametrize("job", ["", "../x", "a/b", ".hidden", "x" * 41, "a b", "a\x1b"])
def test_what_cannot_name_a_folder_is_no_job(shop, job):
    """Its inbox is a folder of that name."""
    with pytest.raises(BadUsage):
        shop.bench.desk.open_job(job, "", "ann")


def test_a_note_in_a_job_opens_it(shop):
    """Its customer may be told later; it is one job all the same."""
    shop.bench.desk.note_job("2243", "rings at two", "ann")
    shop.bench.desk.open_job("2243", "Miller", "bob")
    shop.bench.desk.open_job("2243", "", "bob")
    said = job_of(shop.state, "2243")

    assert ("Miller", "ann", "ann: rings at two") == (said.customer, said.by, said.notes[0][1])
    assert ("2243",) == job_ids(shop.state)
    assert 3 == len(replay(shop.state.job("2243")).records)


def test_a_file_that_came_for_a_job_is_announced_once(shop):
    """At the bench's next look; and again when it came anew."""
    shop.bench.desk.open_job("2243", "", "ann")
    file = shop.state.job_inbox("2243") / "firmware.bin"
    file.write_bytes(b"12345")
    shop.bench.look_again()
    shop.bench.look_again()
    file.write_bytes(b"1234567")
    told = [past.text for past in shop.bench.view().lately if "file" in past.text]

    assert [f"file for job 2243: firmware.bin, {n} bytes" for n in (5, 7)] == told
    assert (FileArrived("2243", "firmware.bin", 7),) == job_of(shop.state, "2243").files


def test_links_and_hidden_files_are_no_arrivals(shop):
    """scp makes neither; whoever did gets no further."""
    shop.bench.desk.open_job("2243", "", "ann")
    (shop.state.job_inbox("2243") / "passwd").symlink_to("/etc/passwd")
    (shop.state.job_inbox("2243") / ".x").write_bytes(b"")
    shop.bench.look_again()

    assert () == job_of(shop.state, "2243").files


def test_a_file_is_not_announced_again_by_the_next_bench(tmp_path):
    """The job's own record knows it."""
    with floor(tmp_path) as first:
        first.bench.desk.open_job("2243", "", "ann")
        (first.state.job_inbox("2243") / "a").write_bytes(b"1")
        first.bench.look_again()
    with floor(tmp_path) as second:
        assert not [past for past in second.bench.view().lately if "file" in past.text]


def test_a_job_is_exported_whole(shop):
    """What was said of it, then every run, in each format."""
    shop.bench.desk.open_job("2243", "Miller <b>", "ann")
    shop.bench.desk.assign("1-1", "2243", "ann")
    shop.bench.desk.note_job("2243", "rings at two", "ann")
    for _ in range(2):
        shop.ended(shop.run("quick"))
    shop.ended(shop.run("quick", "1-2"))
    lines = [json.loads(line) for line in export_job(shop.state, "2243", "jsonl").splitlines()]
    html = export_job(shop.state, "2243", "html").decode()
    text = export_job(shop.state, "2243", "md").decode()

    assert ["JobOpened", "RunStarted", "RunStarted"] == [
        line["event"] for line in lines if line["n"] == 1
    ]
    assert "Miller &lt;b&gt;" in html
    assert "Miller \\<b\\>" in text
    assert (2, 2) == (html.count("<h2>Verdict"), text.count("## Verdict"))
    with pytest.raises(BadUsage, match="no job 9"):
        export_job(shop.state, "9", "html")
