"""The wire trace: whole lines at once, an end that is said, and no repair that fails by it."""

from __future__ import annotations

from console.trace import LINES, Trace


def test_a_line_is_on_disk_before_the_next_transfer(tmp_path) -> None:
    trace = Trace(tmp_path / "trace")
    trace.add(12.34567, "out sent 60  0.1 ms")
    assert (tmp_path / "trace").read_text() == "12.3457 out sent 60  0.1 ms\n"
    trace.close()


def test_it_says_where_it_ends(tmp_path) -> None:
    trace = Trace(tmp_path / "trace")
    for number in range(LINES + 5):
        trace.add(float(number), "x")
    lines = (tmp_path / "trace").read_text().splitlines()
    assert lines[-1] == "(the trace ends here)"
    assert len(lines) == LINES + 1


def test_where_it_cannot_be_written_nothing_happens(tmp_path) -> None:
    trace = Trace(tmp_path / "no folder" / "trace")
    trace.add(1.0, "x")
    trace.add(2.0, "x")
    trace.close()


def test_nothing_said_is_no_file(tmp_path) -> None:
    Trace(tmp_path / "trace").close()
    assert not (tmp_path / "trace").exists()
