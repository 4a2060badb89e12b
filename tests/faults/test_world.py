"""The live engines in virtual time, against a market whose truth is known and a bad network.

A thousand connections in the ordinary run; `make soak` makes a hundred thousand. A failing world
is repeated by its name and seed: add it to `SEEDS`.
"""

from __future__ import annotations

import pytest

from tests.faults.soak_world import KINDS, SEEDS, explored, tried
from tests.faults.world import Faults, World, problems


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_in_silence(kind: str, seed: int) -> None:
    """Whatever the network does: no row twice, none invented, and every loss declared."""
    result = tried(kind, seed)
    assert result.problems == [], f"{kind}, seed {seed}: {result.problems}"
    assert result.connections > 5


def test_every_kind_of_trouble_has_happened() -> None:
    """The worlds are bad enough to prove something: cuts, repairs, and losses beyond repair."""
    results = [tried(kind, seed) for kind in KINDS for seed in SEEDS[:1]]
    assert sum(result.connections for result in results) > 50
    assert sum(result.repaired for result in results) > 30
    assert sum(result.lost for result in results) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_without_faults_nothing_is_repaired(kind: str) -> None:
    """A good network: one connection, no gap, and all is there."""
    result = explored(kind, 1, Faults(), seconds=120)
    assert result.problems == []
    assert (result.connections, result.repaired, result.lost) == (1, 0, 0)


def test_the_same_seed_is_the_same_world() -> None:
    """Frames, connections and gaps are all the same, so that a failure can be repeated."""
    assert tried("exchange", 3) == tried("exchange", 3)


def test_the_comparison_finds_what_is_wrong() -> None:
    """A frame that lost, doubled or changed a row, or a stale book, is told from the truth."""
    world = KINDS["exchange"](5, Faults())
    world.begin()
    world.run(60)
    world.calm()
    assert problems(world) == []
    frame = world.watch.trades
    assert frame is not None
    whole = frame._visible
    ids = whole.arrays["id"]
    kept, ids[whole.stop - 30] = ids[whole.stop - 30], ids[whole.stop - 31]
    assert {"trades doubled", "1 trades lost in silence, the first " + kept} <= set(problems(world))
    ids[whole.stop - 30] = kept
    whole.arrays["price"][whole.stop - 30] += 0.5
    assert problems(world) == [f"trade {kept} invented or wrong"]
    whole.arrays["price"][whole.stop - 30] -= 0.5
    bars = world.watch.klines
    assert bars is not None
    bars._visible.arrays["volume"][bars._visible.stop - 1] += 1.0
    assert any("is wrong" in told for told in problems(world))
    world.watch.books["btcusdt"].interrupted("", world.moment())
    assert "the book is not whole" in problems(world)


def test_history_is_joined_to_the_stream_without_a_seam() -> None:
    """The past of the venue's page and the stream's first trades are one sequence."""
    world: World = KINDS["v1"](8, Faults())
    world.begin()
    world.run(30)
    assert world.watch.trades is not None
    ids = [int(id_) for id_ in world.watch.trades.frame()["id"]]
    assert ids == list(range(ids[0], ids[-1] + 1))
    assert len(ids) > 200
    assert world.watch.is_filled
