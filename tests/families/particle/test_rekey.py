"""A Core gets a new private key: the whole flow, at the wire, in no time."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from console.errors import Refused, Unplugged
from console.events import ArtefactKept, Damage, DeviceJudged, StepStarted
from console.families.particle import keys
from tests.families.particle.paper_core import PaperCore
from tests.families.particle.paper_host import APP, DFU, PaperHost

ID = "54ff73066672524813250167"
SERIAL = "6D7524674852"
BLANK_SLOT = b"\xff" * 1024
VECTORS = bytes.fromhex("0050002009e10108") * 3 + b"\x00\x01\x02"
WALKED = ["identify", "probe", "backup", "erase", "write", "compare", "leave"]
NO_RETURN_WARNING = ("It was not seen on USB with its firmware; the key is written and compared.",)


@pytest.fixture(scope="module")
def server_key() -> bytes:
    public = rsa.generate_private_key(65537, 2048).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def core(server_key: bytes) -> PaperCore:
    """A Core whose private-key slot is blank and whose memory works."""
    made = PaperCore()
    made.flash[0x1000 : 0x1000 + 294] = server_key
    made.flash[0x20000 : 0x20000 + len(VECTORS)] = VECTORS
    return made


def empty() -> PaperCore:
    """A Core whose external memory reads FF everywhere."""
    return PaperCore()


def slot(core: PaperCore) -> keys.Finding:
    return keys.private_slot(bytes(core.flash[0x2000:0x2400]))


def test_a_blank_slot_gets_a_key_and_the_core_comes_back(core: PaperCore) -> None:
    """The repair of the field case, had its memory worked."""
    host = PaperHost(core, confirm_erase="yes", device_id=ID, job="4711")
    host.comes = APP
    ended = host.run("rekey")
    assert (ended.verdict, ended.warnings) == ("repaired", ())
    assert host.steps() == ["unit", *WALKED]
    assert slot(core).content is keys.Content.VALID
    assert host.kept["public-key.pem"] == keys.public_pem(slot(core).key)
    assert host.kept["private-key-slot.bin"] == BLANK_SLOT
    assert ended.to_do == (f"public-key.pem is still to be registered by the customer for {ID}.",)
    assert core.erased == [0x2000]
    assert core.closed


def test_no_byte_of_a_private_key_is_in_an_event(core: PaperCore) -> None:
    """Events are exported."""
    host = PaperHost(core, confirm_erase="yes")
    host.run("rekey")
    key = slot(core).key
    told = repr(host.events).encode()
    assert not any(repr(key[at : at + 8])[2:-1].encode() in told for at in range(0, 600, 8))
    assert not any(key[at : at + 8].hex().encode() in told.lower() for at in range(0, 600, 8))
    places = {event.name: event.place for event in host.of(ArtefactKept)}
    assert places == {"private-key-slot.bin": "vault", "public-key.pem": "run"}


def test_not_coming_back_is_a_warning_and_not_a_failure(core: PaperCore) -> None:
    """Done is said at the read-back; many firmwares show nothing on USB."""
    host = PaperHost(core, confirm_erase="yes")
    ended = host.run("rekey")
    assert (ended.verdict, ended.reason, ended.damage) == ("repaired", "done", "nothing written")
    assert ended.warnings == NO_RETURN_WARNING
    assert 20 <= host.clock.now < 22


@pytest.mark.parametrize("fault", ["gone", "dead"])
def test_a_core_that_goes_before_leaving_is_still_repaired(core: PaperCore, fault: str) -> None:
    """What happens after the read-back cannot undo it."""
    host = PaperHost(core, confirm_erase="yes")
    host.broken = lambda step: setattr(core, fault, step == "leave")
    assert host.run("rekey").verdict == "repaired"


def test_a_stop_after_the_read_back_leaves_it_repaired(core: PaperCore) -> None:
    """The stop is obeyed, and the verdict says what is true."""
    host = PaperHost(core, confirm_erase="yes")
    host.stops_at = "compare"
    ended = host.run("rekey")
    assert ended.verdict == "repaired"
    assert not core.gone


def test_the_slot_is_erased_only_after_the_backup_and_the_consent(core: PaperCore) -> None:
    """Without an answer nothing is written."""
    host = PaperHost(core)
    ended = host.run("rekey")
    assert (ended.verdict, ended.reason, ended.damage) == (
        "unfinished",
        "unanswered",
        Damage.NOTHING,
    )
    assert host.kept == {"private-key-slot.bin": BLANK_SLOT}
    assert core.erased == []


def test_a_refused_consent_writes_nothing(core: PaperCore) -> None:
    """No is no."""
    ended = PaperHost(core, confirm_erase="no").run("rekey")
    assert (ended.verdict, core.erased) == ("unfinished", [])


def test_another_unit_than_the_work_orders_is_refused(core: PaperCore) -> None:
    """The serial derives from the device id, so the wrong unit is seen before it is opened."""
    other = "54ff73066672524813250168"
    ended = PaperHost(core, device_id=other, job="4711", confirm_erase="yes").run("rekey")
    assert (ended.verdict, ended.reason) == ("refused", "gate")
    assert ended.sentence.startswith(f"This is not the unit of job 4711: it has serial {SERIAL}")
    assert core.log == []


def test_a_device_id_that_cannot_be_one_is_refused_at_once(core: PaperCore) -> None:
    """A serial number is not a device id."""
    ended = PaperHost(core, device_id=SERIAL, confirm_erase="yes").run("rekey")
    assert ended.verdict == "refused"
    assert ended.sentence == (f'"{SERIAL}" is not a device id: that has 24 digits of 0-9 and a-f.')


def test_a_core_with_its_firmware_is_walked_into_dfu_and_then_checked(core: PaperCore) -> None:
    """The serial is compared only in DFU mode, where it derives from the device id."""
    host = PaperHost(core, APP, device_id=ID, confirm_erase="yes")
    host.comes = DFU
    ended = host.run("rekey")
    assert ended.verdict == "repaired"
    assert host.steps() == ["walk", "unit", *WALKED]
    assert host.of(DeviceJudged)[0].taken


def test_a_core_that_never_comes_into_dfu_ends_unfinished(core: PaperCore) -> None:
    """Ten minutes, and the words for the buttons again."""
    host = PaperHost(core, APP, confirm_erase="yes")
    ended = host.run("rekey")
    assert (ended.verdict, host.steps()) == ("unfinished", ["walk"])
    assert "let go of MODE at yellow" in ended.advice
    assert host.clock.now == pytest.approx(600, abs=1)


def test_an_erased_memory_is_told_from_a_dead_one_by_one_erase_elsewhere() -> None:
    """All FF and an erase that ends: the memory was only empty, and gets its key."""
    core = empty()
    host = PaperHost(core, confirm_erase="yes")
    ended = host.run("rekey")
    assert (ended.verdict, core.erased) == ("repaired", [0x1FF000, 0x2000])
    assert len(ended.to_do) == 2
    assert ended.warnings[-1] == "The server-key slot is blank (FF): there is no key in it."


def test_an_erase_that_hangs_is_beyond_repair_with_proof_and_not_sent_again() -> None:
    """The field case: the verdict comes in seconds, with the evidence."""
    core = empty()
    core.hangs_on_erase = True
    host = PaperHost(core, confirm_erase="yes")
    ended = host.run("rekey")
    assert (ended.verdict, ended.reason) == ("beyond repair", "fault found")
    assert ended.proof == (
        "Read at server-key slot (0x1000): 2048 bytes, all FF.",
        "Read at page of the private key (0x2000): 4096 bytes, all FF.",
        "Read at factory firmware (0x20000): 1024 bytes, all FF.",
        "Read at unused page (0x1FF000): 4096 bytes, all FF.",
        "Erase of the unused page (0x1FF000): no end within 10.1 s.",
        "No second erase was sent.",
    )
    assert core.erased == [0x1FF000]


def test_a_hang_at_the_slots_own_erase_is_beyond_repair_too(core: PaperCore) -> None:
    """The probe looked well, the erase did not end: still only one erase."""
    core.hangs_on_erase = True
    ended = PaperHost(core, confirm_erase="yes").run("rekey")
    assert (ended.verdict, core.erased) == ("beyond repair", [0x2000])
    assert ended.damage == "contents gone, bootloader alive"


@pytest.mark.parametrize("run", [b"\x00", b"\xaa\x55"])
def test_a_memory_that_repeats_itself_after_an_erase_is_beyond_repair(run: bytes) -> None:
    """The erase is said to be done, but FF does not come back."""
    core = empty()
    core.stuck = run
    ended = PaperHost(core, confirm_erase="yes").run("rekey")
    assert (ended.verdict, core.erased) == ("beyond repair", [0x1FF000])
    assert ended.proof[-1].endswith("reported as done, but it does not read FF.")


def test_a_memory_that_takes_no_writes_is_tried_twice_then_beyond_repair(core: PaperCore) -> None:
    """Silent write protection reports no error; the read-back sees it."""
    core.keeps_writes = False
    host = PaperHost(core, confirm_erase="yes")
    ended = host.run("rekey")
    assert (ended.verdict, core.erased) == ("beyond repair", [0x2000, 0x2000])
    assert len([line for line in ended.proof if "bytes read back" in line]) == 2
    assert "public-key.pem" not in host.kept


def test_a_write_that_took_at_the_second_time_is_a_repair(core: PaperCore) -> None:
    """One bad write is not a dead memory."""
    core.keeps_writes = False
    host = PaperHost(core, confirm_erase="yes")

    def heal(step: str) -> None:
        core.keeps_writes = core.keeps_writes or host.steps().count("erase") == 2

    host.broken = heal
    assert host.run("rekey").verdict == "repaired"


def test_a_protected_device_is_not_called_broken(core: PaperCore) -> None:
    """A refusal that does not accuse the memory proves nothing about it."""

    class Protected(PaperCore):
        def _erase(self, address: int) -> None:
            raise Refused("It is protected.", code="errVENDOR in dfuERROR")

    core.__class__ = Protected
    ended = PaperHost(core, confirm_erase="yes").run("rekey")
    assert (ended.verdict, ended.damage, ended.proof) == ("unfinished", Damage.NOTHING, ())


def test_a_core_pulled_between_erase_and_write_says_how_it_comes_back(core: PaperCore) -> None:
    """The slot is empty, the bootloader lives, the backup is in the vault."""
    host = PaperHost(core, confirm_erase="yes")
    host.broken = lambda step: setattr(core, "gone", step == "write")
    ended = host.run("rekey")
    assert (ended.verdict, ended.damage) == ("unfinished", Damage.HALF)
    assert "let go of MODE at yellow" in ended.advice
    assert host.kept["private-key-slot.bin"] == BLANK_SLOT


def test_what_else_lies_on_the_page_is_backed_up_and_written_again(core: PaperCore) -> None:
    """An erase takes 4 KiB, the slot is 1 KiB of it."""
    rest = bytes(range(256)) * 12
    core.flash[0x2400:0x3000] = rest
    host = PaperHost(core, confirm_erase="yes")
    assert host.run("rekey").verdict == "repaired"
    assert host.kept["private-key-page-rest.bin"] == rest
    assert bytes(core.flash[0x2400:0x3000]) == rest
    assert slot(core).content is keys.Content.VALID


def test_the_first_backup_of_a_broken_off_repair_stays_and_its_rest_is_written_again(
    core: PaperCore,
) -> None:
    """An earlier run erased the page and died; its backup holds what is gone now."""
    host = PaperHost(core, confirm_erase="yes")
    rest = bytes(range(256)) * 12
    for name, data in (("private-key-slot.bin", b"old"), ("private-key-page-rest.bin", rest)):
        digest = hashlib.sha256(data).hexdigest()
        host.first[name] = (ArtefactKept(name, "vault", digest, len(data)), data)
    ended = host.run("rekey")
    assert ended.verdict == "repaired"
    assert "private-key-slot.bin" not in host.kept
    assert bytes(core.flash[0x2400:0x3000]) == rest


def test_a_key_in_the_wrong_format_is_kept_and_put_right(core: PaperCore) -> None:
    """PKCS#8 from OpenSSL 3: the cloud may know this key, so it stays the key."""
    key = keys.new_private_key()
    wrong = load_der_private_key(key, None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    core.flash[0x2000 : 0x2000 + len(wrong)] = wrong
    host = PaperHost(core, confirm_erase="yes")
    ended = host.run("rekey")
    assert (ended.verdict, slot(core).key) == ("repaired", key)
    assert ended.to_do[0].startswith("If the key was never registered: public-key.pem is still")


def test_every_one_way_step_says_what_is_lost(core: PaperCore) -> None:
    """After the erase and until the read-back the contents are gone, and it must not be pulled."""
    host = PaperHost(core, confirm_erase="yes")
    host.run("rekey")
    one_way = {event.step: event.damage for event in host.of(StepStarted) if not event.undoable}
    assert one_way == dict.fromkeys(("erase", "write", "compare"), Damage.HALF.value)


def test_a_device_that_goes_while_the_question_is_open_loses_nothing(core: PaperCore) -> None:
    """It is noticed before the erase is said to have begun."""
    host = PaperHost(core, confirm_erase="yes")
    given = host.given

    def pulled(question: str) -> object:
        core.gone = question == "confirm_erase"
        return given(question)

    host.given = pulled  # type: ignore[method-assign,assignment]
    ended = host.run("rekey")
    assert (ended.verdict, ended.damage) == ("unfinished", Damage.NOTHING)
    assert Unplugged.advice_by_default == ended.advice
