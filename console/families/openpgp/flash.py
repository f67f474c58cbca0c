"""Why there is no firmware to write, product by product.

The rule: a clear no is an answer; nothing is sent.
"""

from __future__ import annotations

from console.errors import GateClosed
from console.families.openpgp.products import product_of
from console.flow import Flow, Outcome, Step
from console.guide import Guide

LOOK = Step("look", "See which product it is", usual="at once")


def flash(guide: Guide) -> Outcome:
    product = guide.step(LOOK, product_of, guide.device, found=lambda found: found.name)
    raise GateClosed(f"No firmware is written here. {product.flash}", "Nothing was sent to it.")


FLASH = Flow(
    name="flash",
    title="Why no firmware is written",
    about="Says for this product why its firmware is not written here, and what is done instead.",
    plan=(LOOK,),
    perform=flash,
)
