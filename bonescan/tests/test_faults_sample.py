"""A short run of the fault measurement: real processes, killed while they work."""

import pytest

from bench.faults import measure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_nothing_is_lost_doubled_or_stuck_while_everything_is_killed_in_turn():
    figures = measure(count=8, least=6, seed=3)
    assert figures["posted"] == 8
    assert sum(figures["faults"].values()) >= 6
    assert {name: figures[name] for name in ("not_accepted", "lost", "doubled", "stuck")} == {
        "not_accepted": 0,
        "lost": 0,
        "doubled": 0,
        "stuck": 0,
    }
    assert figures["ended"] == {"succeeded": 8}
