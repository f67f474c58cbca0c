"""A Nitrokey 3 that does not enumerate: the ladder, and the ticket in the end."""

from __future__ import annotations

from tests.test_ladder import MOUSE_IN, PLUG, PULL, climbed

ELSEWHERE = [(PULL, "1-1"), (PLUG, "1-2")]


def test_the_key_of_case_1_is_proven_dead_and_gets_its_ticket(tmp_path) -> None:
    """The mouse shows in its port and cable; the key shows nowhere."""
    script = {
        "known_good": MOUSE_IN,
        "other_port": [*ELSEWHERE, "nothing"],
        "buttons": ["nothing"],
        "other_host": ["nothing"],
    }
    with climbed(tmp_path, "nk3-dead", "nitrokey3.check", **script) as (view, _, shop):
        assert (view.verdict, view.ended.damage) == ("beyond repair", "does not enumerate")
        assert "replug ticket last" in view.ended.advice
        assert shop.bus.sent == []
