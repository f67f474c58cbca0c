"""A backup of a device on which something is not whole: the rest of it still comes out.

The rule: a file is as whole as its key allows; what is missing in it, or did not come out, is said.
"""

from __future__ import annotations

import hashlib
import json

import pytest

from console.families.smartcardhsm.dkek import KCV_SIZE
from console.families.smartcardhsm.keyfile import KeyFile
from tests.families.smartcardhsm.others import BACKUP, CHECK, RESTORE, said
from tests.families.smartcardhsm.restoring import keys_of, three
from tests.families.smartcardhsm.sticks import USER, bench, card, of
from tests.harness import workshop

WRITTEN = {"description": (0xC401, 12), "certificate": (0xCE01, 300)}
PIN = {"pin": USER}


def cut(what: str):
    """Three keys; of the first, that was written in part."""

    def setup(made):
        made = three(made)
        number, size = WRITTEN[what]
        made.applet.files.put(number, made.applet.files.content(number)[:size])
        return made

    return setup


def files_of(shop, view) -> dict[int, KeyFile]:
    paths = sorted(shop.state.artefacts(view.run).glob("*.wrapped.bin"))
    found = (KeyFile.parse(path.name, path.read_bytes()) for path in paths)
    return {int(file.name.split("-key-")[1][:2]): file for file in found}


def listed(shop, view) -> dict[str, str]:
    (path,) = shop.state.artefacts(view.run).glob("*.backup.json")
    return json.loads(path.read_text())


@pytest.mark.parametrize("what", WRITTEN)
def test_what_was_written_in_part_is_left_out_and_the_keys_come_out(tmp_path, what):
    """It is what check says to do: run backup here first."""
    with workshop(tmp_path, bench(card(setup=cut(what)), card("DENK0109002"))) as shop:
        assert "Run backup here first" in shop.run(CHECK).ended.advice
        view = shop.run(BACKUP, answers=PIN)
        files = files_of(shop, view)

        assert view.verdict == "repaired", view.ended
        assert sorted(files) == [1, 2, 3]
        assert (files[1].about == b"", files[1].certificate == b"") == (
            what == "description",
            what == "certificate",
        )
        assert f"Key 1: its {what} was written in part only" in str(view.ended.warnings)

        answers = PIN | {"backup": "DENK0109001"}
        restored = shop.run(RESTORE, "1-2", answers=answers)
        assert len(keys_of(shop, "1-2")) == 3, restored.ended


def test_the_list_has_the_digests_of_the_files_as_they_are(tmp_path):
    with workshop(tmp_path, bench(card(setup=cut("certificate")))) as shop:
        view = shop.run(BACKUP, answers=PIN)
        folder = shop.state.artefacts(view.run)
        digests = listed(shop, view)

        assert len(digests) == 3
        for name, digest in digests.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def another_kind(blob: bytes) -> bytes:
    return blob[:KCV_SIZE] + b"\x63" + blob[KCV_SIZE + 1 :]


def another_check_value(blob: bytes) -> bytes:
    return bytes(KCV_SIZE)[:-1] + b"\1" + blob[KCV_SIZE:]


@pytest.mark.parametrize("change", [another_kind, another_check_value])
def test_a_key_that_comes_out_as_it_must_not_is_named_and_the_others_go_on(
    tmp_path, monkeypatch, change
):
    with workshop(tmp_path, bench(card(setup=three))) as shop:
        applet = of(shop).applet
        wrap = applet._wrap
        monkeypatch.setattr(
            applet, "_wrap", lambda it: change(wrap(it)) if it.p1 == 2 else wrap(it)
        )
        view = shop.run(BACKUP, answers=PIN)

        assert view.verdict == "unfinished", view.ended
        assert sorted(files_of(shop, view)) == [1, 3]
        assert len(listed(shop, view)) == 2
        assert 'Not exported: key 2 "key 2"' in str(view.ended.warnings)
        assert 'not exported: key 2 "key 2"' in str(view.ended.proof)
        assert "Copy the backup" not in said(view)


def test_a_backup_of_nothing_leaves_the_earlier_list_the_newest(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=three), card("DENK0109002"))) as shop:
        assert shop.run(BACKUP, answers=PIN).verdict == "repaired"
        applet = of(shop).applet
        wrap = applet._wrap
        monkeypatch.setattr(applet, "_wrap", lambda it: another_kind(wrap(it)))
        view = shop.run(BACKUP, answers=PIN)

        assert view.verdict == "unfinished", view.ended
        assert list(shop.state.artefacts(view.run).glob("*.backup.json")) == []
        assert view.ended.to_do == ()
        restored = shop.run(RESTORE, "1-2", answers=PIN | {"backup": "DENK0109001"})
        assert restored.verdict == "repaired", restored.ended
