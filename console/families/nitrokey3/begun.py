"""What this bench remembers of a write to this very key: begun, or seen to its end.

The rule: the key's own id finds it, never its port: the LPC55 has no serial on the bus, so only
what it answers tells that it is the one. What is not found is said to be a fresh start.
"""

from __future__ import annotations

import json

from console.families.nitrokey3.container import Chip, Image
from console.families.nitrokey3.rules import Found
from console.guide import Guide

ENDINGS = {Chip.LPC55: ("sb2",), Chip.NRF52: ("bin", "dat")}


def recall(guide: Guide, found: Found) -> None:
    """Say what an earlier run had begun on this key, or that nothing is known of one."""
    known = _last(guide, found.uuid) if found.uuid else None
    if known is not None and not known.get("done"):
        guide.tell(
            f"An earlier run here began to write {known.get('version', 'firmware')} to this very "
            f"key (its id ends in {found.uuid[-4:]}) and did not see the end.",
            "This run starts from what the key holds now; take the same file.",
        )
    elif found.loader:
        guide.tell(
            "No run here has begun a write on a key of this id: I start fresh.",
            "What it ran before, only its owner knows.",
        )


def remember(guide: Guide, image: Image, *ids: str) -> None:
    """Keep the image that is about to be written, and for whom: before the first byte."""
    parts = (image.sent, image.init)
    for data, ending in zip(parts, ENDINGS[image.chip], strict=False):
        name = f"image-{image.version}-{image.chip}.{ending}"
        guide.keep(name, data, "The image that this run wrote.")
    _note(guide, image, ids, "begun")


def settle(guide: Guide, image: Image, *ids: str) -> None:
    """The key has said itself that it runs it: the write is at its end."""
    _note(guide, image, ids, "done")


def _note(guide: Guide, image: Image, ids: tuple[str, ...], how: str) -> None:
    told = {"version": str(image.version), "sha256": image.sha256, "done": how == "done"}
    for one in sorted({one for one in ids if one}):
        name = f"write-{one}-{how}.json"
        guide.keep(name, json.dumps(told).encode(), f"For a later run: this write is {how}.")


def _last(guide: Guide, uuid: str) -> dict[str, object] | None:
    kept = guide.last_kept(f"write-{uuid}-")
    try:
        found = json.loads(kept) if kept else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
