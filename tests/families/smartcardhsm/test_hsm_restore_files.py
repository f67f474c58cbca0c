"""The files that are brought to a restore: how they are named, and which are removed after it."""

from __future__ import annotations

import pytest

from console.errors import BadUsage
from console.families.smartcardhsm.approach import named_files, read_file
from console.families.smartcardhsm.simulator import with_key
from tests.families.smartcardhsm.restoring import RESTORE, keys_of, waiting
from tests.families.smartcardhsm.sticks import (
    USER,
    backed_up,
    bench,
    card,
    initialised,
    quick,
    sealed,
    with_ec,
)
from tests.harness import workshop

__all__ = ["quick"]


def test_only_files_that_were_read_are_removed(tmp_path, quick):
    """The shares were named as a folder, in which other keys and notes lie as well."""
    two = card(setup=lambda made: with_key(with_ec(made), 2, "second"))
    with workshop(tmp_path, bench(two, card("DENK0109002", setup=waiting(1)))) as shop:
        files = backed_up(shop, shop.state.inbox / "2243")
        sealed(files / "a.pbe", b"geheim")
        (files / "note.txt").write_text("the only copy")
        (files / "device-passport.json").write_text("{}")
        first, second = sorted(files.glob("*.bin"))
        answers = {"backup": str(first), "shares": str(files), "share_passwords": "geheim"}
        answers |= {"pin": USER, "remove_files": "remove"}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "repaired", view.ended
        left = {path.name for path in files.iterdir()}
        assert left == {second.name, "note.txt", "device-passport.json"}


def test_a_list_of_paths_may_be_longer_than_any_name(tmp_path):
    """As a list no file system takes it for the name of one file."""

    def eight(made):
        for number in range(1, 9):
            made = with_key(made, number, f"customer key number {number}")
        return made

    source = card(setup=lambda made: eight(initialised(made)))
    with workshop(tmp_path / "shop", bench(source, card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        names = sorted(path.name for path in files.iterdir())
        listed = ", ".join([str(files / names[0]), *names[1:]])
        assert len(listed) > 255
        view = shop.run(RESTORE, "1-2", answers={"backup": listed, "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert len(keys_of(shop, "1-2")) == 8


@pytest.mark.parametrize("question", ["backup", "shares"])
@pytest.mark.parametrize("brought", [",", " ", " , ,", "/" + "x" * 5000, "a,\0b", "no-such-file"])
def test_what_names_no_file_is_refused_in_words(tmp_path, question, brought):
    with workshop(tmp_path, bench(card())) as shop:
        view = shop.run(RESTORE, answers={question: brought, "pin": USER})

        assert view.verdict == "refused", view.ended
        assert len(view.ended.sentence) < 300
        assert shop.bus.sent == []


def test_a_name_too_long_for_a_file_is_a_sentence():
    with pytest.raises(BadUsage):
        named_files(" , ")
    (path,) = named_files("x" * 5000)
    with pytest.raises(BadUsage):
        read_file(path)
