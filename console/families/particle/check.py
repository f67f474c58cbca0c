"""The check of the keys: it reads, says what it found, and leaves everything as it was."""

from __future__ import annotations

from console.events import Verdict
from console.families.particle import keys
from console.families.particle.approach import (
    IDENTIFY,
    PROBE,
    WALK,
    identify,
    in_dfu_mode,
    not_there,
    platform_of,
    probe,
)
from console.families.particle.client import Probe
from console.flow import Flow, Outcome
from console.guide import Guide

PEM = "public-key.pem"
RUN_REKEY = "Run rekey: it writes a key that the firmware can read, after a backup."
RESTORE_SERVER_KEY = (
    "Run restore with the server key as its source: it writes the vendor's block again."
)


def check(guide: Guide) -> Outcome:
    was_in_dfu = guide.mode == platform_of(guide).dfu.mode
    if not in_dfu_mode(guide):
        return not_there(platform_of(guide))
    with guide.control() as line:
        seen = probe(guide, identify(guide, line))
    if seen.private_key.key:
        guide.keep(
            PEM, keys.public_pem(seen.private_key.key), "The public half of the key that is in it."
        )
    if not was_in_dfu:
        guide.tell("It is still in DFU mode. Tap RESET to start its firmware.")
    return judged(seen)


def judged(seen: Probe) -> Outcome:
    """The verdict on what was read."""
    if seen.suspicious:
        return _fault(
            f"The {seen.platform.memory} reads the same everywhere: it is erased, or does not "
            "answer.",
            "Run rekey: one guarded erase of an unused page tells which of the two, within 10 s."
            if seen.platform.spare
            else "Run rekey, then restore: what does not read back then is the hardware.",
            seen.facts(),
        )
    if seen.private_key.content is not keys.Content.VALID:
        return _fault(seen.private_key.sentence, RUN_REKEY, seen.facts())
    if seen.server_key.content is not keys.Content.VALID:
        return _fault(seen.server_key.sentence, RESTORE_SERVER_KEY, seen.facts())
    return Outcome(
        Verdict.NO_FAULT,
        f"Both key slots hold valid keys, and the {seen.platform.memory} answers.",
        f"If it still flashes cyan and red, the cloud knows another key: compare {PEM}.",
    )


def _fault(sentence: str, advice: str, proof: tuple[str, ...]) -> Outcome:
    return Outcome(Verdict.UNFINISHED, f"Fault found: {sentence}", advice, proof)


CHECK = Flow(
    name="check",
    title="Check the keys",
    about="Reads both key slots and says what is in them. Nothing is written or erased.",
    plan=(WALK, IDENTIFY, PROBE),
    perform=check,
    ready=("The device in reach: its buttons may be needed.",),
    hands="buttons, if it is not in DFU mode yet",
    keeps="The public key, if there is a valid private key. No private byte is kept.",
)
