"""Names that can be added, and randomness that can be repeated."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tunekit.core import seeds
from tunekit.core.registry import Registry


def test_running_the_cell_again_is_no_clash_but_another_thing_is() -> None:
    shapes: Registry[object] = Registry("shape")
    for _ in range(2):

        @shapes.register("square")
        def square() -> None: ...

    assert shapes["square"] is square
    with pytest.raises(ValueError, match="'square' is taken"):

        @shapes.register("square")
        def other() -> None: ...


def test_the_known_names_are_listed() -> None:
    shapes: Registry[int] = Registry("shape")
    shapes.register("b")(1)
    shapes.register("a")(2)
    assert list(shapes) == ["a", "b"]
    with pytest.raises(ValueError, match="unknown shape 'c': the known ones are 'a', 'b'"):
        shapes["c"]


def test_generators_differ_between_seeds_and_between_trials() -> None:
    draws = {seeds.generator(seed, number).random() for seed in range(5) for number in range(5)}
    assert len(draws) == 25


def test_seeded_surroundings_repeat_and_give_the_state_back() -> None:
    import torch

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))

    draw()
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    with seeds.seeded(3):
        first = draw()
    with seeds.seeded(3):
        second = draw()
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    assert first == second
    assert states == after


def test_sowing_is_what_each_library_calls_seeding() -> None:
    import torch

    with seeds.preserved():
        random.seed(7)
        np.random.seed(7)
        torch.manual_seed(7)
        expected = random.random(), float(np.random.random()), float(torch.rand(()))
        seeds.sow(7)
        assert (random.random(), float(np.random.random()), float(torch.rand(()))) == expected
        before = random.getstate()
        seeds.sow(None)
        assert random.getstate() == before


@pytest.mark.parametrize("seed", [-1, 0.5, "0", True])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(ValueError, match="whole number from 0"):
        seeds.check(seed)  # type: ignore[arg-type]
