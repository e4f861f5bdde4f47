from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tunekit.compress.coding import archive, book
from tunekit.compress.coding.arithmetic import MOST_ODDS, Decoder, Encoder
from tunekit.compress.coding.forms import FORMS
from tunekit.compress.coding.lines import Lines
from tunekit.compress.coding.tensors import BFLOAT16, decode, encode

DTYPES = ["float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool"]


def round_trip(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    index, data = encode(tensors)
    return decode(json.loads(json.dumps(index)), data)


def sparse(shape: tuple[int, ...], share: float, values: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.linspace(-1, 1, values, dtype=np.float32), shape)
    return np.where(rng.random(shape) < share, chosen, 0).astype(np.float32)


def size(array: NDArray[Any]) -> int:
    return len(encode({"w": array})[1])


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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 20))
def test_several_tensors_that_foretell_each_other_come_back_bit_for_bit(seed: int, share: float, values: int) -> None:
    tensors = {
        str(k): sparse(shape, share, values, seed + k) for k, shape in enumerate([(9, 5), (9,), (4, 9), (2, 36)])
    }
    found = round_trip(tensors)
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in tensors.items()
    }


def test_what_carries_meaning_in_its_bits_keeps_it() -> None:
    bits = np.array([0x80000000, 0, 0x7FC00001, 0x7FC00002, 0x7F800000, 0xFF800000], np.uint32)
    array = np.tile(bits, 40).view(np.float32)
    assert round_trip({"w": array})["w"].tobytes() == array.tobytes()


def test_bfloat16_is_told_from_whole_numbers() -> None:
    bits = np.arange(500, dtype=np.uint16).reshape(20, 25)
    found = round_trip({"half": bits.view(BFLOAT16), "few": (bits % 3).view(BFLOAT16), "whole": bits})
    assert [found[name].dtype for name in ("half", "few", "whole")] == [BFLOAT16, BFLOAT16, np.dtype(np.uint16)]
    assert (found["half"].view(np.uint16) == bits).all()
    assert (found["few"].view(np.uint16) == bits % 3).all()


def test_numbers_of_another_byte_order_keep_their_values() -> None:
    array = np.random.default_rng(0).normal(size=(7, 5)).astype(">f4")
    assert (round_trip({"w": array})["w"] == array).all()


def test_a_tensor_that_is_a_view_of_another() -> None:
    array = np.arange(600, dtype=np.float32).reshape(20, 30)[::2, ::3].T
    assert (round_trip({"w": array})["w"] == array).all()


def test_a_pruned_and_shared_layer_takes_less_than_its_entropy() -> None:
    """Rows and columns are unlike each other, as in a pruned net: that is worth something."""
    rng = np.random.default_rng(0)
    rate = np.exp(rng.normal(-4.5, 1, (300, 1)) + rng.normal(0, 1, (1, 784)))
    array = np.where(rng.random((300, 784)) < rate, rng.choice([-0.25, 0.25, 0.5], (300, 784)), 0).astype(np.float32)
    assert size(array) < 0.9 * entropy(array)


def test_weights_beside_each_other_take_less() -> None:
    """A neuron that looks at a pixel looks at those around it: here each weight has one beside and one below."""
    rng = np.random.default_rng(0)
    chosen = rng.random((100, 28, 28)) < 0.01
    image = chosen | np.roll(chosen, 1, axis=1) | np.roll(chosen, 1, axis=2)
    shuffled = image.reshape(100, 784)[:, rng.permutation(784)]
    assert size(image.reshape(100, 784).astype(np.float32)) < 0.75 * size(shuffled.astype(np.float32))


def test_dead_neurons_are_said_once() -> None:
    """What is a row of one weight is a place of its bias and a column of the next weight."""
    rng = np.random.default_rng(0)
    live = rng.random(400) < 0.5
    first = np.where(live[:, None], sparse((400, 20), 0.9, 2), 0).astype(np.float32)
    bias, second = np.where(live, np.float32(0.5), np.float32(0)), np.where(live, sparse((20, 400), 0.9, 2, seed=1), 0)
    alone = sum(len(encode({"w": array})[1]) for array in (first, bias, second))
    together = len(encode({"0.weight": first, "0.bias": bias, "2.weight": second})[1])
    assert together < alone - 1.5 * 400 / 8


def test_chance_takes_no_more_than_its_entropy_and_the_book() -> None:
    array = sparse((200, 300), 0.05, 4)
    assert size(array) < 1.03 * entropy(array) + 30


@pytest.mark.parametrize("values", [3, 15, 200])
def test_dense_shared_values_take_no_more_than_their_entropy_and_the_book(values: int) -> None:
    array = sparse((300, 400), 1.0, values)
    assert size(array) < 1.03 * entropy(array) + 4 * values + 50


def test_a_tensor_of_one_value_takes_a_few_bytes() -> None:
    assert size(np.full((500, 500), 0.1, np.float32)) < 12


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_cannot_be_made_smaller_is_hardly_made_larger(dtype: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 8000, dtype=np.uint8)
    array = noise > 127 if dtype == "bool" else noise.view(dtype)
    assert size(array) <= array.nbytes
    assert len(archive.encode({"w": array})) <= array.nbytes + 50


def test_floats_that_half_precision_holds_take_half() -> None:
    array = np.random.default_rng(0).normal(size=(50, 50)).astype(np.float16).astype(np.float32)
    assert size(array) < 0.5 * array.nbytes
    assert size(np.random.default_rng(0).normal(size=(50, 50)).astype(np.float32)) < array.nbytes


@pytest.mark.parametrize(
    ("shape", "share", "form", "smaller"),
    [((2100, 1000), 0.01, "gaps", 200), ((500, 600), 1.0, "huffman", 15), ((2000, 1200), 0.0, None, 10**5)],
)
def test_large_tensors_are_left_to_a_library(
    shape: tuple[int, int], share: float, form: str | None, smaller: float
) -> None:
    array = sparse(shape, share, 4)
    index, data = encode({"w": array})
    assert index[0][3:4] == ([] if form is None else [form])
    assert len(data) < array.nbytes / smaller
    assert decode(index, data)["w"].tobytes() == array.tobytes()


def test_a_mask_that_repeats_itself_takes_a_few_bytes() -> None:
    mask = np.tril(np.ones((200, 200), bool))
    assert size(mask) < 300
    assert round_trip({"mask": mask})["mask"].tobytes() == mask.tobytes()


def test_long_gaps_come_back() -> None:
    array = np.zeros((3, 1_000_000), np.int8)
    array[0, [0, 254, 255, 510, 511, 5000]] = array[2, -1] = 1
    assert round_trip({"w": array})["w"].tobytes() == array.tobytes()


def test_the_same_tensors_give_the_same_bytes() -> None:
    array = sparse((30, 30), 0.2, 3)
    assert encode({"w": array}) == encode({"w": array.copy()})
    assert archive.encode({"w": array}) == archive.encode({"w": array.copy()})


def test_a_type_that_no_weight_has() -> None:
    with pytest.raises(TypeError, match="'w' holds complex64"):
        encode({"w": np.zeros(3, np.complex64)})


def small() -> dict[str, NDArray[Any]]:
    dense = np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)
    return {"w": sparse((20, 20), 0.1, 3), "d": dense, "n": np.array(3)}


def test_cut_at_every_byte_it_is_refused() -> None:
    index, data = encode(small())
    for end in range(len(data)):
        with pytest.raises(ValueError, match="cut off"):
            decode(index, data[:end])


def test_an_archive_holds_its_tensors_in_order() -> None:
    found = archive.decode(archive.encode(small()))
    assert list(found) == ["w", "d", "n"]
    assert all(found[name].tobytes() == array.tobytes() for name, array in small().items())
    assert archive.decode(archive.encode({})) == {}


# Written by the first version, on x86-64.
FIRST = (
    "01cc86b5ae8bc661abb1818e89019237c0ce3731c7e10863881dc525a905c5a8416b64100b00789c63601805a360148c82a101764"
    "1c82d083603830994de025765c280178c1a326ac8a821a386d0c11000d17246f57f93333310ce96dc3e9593221f7ad03ffffffff6"
)


def test_what_the_first_version_has_written_is_read() -> None:
    """On any machine: a float that is rounded otherwise would end in other weights."""
    cells = np.arange(1200).reshape(30, 40)
    weight = np.where((cells * cells * 7 + cells // 3) % 23 < 2, (cells % 3 - 1.5) / 2, 0).astype(np.float32)
    found = archive.decode(bytes.fromhex(FIRST))
    assert list(found) == ["0.weight", "0.bias", "steps"]
    assert found["0.weight"].tobytes() == weight.tobytes()
    assert (found["0.bias"] == np.where(np.arange(30) % 3, 0, 0.1).astype(np.float32)).all()
    assert found["steps"] == 825


def test_an_archive_that_is_cut_or_goes_on_is_refused() -> None:
    data = archive.encode(small())
    for end in range(len(data)):
        with pytest.raises(ValueError, match="cut off"):
            archive.decode(data[:end])
    with pytest.raises(ValueError, match="damaged"):
        archive.decode(data + b"\0")


def test_an_archive_with_any_bit_flipped_is_refused() -> None:
    data = archive.encode(small())
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="version" if place < 8 else "damaged"):
            archive.decode(bytes(flipped))


def test_an_archive_larger_than_wanted_is_refused() -> None:
    data = archive.encode({"w": np.zeros((1000, 1000), np.float32)})
    assert archive.decode(data, most=4_000_000)["w"].shape == (1000, 1000)
    with pytest.raises(ValueError, match="more than 3999999 bytes"):
        archive.decode(data, most=3_999_999)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([*FORMS, None]), st.sampled_from(["float32", "int8", "bfloat16"]))
def test_nonsense_is_read_as_something_or_refused(data: bytes, form: str | None, dtype: str) -> None:
    index = [["w", dtype, [4, 5], form, len(data)], 0] if form else [["w", dtype, [4, 5]], len(data)]
    try:
        found = decode(index, data)
    except ValueError:
        return
    assert found["w"].shape == (4, 5)


@functools.cache
def written(form: str) -> tuple[Any, bytes]:
    """A tensor in each form that is not simply its bytes."""
    dense = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    made = {
        "coded": sparse((30, 30), 0.1, 3),
        "gaps": sparse((2100, 1000), 0.01, 4),
        "huffman": sparse((300, 600), 1.0, 4),
        "numbers": np.tile(sparse((1, 600), 1.0, 4), (300, 1)),
        "planes": dense,
        "half planes": dense.astype(np.float16).astype(np.float32),
    }
    index, data = encode({"w": made[form]})
    assert index[0][3:4] == ([] if form == "coded" else [form])
    return index, data


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(["coded", "gaps", "huffman", "numbers", "planes", "half planes"]))
def test_a_damaged_tensor_is_read_as_something_or_refused(data: st.DataObject, form: str) -> None:
    index, good = written(form)
    bad = bytearray(good)
    bad[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(index, bytes(bad))
    except ValueError:
        return
    assert list(found["w"].shape) == index[0][2]


@pytest.mark.parametrize(
    "index",
    [
        None,
        {},
        [[]],
        [[], 0],
        [["w", "float32", [1], "plain", 4]],
        [["w", "float32", [2**41], "plain", 0], 4],
        [["w", "float32", [2**31], "plain", 0], 4],
        [["w", "float32", [2**39, 2**39, 0], "plain", 0], 4],
        [["w", "float32", [1] * 40, "plain", 0], 4],
        [["w", "float32", [-1], "plain", 0], 4],
        [["w", "object", [1], "plain", 8], 4],
        [["w", "float32", [1], "pickle", 4], 0],
        [["w", "float32", [1], "coded"], 4],
        [["w", "float32", [True], "plain", 4], 0],
        [["w", "float32", [1], "plain", 4], 4],
        [["w", "float32", [1], "plain", 4], ["w", "float32", [1], "plain", 0], 0],
        [["w", "float32", [2**30, 2**30], "numbers", 4], 0],
    ],
)
def test_a_strange_index_is_refused(index: Any) -> None:
    with pytest.raises(ValueError, match="its tensors"):
        decode(index, b"abcd")


@pytest.mark.parametrize("form", ["gaps", "huffman", "numbers", "planes", "half planes"])
@pytest.mark.parametrize("size", [[10, 10], [3000, 1000]])
def test_a_tensor_that_is_not_the_size_it_says_is_refused(form: str, size: list[int]) -> None:
    index, data = written(form)
    line, length = index
    if form == "gaps" and size == [3000, 1000]:
        return  # more zeros at its end: nothing tells
    with pytest.raises(ValueError, match=r"another size|gaps|cut off"):
        decode([[*line[:2], size, *line[3:]], length], data)


def test_a_code_that_would_take_minutes_is_refused() -> None:
    """Two kilobytes may say that they are a hundred million weights."""
    encoder, lines, live = Encoder(), Lines(), np.ones(10_000, bool)
    book.code(encoder, np.dtype(np.int8), np.array([0, 1], np.int8))
    for _ in range(2):
        lines.code(encoder, 10_000, live)
    data = encoder.finish()
    with pytest.raises(ValueError, match="one by one"):
        decode([["w", "int8", [10_000, 10_000]], len(data)], data)


def test_half_precision_is_no_form_of_whole_numbers() -> None:
    with pytest.raises(ValueError, match="half precision"):
        decode([["w", "int32", [2], "half plain", 4], 0], b"abcd")


def test_bits_cost_what_they_surprise() -> None:
    bits = (np.random.default_rng(0).random(20_000) < 0.02).astype(int).tolist()
    encoder = Encoder()
    for bit in bits:
        encoder.bit(0.02 / 0.98, bit)
    data = encoder.finish()
    ideal = -sum(math.log2(0.02 if bit else 0.98) for bit in bits) / 8
    assert len(data) < ideal + 4
    decoder = Decoder(data)
    assert [decoder.bit(0.02 / 0.98, 0) for _ in bits] == bits


ODDS = st.one_of(st.floats(0, MOST_ODDS), st.sampled_from([0.0, 1e-300, 1.0, MOST_ODDS]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ODDS, st.integers(0, 1)), max_size=200))
def test_any_bits_under_any_odds_come_back(pairs: list[tuple[float, int]]) -> None:
    encoder = Encoder()
    for odds, bit in pairs:
        encoder.bit(odds, bit)
    data = encoder.finish()
    decoder = Decoder(data)
    assert [decoder.bit(odds, 0) for odds, _ in pairs] == [bit for _, bit in pairs]
    assert not decoder.has_more()


@settings(max_examples=100, deadline=None)
@given(st.lists(ODDS, min_size=1, max_size=50), st.data())
def test_zeros_up_to_a_one_are_its_bits(odds: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(odds)))
    together, single = Encoder(), Encoder()
    together.zeros(odds, 1.0, 0, place)
    for k, one in enumerate(odds[: place + 1]):
        single.bit(one, int(k == place))
    written = together.finish()
    assert written == single.finish()
    assert Decoder(written).zeros(odds, 1.0, 0, 0) == place


def test_a_writer_forgets_what_comes_after_a_mark() -> None:
    encoder, straight = Encoder(), Encoder()
    for one in (encoder, straight):
        one.bit(3.0, 1)
    mark = encoder.mark()
    for bit in [0, 1] * 50:
        encoder.bit(0.2, bit)
    encoder.back(mark)
    for one in (encoder, straight):
        one.bit(0.5, 1)
    assert encoder.finish() == straight.finish()
