"""What an example is to a person: the kind is picked, pictures go there and back, sounds are waves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tunekit.insight.examples import Examples, examples_of


def made(x: Tensor, **options: Any) -> Examples:
    return examples_of({index: x[index : index + 1] for index in range(len(x))}, len(x), **options)


@pytest.mark.parametrize(
    ("x", "options", "kind"),
    [
        (torch.rand(3, 1, 6, 5), {}, "image"),
        (torch.rand(3, 3, 6, 5), {}, "image"),
        (torch.rand(3, 13, 48), {}, None),
        (torch.rand(3, 13, 48), {"kind": "image"}, "image"),
        (torch.rand(3, 8), {}, None),
        (torch.rand(3, 8), {"raw": ["a", "b", "c"]}, "text"),
        (torch.rand(3, 8), {"raw": np.zeros((3, 100)), "rate": 8000}, "sound"),
        (torch.rand(3, 8), {"raw": np.zeros((3, 9, 9))}, "image"),
        (torch.rand(3, 8), {"raw": np.zeros((3, 9, 9, 3), dtype=np.uint8)}, "image"),
        (torch.rand(3, 8), {"kind": "sound", "rate": 8}, "sound"),
    ],
)
def test_the_kind_is_picked_from_the_data(x: Tensor, options: Any, kind: str | None) -> None:
    assert made(x, **options).kind == kind


@settings(deadline=None)
@given(st.sampled_from([(1, 4, 5), (3, 4, 5), (4, 5)]), st.floats(-3, 3), st.floats(0.1, 4), st.integers(0, 99))
def test_a_picture_goes_there_and_back(shape: tuple[int, ...], low: float, span: float, seed: int) -> None:
    x = torch.rand(6, *shape, generator=torch.Generator().manual_seed(seed)) * span + low
    examples = made(x, kind="image")
    picture = examples.picture(2)
    assert picture.shape == ((4, 5, 3) if shape[0] == 3 and len(shape) == 3 else (4, 5))
    assert 0 <= picture.min() <= picture.max() <= 1
    back = examples.prepared(picture)
    assert isinstance(back, Tensor)
    assert back.dtype == x.dtype
    assert torch.allclose(back, x[2:3], atol=1e-4)


def test_one_draws_in_what_the_data_have_less_of() -> None:
    ink = torch.zeros(2, 1, 8, 8)
    ink[:, :, 3] = 1
    assert made(ink).canvas is not None
    assert [examples.canvas.is_light for examples in (made(ink), made(1 - ink)) if examples.canvas] == [False, True]


def test_raw_pictures_are_drawn_on_only_with_prepare() -> None:
    raw = np.full((3, 4, 4), 255, dtype=np.uint8)
    examples = made(torch.rand(3, 8), raw=raw)
    assert examples.picture(0).tolist() == np.ones((4, 4)).tolist()
    assert not examples.takes_new
    with pytest.raises(ValueError, match="prepare"):
        examples.prepared(np.zeros((4, 4)))
    flat = made(torch.rand(3, 16), raw=raw, prepare=np.ravel)
    assert flat.takes_new
    back = flat.prepared(np.zeros((4, 4), dtype=np.float32))
    assert isinstance(back, Tensor)
    assert back.shape == (1, 16)


def test_prepare_may_return_several_inputs() -> None:
    prepare = lambda words: {"ids": torch.zeros(5), "mask": torch.ones(5)}  # noqa: E731
    back = made(torch.rand(2, 5), raw=["a", "b"], prepare=prepare).prepared("c")
    assert isinstance(back, dict)
    assert {name: tuple(part.shape) for name, part in back.items()} == {"ids": (1, 5), "mask": (1, 5)}


def test_whole_numbers_of_a_sound_file_become_a_wave() -> None:
    raw = np.array([[-32768, 0, 16384]], dtype=np.int16)
    assert made(torch.rand(1, 4), raw=raw, rate=8000).sound(0).tolist() == [-1, 0, 0.5]


@pytest.mark.parametrize("shape", [(8,), (1, 8)])
def test_a_sound_is_cut_or_filled_to_the_length_of_waveforms(shape: tuple[int, ...]) -> None:
    examples = made(torch.rand(3, *shape, dtype=torch.float64), kind="sound", rate=8000)
    assert examples.takes_new
    short, long = examples.prepared(np.ones(3)), examples.prepared(np.arange(20) / 20)
    assert isinstance(short, Tensor)
    assert isinstance(long, Tensor)
    assert (short.shape, short.dtype) == ((1, *shape), torch.float64)
    assert short.ravel().tolist() == [1] * 3 + [0] * 5
    assert long.ravel().tolist() == pytest.approx(np.arange(12, 20) / 20)


def test_a_spectrum_is_not_heard_and_takes_sounds_through_prepare_alone() -> None:
    x = torch.rand(3, 13, 48)
    examples = made(x, kind="sound", rate=8000)
    assert not examples.takes_new
    assert len(examples.sound(0)) == 0
    with pytest.raises(ValueError, match="prepare"):
        examples.prepared(np.zeros(100))
    assert made(x, kind="sound", rate=8000, prepare=lambda wave: x[0] + len(wave)).takes_new


def test_waveforms_in_whole_numbers_take_sounds_through_prepare_alone() -> None:
    examples = made(torch.zeros(3, 8, dtype=torch.int16), kind="sound", rate=8000)
    assert not examples.takes_new
    assert len(examples.sound(0)) == 8


def test_a_raw_picture_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(4, 4, 2\)"):
        made(torch.rand(1, 4), raw=np.zeros((1, 4, 4, 2)))
