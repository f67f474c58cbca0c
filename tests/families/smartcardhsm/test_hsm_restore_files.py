"""The files that are brought to a restore: how they are named, and which are removed after it."""

from __future__ import annotations

from console.families.smartcardhsm.simulator import with_key
from tests.families.smartcardhsm.restoring import RESTORE, waiting
from tests.families.smartcardhsm.sticks import (
    USER,
    backed_up,
    bench,
    card,
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
