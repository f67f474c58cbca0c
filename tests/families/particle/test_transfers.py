"""The size of a transfer that a device declares: what cannot be sent so is not begun."""

from __future__ import annotations

import pytest

from console.families.particle.simulator_dfu import Faults
from tests.families.particle.boards import on_the_bench
from tests.families.particle.images import K, vectors
from tests.harness import workshop


@pytest.mark.parametrize("size", [1, 8, 63])
def test_transfers_smaller_than_a_packet_are_refused_before_anything_is_erased(tmp_path, size):
    """No block would go through."""
    path = tmp_path / "a.bin"
    path.write_bytes(vectors(K))
    answers = {"image": str(path), "source": "server_key"}
    for flow in ("flash", "rekey", "restore"):
        scenario = on_the_bench(faults=Faults(transfer_size=size))
        with workshop(tmp_path / flow, scenario) as shop:
            wanted = {"flash": ["image"], "restore": ["source"]}.get(flow, [])
            view = shop.run(f"particle.{flow}", answers={key: answers[key] for key in wanted})
            assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
            assert f"blocks of {size} bytes" in view.ended.sentence
            assert shop.bus.simulator().counts.erased == []
