"""The simulated keys, held honest by the vendor's SDK and by NXP's own host."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.families.nitrokey3.container import release
from tests.oracle import tell

HERE = Path(__file__).parent
UUID = "00112233445566778899AABBCCDDEEFF"


def sdk(chip: str) -> dict:
    return json.loads(tell("hosts", HERE / "oracle_sdk.py", str(release().path), chip))


def broken(case: str) -> dict:
    return json.loads(tell("hosts", HERE / "oracle_sdk_nrf52.py", str(release().path), case))


def spsdk(case: str, tmp_path: Path, *words: str) -> dict:
    image = tmp_path / "image.sb2"
    image.write_bytes(release().sb2)
    said = tell("nxp", HERE / "oracle_spsdk.py", str(image), case, *words)
    return json.loads(said.splitlines()[-1])


@pytest.mark.parametrize("chip", ["lpc55", "nrf52"])
def test_the_vendors_sdk_looks_into_the_secrets_app_and_resets_it(chip):
    """Its own client of that app: the accounts, the PIN's tries, and a new salt afterwards."""
    before, after = sdk(chip)["secrets"]

    assert before[0] == 8
    assert before[2] == before[3] == ["made-up.example:anna", "bank.example:anna"]
    assert [after[0], after[2], after[3]] == [None, [], []]
    assert before[1] != after[1]


@pytest.mark.parametrize("chip", ["lpc55", "nrf52"])
def test_the_vendors_sdk_reads_a_key_by_both_of_its_ways_in(chip):
    """Version, UUID, status and the rest, over CTAPHID and over the card reader."""
    seen = sdk(chip)

    assert (seen["version"], seen["ccid_version"]) == ("v1.5.0", "v1.5.0")
    assert {seen["uuid"], seen["ccid_uuid"], seen["uuid_after"]} == {UUID}
    assert (seen["variant"], seen["ccid_variant"]) == (chip.upper(), chip.upper())
    assert (seen["locked"], seen["random"], seen["init"]) == (True, 57, 0)
    assert seen["info"] == ["U2F_V2", "FIDO_2_0", "FIDO_2_1"]


def test_the_vendors_updater_updates_an_lpc55_byte_for_byte():
    """Touch, reboot, its order of commands, the pause at the boot section, and the version."""
    seen = sdk("lpc55")

    assert (seen["same"], seen["updated"], seen["version_after"]) == (True, "v1.7.2", "v1.7.2")
    assert seen["sha256"] == hashlib.sha256(release().sb2).hexdigest()
    assert (seen["commands"], seen["slept"]) == ([7, 8, 11], [0.1])
    assert seen["bootloader_uuid"] == UUID


def test_the_vendors_updater_updates_an_nrf52_byte_for_byte():
    """The operations that were seen of it elsewhere, and writes of 1024 bytes at most."""
    seen = sdk("nrf52")

    assert (seen["same"], seen["updated"], seen["version_after"]) == (True, "v1.7.2", "v1.7.2")
    assert seen["sha256"] == hashlib.sha256(release().bin).hexdigest()
    assert (seen["ops"], seen["longest_write"]) == ([9, 2, 7, 6, 1, 8, 3, 4], 1024)


def test_the_vendors_host_resumes_on_the_nrf52_where_it_was_killed():
    """The accepted packet is executed and not created again; the object is filled up."""
    seen = broken("cut")

    assert seen["ends"] == ["KeyboardInterrupt", "done"]
    assert seen["ops"] == [9, 2, 7, 6, 4, 6, 8, 8, 3, 4, 1]
    assert (seen["same"], seen["ids"]) == (True, "20a0:42b2")


def test_the_vendors_host_fails_at_a_dropped_write_and_finishes_in_its_second_run():
    """Its own way back: create rolls back to what was committed."""
    seen = broken("dropped")

    assert (len(seen["ends"]), seen["ends"][-1], seen["same"]) == (2, "done", True)


def test_the_vendors_host_does_not_notice_a_lost_answer_to_create():
    """A weakness that was seen of it elsewhere too; the work was done."""
    seen = broken("create-lost")

    assert (seen["ends"], seen["same"]) == (["done"], True)


def test_nxps_own_host_knows_the_rom(tmp_path):
    """Its properties, a refused erase, the file, the reset: as the chip's maker reads them."""
    seen = spsdk("healthy", tmp_path)

    assert seen["uuid"] == UUID.lower()
    assert seen["properties"] >= 15
    assert (seen["sealed"], seen["sealed_status"]) == (False, 10001)
    assert (seen["taken"], seen["status"], seen["reset"], seen["gone"]) == (True, 0, True, "reset")
    assert (seen["same"], seen["complete"]) == (True, True)


@pytest.mark.parametrize("case", ["late", "never"])
def test_nxps_own_host_gives_up_after_two_seconds_as_in_case_1(case, tmp_path):
    """All bytes are there, the answer is not: the error of the field, and no whole image."""
    seen = spsdk(case, tmp_path)

    assert seen["error"] == "McuBootConnectionError"
    assert (seen["same"], seen["complete"]) == (True, False)


@pytest.mark.parametrize("words", [(), ("errors",)])
@pytest.mark.parametrize(
    ("case", "status", "complete"), [("signature", 10101, False), ("rollback", 10115, True)]
)
def test_nxps_own_host_reads_why_a_file_was_refused(case, status, complete, words, tmp_path):
    """Whether or not it looks at the IN side while it sends; a rollback costs nothing."""
    seen = spsdk(case, tmp_path, *words)

    assert (seen["taken"], seen["status"]) == (False, status)
    assert seen["complete"] is complete


def test_nxps_own_host_counts_a_lost_answer_to_reset_as_success(tmp_path):
    """The device is gone, and that is what was asked for."""
    seen = spsdk("reset-lost", tmp_path)

    assert (seen["reset"], seen["gone"], seen["complete"]) == (True, "reset", True)


def test_nxps_own_host_fails_at_the_first_write_of_a_bad_attachment(tmp_path):
    """As behind a hypervisor that did not reset the bus."""
    assert spsdk("refused", tmp_path)["error"] == "McuBootError"
