"""The ladder of identity: each case has its own sentence and the safe choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Card, Device
from console.hardware.identity import (
    HANDS,
    Company,
    Expectation,
    Grade,
    Scene,
    accompany,
    judge,
    same_unit,
)

APP, BOOT = "20a0:42b2", "20a0:42dd"
MODES = {APP: "app", BOOT: "bootloader"}


def device(port: str, visit: str, ids: str = APP, serial: str = "", **facts) -> Device:
    vid, pid = ids.split(":")
    return Device(port, visit, vid, pid, serial, **facts)


OURS = device("1-1", "v1")


def expecting(left: Device | None = OURS, **facts) -> Expectation:
    wanted = {"port": "1-1", "modes": ("app",)} | facts
    return Expectation(left=left, **wanted)


def scene(*present: Device, company: Company = Company(gone=True), now: float = 100.0) -> Scene:  # noqa: B008
    modes = {d.visit: MODES.get(f"{d.vid}:{d.pid}", "") for d in (*present, TWIN)}
    return Scene(present, modes, company, now)


def judged(expected: Expectation, came: Device, *others: Device, company=Company(gone=True)):  # noqa: B008
    return judge(expected, came, scene(came, *others, company=company))


TWIN = device("1-2", "t1")
SERIAL = replace(OURS, serial="A1")

CASES = {
    "the serial that left comes back": (
        expecting(SERIAL),
        device("1-1", "v2", serial="A1"),
        (),
        (True, Grade.SERIAL, "Same device, because serial A1 came back."),
    ),
    "a serial that is the unique id": (
        expecting(OURS, unique="ABCD", modes=("bootloader",)),
        device("1-1", "v2", BOOT, serial="abcd"),
        (),
        (True, Grade.UNIQUE, "Same device, because its id abcd came back."),
    ),
    "a serial that nobody can read proves nothing: only its port does": (
        expecting(replace(OURS, serial="\ufffd\ufffd")),
        device("1-1", "v2", serial="\ufffd\ufffd"),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "a serial that nobody can read, in another port": (
        expecting(replace(OURS, serial="\ufffd\ufffd")),
        device("1-3", "v2", serial="\ufffd\ufffd"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "another serial": (
        expecting(SERIAL),
        device("1-1", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2, but A1 left this port."),
    ),
    "a serial where ours says none": (
        expecting(OURS),
        device("1-1", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2, but ours says none."),
    ),
    "no serial where ours says one": (
        expecting(SERIAL),
        device("1-1", "v2"),
        (),
        (False, Grade.NOT, "Not taken: ours says serial A1, this one says none."),
    ),
    "our serial in another port": (
        expecting(SERIAL),
        device("1-3", "v2", serial="A1"),
        (),
        (False, Grade.NOT, "Not taken yet: serial A1 is ours, but it is in port 1-3."),
    ),
    "our serial on another path in a guest": (
        expecting(SERIAL, guest=True),
        device("1-3", "v2", serial="A1"),
        (),
        (True, Grade.SERIAL, "Same device, because serial A1 came back; the host gave it another"),
    ),
    "another path in a guest and no serial": (
        expecting(OURS, guest=True),
        device("1-3", "v2"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours left port 1-1. In a guest"),
    ),
    "a serial that a twin says as well proves nothing": (
        expecting(SERIAL, others=(replace(TWIN, serial="A1"),)),
        device("1-3", "v2", serial="A1"),
        (replace(TWIN, serial="A1"),),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "our port in the mode awaited": (
        expecting(OURS, modes=("bootloader",)),
        device("1-1", "v2", BOOT),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "our port in another mode": (
        expecting(OURS, modes=("bootloader",)),
        device("1-1", "v2"),
        (),
        (False, Grade.NOT, "It is back as app, not as awaited."),
    ),
    "a different device in our port": (
        expecting(OURS),
        device("1-1", "v2", "1a86:7523", product="USB Serial"),
        (),
        (False, Grade.NOT, "Not taken: a different device is in port 1-1, USB Serial (1a86:7523)."),
    ),
    "a twin elsewhere": (
        expecting(OURS),
        device("1-3", "v2"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "two candidates": (
        expecting(OURS),
        device("1-1", "v2"),
        (device("1-3", "v3"),),
        (False, Grade.NOT, "Not taken: two have come, on port 1-1 and on port 1-3"),
    ),
    "an id that is known, and one that does not say it": (
        expecting(OURS, unique="ABCD", modes=("bootloader",)),
        device("1-1", "v2", BOOT),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "an id that is known, and another of the same ids that says something else": (
        expecting(SERIAL, unique="ABCD"),
        device("1-1", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2, but A1 left this port."),
    ),
    "another serial in another port": (
        expecting(SERIAL),
        device("1-3", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2 on port 1-3 is not ours (A1)."),
    ),
    "another serial in the other half of our socket": (
        expecting(replace(SERIAL, sibling="2-1")),
        device("2-1", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2, but A1 left this port."),
    ),
    "a twin elsewhere, where our socket has two halves": (
        expecting(replace(OURS, sibling="2-1")),
        device("1-3", "v2"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "our serial elsewhere, where our socket has two halves": (
        expecting(replace(SERIAL, sibling="2-1")),
        device("1-3", "v2", serial="A1"),
        (),
        (False, Grade.NOT, "Not taken yet: serial A1 is ours, but it is in port 1-3."),
    ),
    "the same speed": (
        expecting(replace(OURS, speed="full")),
        device("1-1", "v2", speed="full"),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "another speed in another mode": (
        expecting(replace(OURS, speed="full"), modes=("bootloader",)),
        device("1-1", "v2", BOOT, speed="high"),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "a speed that nobody tells": (
        expecting(replace(OURS, speed="full")),
        device("1-1", "v2"),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "a card that nobody tells, where its ids alone make its mode": (
        expecting(OURS),
        device("1-1", "v2", interfaces=("0b0000", "030000")),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "our serial, said by two that came": (
        expecting(SERIAL, guest=True),
        device("1-3", "v2", serial="A1"),
        (device("1-4", "v4"), device("1-1", "v3", serial="A1")),
        (False, Grade.NOT, "Not taken: two have come, on port 1-3 and on port 1-1"),
    ),
    "our serial in our port, said by another that came elsewhere": (
        expecting(SERIAL),
        device("1-1", "v2", serial="A1"),
        (device("1-3", "v3", serial="A1"),),
        (False, Grade.NOT, "Not taken: two have come, on port 1-1 and on port 1-3"),
    ),
    "our id, said by another that came elsewhere": (
        expecting(OURS, unique="ABCD", modes=("bootloader",)),
        device("1-1", "v2", BOOT, serial="ABCD"),
        (device("1-3", "v3", BOOT, serial="abcd"),),
        (False, Grade.NOT, "Not taken: two have come, on port 1-1 and on port 1-3"),
    ),
    "our serial, and another that came elsewhere and says its own": (
        expecting(SERIAL),
        device("1-1", "v2", serial="A1"),
        (device("1-3", "v3", serial="B2"),),
        (True, Grade.SERIAL, "Same device, because serial A1 came back."),
    ),
    "our serial, and a thing of no such family that says it too": (
        expecting(SERIAL),
        device("1-1", "v2", serial="A1"),
        (device("1-3", "v3", "046d:c077", serial="A1"),),
        (True, Grade.SERIAL, "Same device, because serial A1 came back."),
    ),
    "another speed": (
        expecting(replace(OURS, speed="full")),
        device("1-1", "v2", speed="high"),
        (),
        (False, Grade.NOT, "Not taken: ours ran at full speed, this one runs at high speed."),
    ),
    "the sibling port of the same socket, in another mode": (
        expecting(replace(OURS, sibling="2-1"), modes=("bootloader",)),
        device("2-1", "v2", BOOT, speed="super"),
        (),
        (True, Grade.PORT, "Same device, because it came in the same socket in the mode awaited."),
    ),
    "the sibling port with our serial": (
        expecting(replace(SERIAL, sibling="2-1", speed="high")),
        device("2-1", "v2", serial="A1", speed="super"),
        (),
        (
            True,
            Grade.SERIAL,
            "Same device, because serial A1 came back; port 2-1 is the other half",
        ),
    ),
    "the sibling port at another speed without a serial": (
        expecting(replace(OURS, sibling="2-1", speed="high")),
        device("2-1", "v2", speed="super"),
        (),
        (False, Grade.NOT, "Not taken: ours ran at high speed, this one runs at super speed."),
    ),
    "one that came while ours is still there": (
        expecting(OURS),
        device("1-3", "v2"),
        (OURS,),
        (False, Grade.NOT, "Not taken: one came on port 1-3, and ours is still in port 1-1."),
    ),
    "any port, and one came": (
        expecting(None, port=""),
        device("1-3", "v2"),
        (),
        (True, Grade.ONLY, "Taken: it is the only one of its kind that came."),
    ),
    "any port, and two came": (
        expecting(None, port=""),
        device("1-3", "v2"),
        (device("1-4", "v3"),),
        (False, Grade.NOT, "Not taken: two of its kind are here."),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_own_sentence_and_the_safe_choice(case):
    """What is said, whether it is taken, and how sure that is."""
    expected, came, others, (taken, grade, says) = CASES[case]

    found = judged(expected, came, *others)

    assert (taken, grade) == (found.taken, found.grade)
    assert found.why.startswith(says)


def test_a_twin_that_left_its_place_while_ours_was_away_puts_both_in_doubt():
    """Twins without serials may have been exchanged by hand."""
    company = Company((TWIN,), at=90.0, gone=True)
    expected = expecting(OURS, others=(TWIN,))

    found = judge(expected, device("1-1", "v2"), scene(device("1-1", "v2"), company=company))

    assert not found.taken
    assert found.why.startswith("Not taken: another of its kind has left its place")


def test_a_twin_that_stayed_in_its_place_is_no_reason_for_doubt():
    """It cannot be the one that came."""
    company = Company((TWIN,), at=90.0, gone=True)
    expected = expecting(OURS, others=(TWIN,))

    found = judged(expected, device("1-1", "v2"), TWIN, company=company)

    assert found.taken
    assert found.grade == Grade.PORT


def test_two_twins_that_restart_at_once_are_too_quick_to_have_been_exchanged():
    """Batch work on a bench: both left and came back faster than hands are."""
    company = Company((TWIN,), at=99.0, gone=True)
    expected = expecting(OURS, others=(TWIN,))
    back, twin_back = device("1-1", "v2"), device("1-2", "t2")

    found = judge(expected, back, scene(back, twin_back, company=company, now=99.0 + HANDS - 0.1))

    assert found.taken


def test_a_reader_whose_card_is_not_known_yet_is_not_judged_yet():
    """PC/SC names a card a second after the kernel has seen its USB."""
    reader = device("1-1", "v2", "1a86:0001", interfaces=("0b0000",))
    named = replace(reader, cards=(Card("R 00 00", "3b00"),))

    assert judged(expecting(OURS), reader) is None
    assert not judged(expecting(OURS), named).taken


def test_the_id_that_the_device_answers_settles_it_either_way():
    """The top of the ladder."""
    assert same_unit("4F9C", "4F9C").grade == Grade.UNIQUE
    assert not same_unit("4F9C", "1111").taken
    assert "its id is 1111, ours has 4F9C" in same_unit("4F9C", "1111").why


# --- who kept ours company -----------------------------------------------------------------------


def after(expected: Expectation, *looks: tuple[float, tuple[Device, ...]]) -> Scene:
    """What the last look shows, with the company of all of them."""
    company = Company()
    for now, present in looks:
        seen = scene(*present, company=company, now=now)
        company = accompany(company, expected, seen)
    return replace(seen, company=company)


MOVED = device("1-1", "t2")


@pytest.mark.parametrize("left", [OURS, None])
def test_a_twin_moved_into_our_port_is_refused_also_where_ours_was_gone_at_the_first_look(left):
    """A question was open when ours was pulled; or it was never shown."""
    expected = expecting(left, others=(TWIN,))
    now = after(expected, (0.0, (TWIN,)), (5.0, ()), (9.0, (MOVED,)))

    found = judge(expected, MOVED, now)

    assert not found.taken
    assert found.why.startswith("Not taken: another of its kind has left its place")


def test_a_twin_that_had_left_before_the_first_look_is_in_doubt_too():
    """It was there while ours was: that is all one has to know of it."""
    expected = expecting(OURS, others=(TWIN,))

    assert not judge(expected, MOVED, after(expected, (9.0, (MOVED,)))).taken


def test_a_twin_that_moved_is_not_the_one_awaited_at_any_port():
    """Not shown, and no port named."""
    expected = expecting(None, port="", others=(TWIN,))
    moved = device("1-3", "t2")

    assert judge(expected, moved, after(expected, (0.0, (TWIN,)), (1.0, (TWIN, moved)))).taken
    found = judge(expected, moved, after(expected, (0.0, (TWIN,)), (1.0, (moved,))))
    assert found.why.startswith("Not taken: another of its kind has left its place")


@pytest.mark.parametrize(
    ("theirs", "came", "taken"),
    [("B", "A", True), ("B", "B", False), ("", "A", False), ("\ufffd", "A", False)],
)
def test_a_twin_whose_serial_is_another_cannot_be_the_one_that_came(theirs, came, taken):
    """What tells the two apart is no doubt."""
    twin = replace(TWIN, serial=theirs)
    expected = expecting(None, others=(twin,))
    back = device("1-1", "v2", serial=came)

    assert judge(expected, back, after(expected, (0.0, (twin,)), (9.0, (back,)))).taken is taken


def test_a_twin_in_another_mode_may_write_its_serial_in_another_form():
    """Only the same ids make different serials a no."""
    twin = replace(device("1-2", "t1", BOOT), serial="B")
    expected = expecting(None, others=(twin,))
    back = device("1-1", "v2", serial="A")

    looks = ((0.0, (twin,)), (9.0, (back,)))
    kept = Company((twin,), gone=True)
    assert not judge(expected, back, replace(after(expected, *looks), company=kept)).taken


def test_one_that_came_elsewhere_while_ours_was_there_is_no_concern_once_ours_has_left():
    """It was told already, and cannot be ours."""
    new = device("1-3", "n1")
    looks = ((0.0, (OURS,)), (1.0, (OURS, new)), (5.0, (new,)))

    assert judge(expecting(OURS), new, after(expecting(OURS), *looks)) is None


def test_a_twin_that_was_pulled_long_before_ours_may_be_the_one_that_came_soon_after():
    """All of them were last seen in their places when the twin still was in its own."""
    expected = expecting(OURS, others=(TWIN,))
    looks = ((0.0, (OURS, TWIN)), (10.0, (OURS,)), (60.0, (OURS,)), (60.7, ()), (61.4, (MOVED,)))

    assert not judge(expected, MOVED, after(expected, *looks)).taken


def test_twins_that_restart_at_once_were_in_their_places_at_the_last_look_before():
    """However long ago the first look was."""
    back, twin_back = device("1-1", "v2"), device("1-2", "t2")
    expected = expecting(OURS, others=(TWIN,))
    looks = ((0.0, (OURS, TWIN)), (10.0, (OURS, TWIN)), (11.0, (back, twin_back)))

    assert judge(expected, back, after(expected, *looks)).taken


def test_an_older_look_that_is_told_late_changes_nothing():
    """Ours was seen gone already; a newer look has told where all of them were later."""
    expected = expecting(OURS, others=(TWIN,))
    settled = after(expected, (0.0, (OURS, TWIN)), (5.0, ())).company

    for now in (4.0, 8.9):
        late = scene(OURS, TWIN, company=settled, now=now)
        assert accompany(settled, expected, late) == settled

    newer = after(expected, (5.0, (OURS, TWIN))).company
    assert accompany(newer, expected, scene(OURS, TWIN, company=newer, now=1.0)).at == 5.0


def test_a_serial_that_one_says_which_came_while_ours_was_there_proves_nothing():
    """It is pulled and plugged in elsewhere while ours is away; a guest believes no path."""
    clone, again = (device("1-3", visit, serial="A1") for visit in ("c1", "c2"))
    expected = expecting(SERIAL, guest=True)
    looks = ((0.0, (SERIAL,)), (5.0, (SERIAL, clone)), (9.0, ()), (20.0, (again,)))

    found = judge(expected, again, after(expected, *looks))

    assert found.why.startswith("Not taken: one came on port 1-3, ours left port 1-1. In a guest")
