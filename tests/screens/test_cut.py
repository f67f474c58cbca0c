"""Long lists in little room, by table."""

import pytest

from screens.cut import cut


@pytest.mark.parametrize(
    ("count", "height", "chosen", "shown", "more"),
    [
        (3, 4, 0, range(3), ""),
        (4, 4, 3, range(4), ""),
        (9, 7, 0, range(6), ".. 3 more"),
        (9, 7, 8, range(3, 9), ".. 3 more above"),
        (9, 5, 4, range(2, 6), ".. 5 more, 2 of them above"),
        (9, 1, 5, range(5, 6), ".. 8 more, 5 of them above"),
        (0, 3, 0, range(0), ""),
    ],
)
def test_what_is_shown_and_what_is_said_of_the_rest(count, height, chosen, shown, more):
    """The chosen one is always among them."""
    part = cut(count, height, chosen)

    assert shown == range(part.first, part.end)
    assert more == part.more()
    assert not count or chosen in shown


def test_what_is_left_out_has_a_name():
    """Steps are steps."""
    assert ".. 4 more steps" == cut(8, 5, 0).more("step")
    assert ".. 1 more step" == cut(2, 1, 0).more("step")
