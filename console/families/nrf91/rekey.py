"""The re-key: a private key made in the modem, its request exported; or a new pair from a sheet.

The rule: a key that is made in the modem never leaves it; what leaves is the request, and it is
the proof. The old key is gone from its deletion on, so everything is checked before.
"""

from __future__ import annotations

from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequest

from console.errors import GateClosed, RecordError, Refused, Silent, Stopped
from console.events import Verdict
from console.families.nrf91 import attestation
from console.families.nrf91.approach import (
    FIND,
    IDENTIFY,
    NOTHING,
    PICTURE,
    READ,
    SUPPLY,
    Patient,
    find_port,
    meet,
    modem_at,
    read_sheet,
    require_supply,
)
from console.families.nrf91.cycle import STEPS as CYCLE
from console.families.nrf91.cycle import Work, proven
from console.families.nrf91.modem import Modem
from console.families.nrf91.reset import tags_of
from console.families.nrf91.restore import REPLACE
from console.families.nrf91.sheet import Sheet, require_passable
from console.families.nrf91.store import Entry, Type, name_of
from console.families.nrf91.writing import (
    EXISTS,
    STEPS,
    Touch,
    broke_off,
    change_inactive,
    offline,
    put,
)
from console.flow import Flow, Kind, Outcome, Question
from console.guide import Guide

SHEET = Question(
    "sheet",
    Kind.FILE,
    "A job sheet with the new key and certificate? Empty: the modem makes a key itself.",
    optional=True,
)
TAG = Question("tags", Kind.TEXT, "The tag that gets the key (a number; nRF Cloud uses 16842753)?")


def rekey(guide: Guide) -> Outcome:
    path = guide.ask(SHEET)
    if path:
        return _from_sheet(guide, read_sheet(guide, path))
    tags = tags_of(guide.ask(TAG) or "")
    if len(tags) != 1:
        raise GateClosed("One tag at a time gets a new key.", NOTHING)
    return _in_modem(guide, tags[0])


def _agreed(guide: Guide, patient: Patient, pairs: tuple[tuple[int, int], ...]) -> None:
    """Consent to the loss of what lies there now. Raises Stopped."""
    there = [name_of(*pair) for pair in pairs if patient.picture.find(*pair)]
    text = f"{', '.join(there)}: what is there now cannot be read out and is gone then. Replace it?"
    if there and guide.ask(REPLACE, text) != "yes":
        raise Stopped("What is there was to stay.", NOTHING)


# --- a new pair from the sheet -----------------------------------------------------------------


def _from_sheet(guide: Guide, sheet: Sheet) -> Outcome:
    for item in sheet.items:
        if item.type is Type.KEY and sheet.find(item.tag, Type.CERT) is None:
            raise GateClosed(
                f"The sheet has a key for tag {item.tag} and no certificate of it.",
                f"{NOTHING} A new key needs its new certificate; both go in together.",
            )
    if not any(item.type in (Type.KEY, Type.PSK) for item in sheet.items):
        raise GateClosed(
            "The sheet holds no new key.", f"{NOTHING} For certificates alone: run restore."
        )
    port = guide.step(FIND, find_port, guide, found=str)
    with modem_at(guide, port) as modem:
        patient = meet(guide, modem, port)
        sheet = sheet.stored_by(modem.way)
        # One without a digest may be the old key: a re-key leaves nothing to luck.
        there = patient.picture.find
        items = tuple(item for item in sheet.items if not item.is_proven_by(there(*item.pair)))
        if not items:
            sentence = f"The modem holds this very pair already. {NOTHING}"
            return Outcome(Verdict.NO_FAULT, sentence)
        require_passable(items, modem.way)
        require_supply(patient)
        _agreed(guide, patient, tuple(item.pair for item in items))
        touches = tuple(put(i, patient.picture.find(*i.pair) is not None) for i in items)
        written = change_inactive(guide, modem, patient, touches)
    if written.error is not None or written.picture is None:
        return broke_off(patient, written, touches, "rekey")
    advice = "The other entries are as they were. The cloud must accept the new certificate."
    work = Work.by_sheet("Re-keyed", items, written.picture, "rekey", advice)
    return proven(guide, patient, written.picture, work, (item.pair for item in items))


# --- a key made in the modem ---------------------------------------------------------------------


def _in_modem(guide: Guide, tag: int) -> Outcome:
    port = guide.step(FIND, find_port, guide, found=str)
    made: list[str] = []
    pair = tag, Type.KEY
    with modem_at(guide, port) as modem:
        patient = meet(guide, modem, port)
        if patient.identity.makes_keys is False:
            raise GateClosed(
                "Its modem firmware makes no keys itself: that began with 1.3.0.",
                f"{NOTHING} Run rekey with a sheet that holds a new key and its certificate.",
            )
        require_supply(patient)
        _agreed(guide, patient, (pair,))
        device = attestation.device_in(modem.token())
        old = patient.picture.find(*pair)
        touch = Touch(
            pair,
            name_of(*pair),
            partial(_generate, tag, old, made),
            partial(_is_new, old),
        )
        written = change_inactive(guide, modem, patient, (touch,))
    if written.error is not None or written.picture is None:
        return broke_off(patient, written, (touch,), "rekey")
    request = attestation.request_of(made[-1], tag)
    if device is not None and request.claims is not None and request.claims.device != device:
        guide.warn(
            "The attestation of the request names another device than the modem's own token.",
            "The cloud will refuse it. Export the log for support.",
        )
    to_do = _exported(guide, tag, request.csr, made[-1], patient)
    work = Work(
        "Re-keyed",
        f"a new {name_of(*pair)}, made in the modem; its request is in the record",
        "listed",
        "rekey",
        "It cannot connect with it before the new certificate is in and the cloud accepts it.",
        to_do,
        (str(request),),
    )
    return proven(guide, patient, written.picture, work, (pair,))


def _generate(tag: int, old: Entry | None, made: list[str], modem: Modem) -> None:
    try:
        made.append(_made(tag, old, modem))
    except Refused as error:
        # Asked first with the old key there: firmware that makes no keys has cost nothing then.
        if old is None or error.code not in EXISTS:
            raise
        offline(modem, partial(modem.delete, tag, Type.KEY))
        made.append(_made(tag, None, modem))
    attestation.request_of(made[-1], tag)


def _made(tag: int, old: Entry | None, modem: Modem) -> str:
    """The modem's answer; asked once more where it was lost and the list shows no new key."""
    make = partial(modem.generate, tag)
    try:
        return offline(modem, make)
    except Silent as error:
        found = modem.find(tag, Type.KEY)
        if found is None or not _is_new(old, found):
            return offline(modem, make)
        if not found.digest:
            raise
        raise Silent(
            "The modem made a key, but its answer with the request was lost.",
            "Nobody knows the public half of that key.",
            waited=error.waited,
        ) from error


def _is_new(old: Entry | None, found: Entry | None) -> bool:
    if found is None:
        return False
    return old is None or not found.digest or found.digest != old.digest


def _exported(
    guide: Guide, tag: int, request: CertificateSigningRequest, answer: str, patient: Patient
) -> tuple[str, ...]:
    """Keep the request; what is still to do with it."""
    name = f"request-{tag}.pem"
    try:
        about = "The certificate signing request; its key stays in the modem."
        guide.keep(name, request.public_bytes(Encoding.PEM), about)
        about = "The request with the modem's attestation, as a cloud takes it."
        guide.keep(f"request-{tag}.txt", answer.encode() + b"\n", about)
    except RecordError as error:
        guide.warn(
            f"The key is in, but its request could not be kept: {error.sentence}",
            "Make room and run rekey again; the request is given out once.",
        )
    to_do = [f"{name} is to be signed; the certificate goes in by restore (tag {tag}, cert)."]
    if patient.picture.find(tag, Type.CERT):
        to_do.append(f"The certificate now under tag {tag} is of the old key: have it replaced.")
    return tuple(to_do)


REKEY = Flow(
    name="rekey",
    title="Give it a new private key",
    about="Has the modem make a key that never leaves it and exports the request for a "
    "certificate; or writes a new key and certificate from a job sheet.",
    plan=(READ, FIND, IDENTIFY, SUPPLY, PICTURE, *STEPS, *CYCLE),
    perform=rekey,
    questions=(SHEET, TAG, REPLACE),
    ready=("The tag on the job sheet, or a sheet with the new key and certificate.",),
    hands="switch it off and on once, at the end",
    keeps="The pictures from before and after; the request. Never a key.",
)
