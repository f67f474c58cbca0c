"""Case 2 and its healthy twin, from the first screen to the exported record, by keys alone."""

from __future__ import annotations

from console.families.smartcardhsm.simulator import PIN
from tests.screens.showing import seen, sees, types
from tests.screens.test_app import shown

USER = PIN.decode()
NAME = "SmartCard-HSM"


async def begun(pilot, row: str, flow: str, asked: str) -> None:
    """From the bench to the first question of a flow on the device in that row."""
    await pilot.press(row, "f")
    await sees(pilot, "WHAT CAN BE DONE")
    await pilot.press(flow)
    await sees(pilot, "s start")
    await pilot.press("s")
    await sees(pilot, f"{asked} >")


async def answered(pilot, *answers: str) -> None:
    """Each question by its name, then what is typed to it."""
    for question, words in zip(answers[::2], answers[1::2], strict=True):
        await sees(pilot, f"{question} >")
        await types(pilot, words)


async def exported(pilot, bench, number: int) -> str:
    await pilot.press("e")
    await sees(pilot, f"Exported: run-{number}.jsonl, run-{number}.html, run-{number}.md")
    page = (bench.state.exports / f"run-{number}.md").read_text()
    await pilot.press("escape")
    await sees(pilot, "IS NOW")
    return " ".join(page.replace("\\", "").split())


async def restored(pilot, row: str) -> None:
    """The backup of the first device onto another, as far as the files are asked for."""
    await begun(pilot, row, "3", "backup")
    empty = ("shares", "", "keys", "", "dry_run", "", "remove_files", "")
    await answered(pilot, "backup", "DENK0100853", *empty)


async def test_case_2_from_plugged_in_to_the_exported_record(tmp_path):
    """Backed up, explained on 3.1 before it is written to, restored on 3.4, proven."""
    async with shown(tmp_path, "case-2", NAME) as (pilot, feed, bench):
        await begun(pilot, "1", "2", "keys")
        await answered(pilot, "keys", "", "pin", USER)
        await sees(pilot, "R E P A I R E D")
        await sees(pilot, "by the name DENK0100853")
        backup = await exported(pilot, bench, 1)

        bench.bus.sent.clear()
        await restored(pilot, "2")
        await sees(pilot, "R E F U S E D")
        await sees(pilot, "Firmware 3.1 exports keys that have an algorithm list")
        assert {apdu[1] for apdu in bench.bus.sent} <= {0xA4, 0xB1, 0x20, 0x52}
        refused = await exported(pilot, bench, 2)

        bench.bus.plug("1-4")
        bench.bench.look_again()
        await sees(pilot, "DENK0104377")
        await restored(pilot, "3")
        await answered(pilot, "pin", USER)
        await sees(pilot, "R E P A I R E D")
        await sees(pilot, "2 proven by a signature")
        done = await exported(pilot, bench, 3)

        assert "key-02-document-signing.wrapped.bin" in backup
        assert ("3.2 or later" in refused, "6F00" in refused) == (True, True)
        assert "Nothing was written to the device" in refused
        assert "Proven by a signature: key 2, document signing." in done
        assert USER not in backup + refused + done
        assert feed.answers().count(USER) == 2


async def test_its_healthy_twin_has_no_fault_and_a_passport(tmp_path):
    async with shown(tmp_path, "hsm-healthy", NAME) as (pilot, _, bench):
        await begun(pilot, "1", "1", "passport")
        await answered(pilot, "passport", "")
        await sees(pilot, "N O     F A U L T     F O U N D")
        for words in ("SO-PIN 15 tries left", "check value e396e9bcc17449f7", "device-passport"):
            assert words in " ".join(seen(pilot.app).split())
        record = await exported(pilot, bench, 1)

        assert ("DENK0102417" in record, "firmware 3.4" in record) == (True, True)
