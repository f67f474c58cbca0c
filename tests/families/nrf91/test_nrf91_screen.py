"""The fifth case from the first screen to the exported record, by keys alone."""

from __future__ import annotations

import json

from tests.families.nrf91.modem_bench import CONTENTS, LOST, at_the_switch, digest_of, sheet
from tests.screens.showing import seen, sees, types
from tests.screens.test_app import shown

IMEI = "352656100000025"


def switch(bench) -> None:
    """Somebody stands at the board, and switches it whenever a run asks for hands."""
    done = set()

    def hear(message: dict) -> None:
        if "run" not in message:
            return
        view = bench.bench.runs()[message["run"]]
        if view.wait is not None and view.wait.since not in done:
            done.add(view.wait.since)
            at_the_switch(bench.bus, view)

    bench.bench.listen(hear)


async def test_case_5_is_found_restored_proven_and_exported_from_the_keyboard(tmp_path):
    """The picture is taken, one entry is missing, it is put back, and both pictures are kept."""
    path = sheet(tmp_path / "sheet", *CONTENTS)
    async with shown(tmp_path / "state", "case-5", "Thingy:91") as (pilot, feed, bench):
        switch(bench)
        store = bench.bus.simulator("1-1").modem.store
        before = {entry.pair: entry.digest for entry in store.entries}
        await pilot.press("f", "1", "s")
        await sees(pilot, "sheet >")
        await types(pilot, path)
        await sees(pilot, "U N F I N I S H E D")
        assert "missing: tag 3 client certificate" in " ".join(seen(pilot.app).split())
        await pilot.press("escape", "f", "2", "s")
        await sees(pilot, "sheet >")
        await types(pilot, path)
        await sees(pilot, "rewrites_at_start >")
        await types(pilot, "no")
        await sees(pilot, "R E P A I R E D")
        await pilot.press("e")
        await sees(pilot, "Exported: run-2.jsonl, run-2.html, run-2.md in")
        exports = bench.state.exports
        after = {entry.pair: entry.digest for entry in store.entries}

        assert feed.answers() == [path, path, "no"]
        assert after == before | {LOST: digest_of(CONTENTS[LOST])}
        events = [json.loads(line) for line in (exports / "run-2.jsonl").read_text().splitlines()]
        kept = [event["name"] for event in events if event.get("event") == "ArtefactKept"]
        moments = ("before", "after", "after-power-cycle")
        assert kept == [f"credentials-{IMEI}-{moment}.json" for moment in moments]
        for name in ("run-2.html", "run-2.md"):
            page = " ".join((exports / name).read_text().split())
            assert "before and after a power cycle" in page
            assert "BEGIN" not in page
        assert all(each in (exports / "run-2.html").read_text() for each in kept)
