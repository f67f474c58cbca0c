"""What somebody types: any length, any letters; a sentence comes back, never a mistake of ours."""

from __future__ import annotations

import pytest

from console.errors import BadUsage
from console.families.particle.platforms import CORE
from console.families.particle.serverkey import block
from console.families.particle.typed import is_file, number, read_file
from tests.families.particle.images import K, vectors
from tests.harness import workshop

LONG = "9" * 5000
NAMES = ["x" * 300, "x" * 5000, "~nosuch/x.bin", "a\0b", "", "/", "/proc/self/mem"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_name_of_a_file_is_too_much(name):
    """Too long for the system, a home of nobody, a zero in it, a folder."""
    assert not is_file(name) or name.startswith("/proc")
    with pytest.raises(BadUsage) as caught:
        read_file(name)
    assert "cannot be read" in caught.value.sentence
    assert len(caught.value.sentence) < 400
    assert caught.value.advice.startswith("Nothing is written.")


@pytest.mark.parametrize("text", [LONG, "0x" + LONG, "-1", "0x", "0b1", "", "\u0663"])
def test_no_number_is_too_much(text):
    """It is said back short."""
    for asked in (number, lambda it: block(CORE, None, it or "0")):
        with pytest.raises(BadUsage) as caught:
            asked(text)
        assert len(caught.value.sentence) < 200


def test_a_port_and_an_address_are_what_they_were():
    """What can be meant is taken."""
    assert (number("0x0800_5000"), number("10")) == (0x08005000, 10)
    assert block(CORE, None, " 80 ")[450:452] == b"\0\x50"


@pytest.mark.parametrize(
    ("flow", "answers"),
    [
        ("restore", {"source": "backup", "backup": "x" * 300}),
        ("restore", {"source": "backup", "backup": "a\0b"}),
        ("restore", {"source": "backup", "backup": "~nosuch/a.bin"}),
        ("restore", {"source": "server_key", "server_port": LONG}),
        ("restore", {"source": "server_key", "server_address": LONG}),
        ("flash", {"image": "~nosuch/a.bin"}),
        ("flash", {"image": "a\0b"}),
        ("flash", {"image": "x" * 300}),
        ("rekey", {"device_id": LONG}),
    ],
)
def test_the_flows_refuse_it_in_words(tmp_path, flow, answers):
    """Before the device is opened."""
    with workshop(tmp_path, "core-healthy") as shop:
        view = shop.run(f"particle.{flow}", answers=answers)
        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert view.ended.advice.startswith("Nothing is written.")
        assert len(view.ended.sentence) < 400
        assert shop.bus.calls == 0


@pytest.mark.parametrize("name", ["x" * 251 + ".bin", "\u00e4" * 125 + ".bin"])
def test_an_image_with_a_long_name_is_kept_under_a_shorter_one(tmp_path, name):
    """The record's own word before it would make it too long for the disk."""
    path = tmp_path / name
    path.write_bytes(vectors(K))
    with workshop(tmp_path / "s", "core-healthy", answers={"image": str(path)}) as shop:
        view = shop.run("particle.flash")
        assert view.verdict == "repaired"
        (kept,) = shop.state.artefacts(view.run).iterdir()
        assert kept.name.startswith("image-")
        assert kept.name.endswith(name[-20:])
        assert kept.read_bytes() == vectors(K)


def test_a_backup_in_the_home_of_this_user_is_found(tmp_path, monkeypatch):
    """As the image is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"x")
    assert is_file("~/a.bin")
    assert read_file("~/a.bin") == b"x"
