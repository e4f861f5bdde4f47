from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tunekit.compress.coding.arithmetic import SCALE, Decoder, Encoder
from tunekit.compress.coding.tensors import decode, encode

DTYPES = ["float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool"]


def round_trip(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    index, data = encode(tensors)
    return decode(json.loads(json.dumps(index)), data)


def sparse(shape: tuple[int, ...], share: float, values: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.linspace(-1, 1, values, dtype=np.float32), shape)
    return np.where(rng.random(shape) < share, chosen, 0).astype(np.float32)


def entropy(array: NDArray[Any]) -> float:
    """In bytes, of numbers that know nothing of their places."""
    counts = np.unique(array, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum() / 8)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    )
)
def test_every_tensor_comes_back_bit_for_bit(array: NDArray[Any]) -> None:
    found = round_trip({"a": array, "b": np.zeros((3, 2), np.float32)})
    assert list(found) == ["a", "b"]
    assert found["a"].dtype == array.dtype
    assert found["a"].shape == array.shape
    assert found["a"].tobytes() == array.tobytes()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 20), st.sampled_from([(7, 9), (30, 2, 3, 3), (64,)]))
def test_shared_values_come_back_bit_for_bit(seed: int, share: float, values: int, shape: tuple[int, ...]) -> None:
    array = sparse(shape, share, values, seed)
    assert round_trip({"w": array})["w"].tobytes() == array.tobytes()


def test_what_carries_meaning_in_its_bits_keeps_it() -> None:
    bits = np.array([0x80000000, 0, 0x7FC00001, 0x7FC00002, 0x7F800000, 0xFF800000], np.uint32)
    array = np.tile(bits, 40).view(np.float32)
    assert round_trip({"w": array})["w"].tobytes() == array.tobytes()


def test_a_pruned_and_shared_layer_takes_less_than_its_entropy() -> None:
    """Rows and columns are unlike each other, as in a pruned net: that is worth something."""
    rng = np.random.default_rng(0)
    rate = np.exp(rng.normal(-4.5, 1, (300, 1)) + rng.normal(0, 1, (1, 784)))
    array = np.where(rng.random((300, 784)) < rate, rng.choice([-0.25, 0.25, 0.5], (300, 784)), 0).astype(np.float32)
    index, data = encode({"w": array})
    assert index[0][3] == "coded"
    assert len(data) < 0.95 * entropy(array)


def test_chance_takes_no_more_than_its_entropy_and_the_book() -> None:
    array = sparse((200, 300), 0.05, 4)
    _, data = encode({"w": array})
    assert len(data) < 1.03 * entropy(array) + 30


def test_what_cannot_be_made_smaller_is_not_made_larger() -> None:
    array = np.random.default_rng(0).integers(0, 256, (50, 50), dtype=np.uint8)
    assert len(encode({"w": array})[1]) <= array.nbytes
    dense = np.random.default_rng(0).normal(size=(50, 50)).astype(np.float32)
    assert len(encode({"w": dense})[1]) < dense.nbytes


def test_large_tensors_are_left_to_a_library() -> None:
    array = sparse((1100, 1000), 0.01, 4)
    index, data = encode({"w": array})
    assert index[0][3] == "numbered"
    assert len(data) < array.nbytes / 50
    assert decode(index, data)["w"].tobytes() == array.tobytes()


def test_the_same_tensors_give_the_same_bytes() -> None:
    array = sparse((30, 30), 0.2, 3)
    assert encode({"w": array}) == encode({"w": array.copy()})


def test_a_type_that_no_weight_has() -> None:
    with pytest.raises(TypeError, match="'w' holds complex64"):
        encode({"w": np.zeros(3, np.complex64)})


def test_cut_at_every_byte_it_is_refused_or_other() -> None:
    tensors = {"w": sparse((20, 20), 0.1, 3), "d": np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)}
    index, data = encode(tensors)
    for end in range(len(data)):
        with pytest.raises(ValueError, match="cut off"):
            decode(index, data[:end])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["plain", "planes", "coded", "numbered"]))
def test_nonsense_is_read_as_something_or_refused(data: bytes, form: str) -> None:
    try:
        found = decode([["w", "float32", [4, 5], form, len(data)]], data)
    except ValueError:
        return
    assert found["w"].shape == (4, 5)


@pytest.mark.parametrize(
    "index",
    [
        None,
        {},
        [[]],
        [["w", "float32", [2**31], "plain", 0]],
        [["w", "float32", [-1], "plain", 0]],
        [["w", "object", [1], "plain", 8]],
        [["w", "float32", [1], "pickle", 4]],
        [["w", "float32", [True], "plain", 4]],
        [["w", "float32", [1], "plain", 4], ["w", "float32", [1], "plain", 4]],
        [["w", "float32", [2**30, 2**30], "numbered", 4]],
    ],
)
def test_a_strange_index_is_refused(index: Any) -> None:
    with pytest.raises(ValueError, match="its tensors"):
        decode(index, b"abcd")


def test_a_tensor_that_unpacks_to_more_than_it_says_is_refused() -> None:
    index, data = encode({"w": sparse((1100, 1000), 0.0, 4)})
    index[0][2] = [10, 10]
    with pytest.raises(ValueError, match="another size"):
        decode(index, data)


def test_bits_cost_what_they_surprise() -> None:
    bits = (np.random.default_rng(0).random(20_000) < 0.02).astype(int).tolist()
    encoder = Encoder()
    for bit in bits:
        encoder.bit(round(0.02 * SCALE), bit)
    data = encoder.finish()
    ideal = -sum(math.log2(0.02 if bit else 0.98) for bit in bits) / 8
    assert len(data) < ideal + 4
    decoder = Decoder(data)
    assert [decoder.bit(round(0.02 * SCALE), 0) for _ in bits] == bits


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, SCALE - 1), st.integers(0, 1)), max_size=200))
def test_any_bits_under_any_probabilities_come_back(pairs: list[tuple[int, int]]) -> None:
    encoder = Encoder()
    for one, bit in pairs:
        encoder.bit(one, bit)
    decoder = Decoder(encoder.finish())
    assert [decoder.bit(one, 0) for one, _ in pairs] == [bit for _, bit in pairs]
