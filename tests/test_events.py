"""Events to JSON and back: every kind, kinds not known here, and what another program wrote."""

from __future__ import annotations

import dataclasses
import json
import types
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import events
from console.codec import KINDS, from_json, to_json
from console.events import Device, RunEnded, Told, Unknown

HEAD = {"n", "at", "mono", "boot", "prev", "hash", "event"}
QUICK = settings(max_examples=25, deadline=None, database=None)
TEXT = st.text(max_size=12)


def values(hint: typing.Any) -> st.SearchStrategy:
    """Any value of a field's type hint."""
    if typing.get_origin(hint) is tuple:
        return st.lists(values(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if dataclasses.is_dataclass(hint):
        return made(hint)
    return {
        str: TEXT,
        bool: st.booleans(),
        int: st.integers(-(2**40), 2**40),
        float: st.floats(allow_nan=False),
    }[hint]


def made(kind: type) -> st.SearchStrategy:
    """Any instance of a dataclass, from its type hints."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{f.name: values(hints[f.name]) for f in dataclasses.fields(kind)})


def through_json(fields: dict) -> dict:
    """What another process reads of it."""
    return json.loads(json.dumps(fields))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_event_is_the_same_after_json(kind):
    """Whatever its fields hold, also text that no terminal can show."""

    @QUICK
    @given(made(kind))
    def same(event):
        assert event == from_json(through_json(to_json(event)))

    same()


def test_every_dataclass_of_the_module_is_an_event_or_a_part_of_one():
    """An event that was left out of the union could be written and never read."""
    parts = {"Node", "Card", "Device", "Introduction", "PlannedStep", "Unknown"}
    there = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }

    assert there - parts == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_field_is_called_like_the_head_of_a_line(kind):
    """A journal's line is flat: such a field would hide the line's number, time or hash."""
    assert {field.name for field in dataclasses.fields(kind)} & HEAD == set()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_has_a_type_that_can_be_read_back(kind):
    """Texts, numbers, truths, tuples and records of those: nothing else."""

    def plain(hint) -> bool:
        if typing.get_origin(hint) is tuple:
            inner, dots = typing.get_args(hint)
            return dots is Ellipsis and plain(inner)
        if dataclasses.is_dataclass(hint):
            return all(plain(part) for part in typing.get_type_hints(hint).values())
        return hint in (str, bool, int, float)

    assert all(plain(hint) for hint in typing.get_type_hints(kind).values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(
    name=TEXT.filter(lambda name: name not in KINDS),
    fields=st.dictionaries(TEXT.filter(lambda name: name != "event"), JSON, max_size=4),
)
def test_a_kind_not_known_here_is_kept_byte_for_byte(name, fields):
    """An older program must not lose what a newer one wrote."""
    written = json.dumps({"event": name, **fields})
    kept = from_json(json.loads(written))

    assert kept == Unknown(name, fields)
    assert written == json.dumps(to_json(kept))


def test_an_extra_field_of_a_newer_program_is_passed_over():
    """A fact that gained a field is still that fact."""
    assert Told("It is erased.") == from_json(
        {"event": "Told", "sentence": "It is erased.", "advice": "", "colour": "red"}
    )


def test_a_field_that_is_lacking_has_its_default():
    """A fact that an older program wrote without today's fields is still that fact."""
    assert Told("Done.", "") == from_json({"event": "Told", "sentence": "Done."})


WRONG = {
    "a field without default is lacking": {"event": "Told"},
    "a number where a text belongs": {"event": "Told", "sentence": 5},
    "nothing where a text belongs": {"event": "Told", "sentence": None},
    "a text where a list belongs": {
        **to_json(RunEnded("repaired", "done", "It is.")),
        "proof": "abc",
    },
    "an object where a list belongs": {
        **to_json(RunEnded("repaired", "done", "It is.")),
        "proof": {"a": "b"},
    },
    "a list with something else in it": {
        **to_json(RunEnded("repaired", "done", "It is.")),
        "proof": ["a", 5],
    },
    "a truth where a number belongs": {"event": "BenchStarted", "version": "1", "pid": True},
    "a number where a truth belongs": {"event": "Asked"}
    | {"question": "q", "kind": "text", "text": "?", "waits": 1},
    "a truth where seconds belong": {"event": "WaitStarted", "what": "it", "who": "you"}
    | {"usual": True},
    "more seconds than there are": {"event": "WaitStarted", "what": "it", "who": "you"}
    | {"usual": 10**400},
    "a text where a device belongs": {"event": "DeviceChanged", "device": "port visit vid pid"},
    "a list where a device belongs": {"event": "DeviceChanged", "device": ["port"]},
    "nothing where a device belongs": {"event": "DeviceChanged", "device": None},
    "a device without its port": {"event": "DeviceChanged", "device": {"vid": "1d50"}},
    "a node that is a text": {"event": "DeviceChanged"}
    | {"device": {"port": "1", "visit": "v", "vid": "1", "pid": "2", "nodes": ["x"]}},
}


@pytest.mark.parametrize("why", WRONG)
def test_a_known_kind_of_a_wrong_shape_is_kept_as_unknown(why):
    """It is neither believed nor dropped."""
    fields = WRONG[why]
    kept = from_json(fields)

    assert isinstance(kept, Unknown)
    assert fields == to_json(kept)


@QUICK
@given(st.sampled_from(sorted(KINDS)), st.dictionaries(TEXT, JSON, max_size=4), st.data())
def test_no_json_object_at_all_makes_reading_fail(name, fields, data):
    """A journal is read to its end, whatever somebody wrote into it."""
    known = [field.name for field in dataclasses.fields(KINDS[name])]
    wild = {field: data.draw(JSON) for field in known if data.draw(st.booleans())}
    event = from_json({"event": name, **fields, **wild})

    assert isinstance(event, KINDS[name] | Unknown)
    assert isinstance(through_json(to_json(event)), dict)


def test_whole_seconds_are_read_as_seconds():
    """JSON of other programs writes 3.0 as 3."""
    event = from_json({"event": "WaitStarted", "what": "it", "who": "you", "limit": 3})

    assert (3.0, float) == (event.limit, type(event.limit))


def test_an_event_cannot_be_changed():
    """A fact stays as it was written down."""
    told = Told("It is erased.")
    with pytest.raises(dataclasses.FrozenInstanceError):
        told.sentence = "It is not."  # type: ignore[misc]


def test_a_device_reads_back_with_its_nodes_as_they_were():
    """Records within records keep their types."""
    device = Device("1-1", "v1", "1d50", "607f", nodes=(events.Node("/dev/x", "usb", False, "no"),))
    read = from_json(through_json(to_json(events.DeviceChanged(device))))

    assert read == events.DeviceChanged(device)
    assert isinstance(read.device.nodes[0], events.Node)


def test_the_kinds_are_the_members_of_the_union():
    """The type that is checked and the table that is read from are one list."""
    members = {kind.__name__ for kind in typing.get_args(events.Event)} - {"Unknown"}

    assert members == set(KINDS)
    assert isinstance(events.Event, types.UnionType)
