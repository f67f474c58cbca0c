"""The flows of a device as text, and one flow before it starts."""

from __future__ import annotations

import dataclasses

import pytest

from console.cards import absent_card, card
from console.families import found
from screens.flow_page import flow_lines, flow_list, flow_words
from screens.flows import DeadPage, FlowPage, FlowsPage
from screens.snapshot import NOT_SHOWN
from tests.screens.showing import device, seen, sees
from tests.screens.test_app import shown

CORE = card(device("1-1"), found())
KEY = card(device("1-1", vid="20a0", pid="42b2"), found())
NOBODY = absent_card(NOT_SHOWN, found())
OTHERS = dataclasses.replace(NOBODY, flows=tuple(f for f in NOBODY.flows if not f.ladder))


def page(shown_card, chosen=0, width=80, height=21):
    """The list as lines of plain text."""
    return [text.plain for text in flow_list(shown_card, chosen, width, height)]


@pytest.mark.parametrize("offered", [CORE, KEY, OTHERS], ids=lambda offered: offered.name)
@pytest.mark.parametrize(("width", "height"), [(80, 21), (60, 17), (40, 9), (120, 37)])
def test_whichever_flow_is_chosen_is_seen_with_what_it_does(offered, width, height):
    """Every one can be reached with the arrows, and none is opened unseen."""
    for chosen, flow in enumerate(offered.flows):
        lines = page(offered, chosen, width, height)

        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        (marked,) = [text for text in lines if text.startswith(" >")]
        assert flow.id.partition(".")[2] in marked
        if (width, height) == (80, 21):
            assert flow.title in marked
            assert " ".join(flow.about.split())[:60] in " ".join(" ".join(lines).split())


def test_at_80_by_24_every_flow_of_a_device_stands_on_its_line():
    """With its number as far as there are keys, and its word before its title."""
    lines = page(KEY)

    assert all(any(flow.title in text for text in lines) for flow in KEY.flows)
    assert " >1 nitrokey3.check  Ask it how it is" in lines
    assert any("generic.check" in text for text in lines)
    assert any(text.startswith("  2 rekey ") for text in page(CORE))


def test_what_does_not_fit_is_counted_at_both_ends():
    """So nobody takes the end of the page for the end of the list."""
    first, middle, last = (page(OTHERS, at) for at in (0, 12, len(OTHERS.flows) - 1))

    assert any(".. " in text and " more" in text for text in first)
    assert 2 == sum(".. " in text and " more" in text for text in middle)
    shown_at_once = sum(text.startswith(("  ", " >")) and "." in text for text in last)
    assert shown_at_once >= 8


def test_a_flow_has_the_word_that_the_command_line_takes():
    """The family's own goes before the one that any device has; without a device: in full."""
    own = dict(zip((f.id for f in CORE.flows), flow_words(CORE.flows), strict=True))
    full = flow_words(OTHERS.flows, in_full=True)
    unknown = card(device("1-1", vid="1a86", pid="7523"), found())

    assert ("rekey", "check") == (own["particle.rekey"], own["particle.check"])
    assert "generic.check" == own["generic.check"]
    assert ("check",) == flow_words(unknown.flows)
    assert "openpgp.flash" in flow_words(KEY.flows)
    assert full == tuple(flow.id for flow in OTHERS.flows)


def test_a_flow_says_on_what_and_of_which_family():
    """Before it starts."""
    lines = [text.plain for text in flow_lines(CORE.flows[1], CORE.name, 80)]

    assert f" rekey (family particle) on: {' '.join(CORE.name.split())}" == lines[0]


async def test_the_other_flows_of_a_device_that_is_not_shown_are_no_ladders(tmp_path):
    """Each with its family; the one that the mark is on is the one that opens."""
    async with shown(tmp_path, "core-healthy") as (pilot, feed, _):
        await pilot.press("d")
        assert isinstance(pilot.app.screen, DeadPage)
        await pilot.press("f")
        await sees(pilot, "WHAT CAN BE DONE")
        assert "Why is it not shown" not in seen(pilot.app)
        await sees(pilot, ">1 nitrokey3.")
        await pilot.press(*(["down"] * 10))
        (marked,) = [text for text in seen(pilot.app).splitlines() if text.startswith(" >")]
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, FlowPage)
        family, _, word = marked.split()[1].partition(".")
        await sees(pilot, f"{word} (family {family}) on: a device that is not shown")
        assert not feed.asked


async def test_the_chosen_flow_is_the_one_that_opens(tmp_path):
    """Also one that was below the edge of the page."""
    async with shown(tmp_path, "nk3-healthy", "Nitrokey 3") as (pilot, _, _bench):
        await pilot.press("f")
        assert isinstance(pilot.app.screen, FlowsPage)
        await pilot.press(*(["down"] * 20))
        await sees(pilot, "generic.check")
        (marked,) = [text for text in seen(pilot.app).splitlines() if text.startswith(" >")]
        assert "generic.check" in marked
        await pilot.press("enter")
        await sees(pilot, "check (family generic) on: Nitrokey 3")
