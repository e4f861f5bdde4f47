"""An ONNX file without its weights, and how they come back from those of the network.

A bundle holds each weight once. Most weights of an ONNX file are those of the network as they are; the exporter has
transposed some, put the gates of recurrent layers into ONNX's order, taken packed projections of attention apart, and
folded BatchNorm into the layer before it.
What it did is found out by trying: a weight counts as derived only where the derivation gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, TensorProto

Tensors = Mapping[str, "NDArray[Any]"]
# A weight's name in the file, and the derivation: its name and what it takes.
Sources = Mapping[str, list[Any]]

# What the names of weights begin with that are none of the network's.
APART = "onnx:"
# Below this, saying where a weight comes from takes more than the weight.
_LEAST_BYTES = 16
# ONNX's order of the gates in terms of PyTorch's: i o f c against i f g o, and z r h against r z n.
_GATES = {4: (0, 3, 1, 2), 3: (1, 0, 2), 1: (0,)}
_RECURRENT = re.compile(r"(?P<prefix>.*)weight_ih_l(?P<layer>\d+)")
# What holds the projections to queries, keys and values, one below the other.
_PACKED = re.compile(r"(.*\.)?in_proj_(weight|bias)")


@dataclass(frozen=True, slots=True)
class Emptied:
    """An ONNX file without its weights.

    Parameters
    ----------
    graph
        The file with empty tensors.
    sources
        How weights are derived; one that is not in it is the network's of the same name.
    extra
        The weights that could not be derived, by their names in the file, behind `APART` where there is a network.
    """

    graph: bytes
    sources: Sources
    extra: Tensors


def take_out(data: bytes, tensors: Tensors, epsilons: Mapping[str, float] | None = None) -> Emptied:
    """Take the weights out of an ONNX file.

    Parameters
    ----------
    data
        The file.
    tensors
        The network's own, by name; none for a file that no network stands behind.
    epsilons
        For each BatchNorm layer by its name what it adds to the variance.

    Examples
    --------
    >>> from onnx import helper, numpy_helper
    >>> weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> given = numpy_helper.from_array(weight.T, "w")
    >>> data = helper.make_model(helper.make_graph([], "g", [], [], [given])).SerializeToString(deterministic=True)
    >>> emptied = take_out(data, {"weight": weight})
    >>> emptied.sources
    {'w': ['transposed', 'weight']}
    >>> put_back(emptied.graph, {"weight": weight}, emptied.sources) == data
    True
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(data)
    known = {(array.dtype.str, array.shape, array.tobytes()): name for name, array in tensors.items()}
    by_key: dict[Any, list[Any]] = {}
    for source, array in _derived(tensors, epsilons or {}):
        by_key.setdefault((array.dtype.str, array.shape, array.tobytes()), source)
    sources: dict[str, list[Any]] = {}
    extra: dict[str, NDArray[Any]] = {}
    for held in _weights(model):
        value = numpy_helper.to_array(held)
        key = (value.dtype.str, value.shape, value.tobytes())
        own = tensors.get(held.name)
        if own is not None and (own.dtype.str, own.shape, own.tobytes()) == key:
            pass
        elif key in known:
            sources[held.name] = ["same", known[key]]
        elif key in by_key:
            sources[held.name] = by_key[key]
        elif not tensors:
            extra[held.name] = value
        else:
            sources[held.name] = ["same", f"{APART}{held.name}"]
            extra[f"{APART}{held.name}"] = value
        held.ClearField("raw_data")
    return Emptied(model.SerializeToString(deterministic=True), sources, extra)


def names(data: bytes) -> list[str]:
    """The names of the weights of an ONNX file."""
    import onnx

    return [held.name for held in _weights(onnx.load_model_from_string(data))]


def made_of(source: list[Any]) -> str:
    """The name of the network's tensor that a weight is derived from; of several, the one that says most.

    Examples
    --------
    >>> made_of(["transposed", "0.weight"]), made_of(["recurrent", "body.", 1, "R"])
    ('0.weight', 'body.weight_hh_l1')
    """
    match source:
        case ["recurrent", prefix, layer, part]:
            own = {"W": "weight_ih", "R": "weight_hh", "B": "bias_ih"}[part]
            return f"{prefix}{own}_l{layer}"
    return str(source[1])


def put_back(graph: bytes, tensors: Tensors, sources: Sources) -> bytes:
    """Put the weights back: the bytes of the file that they were taken out of.

    Raises
    ------
    ValueError
        If the file is damaged, or a weight is missing or of another size.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(graph)
    except Exception as error:  # protobuf's own classes come without types
        raise ValueError("the graph of its ONNX part is damaged") from error
    for held in model.graph.initializer:
        if held.raw_data or not _is_plain(held) or 0 in held.dims or _has_typed_data(held):
            continue
        value = _derive(sources.get(held.name, ["same", held.name]), tensors)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(held.data_type)
        if value.dtype != dtype or list(value.shape) != list(held.dims):
            raise ValueError(f"the weight {held.name!r} of its ONNX part is of another size than its graph says")
        held.raw_data = np.ascontiguousarray(value).tobytes()
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _weights(model: ModelProto) -> list[TensorProto]:
    return [held for held in model.graph.initializer if len(held.raw_data) >= _LEAST_BYTES and _is_plain(held)]


def _is_plain(held: TensorProto) -> bool:
    """Whether it is of a type that numpy itself knows and that weights have: what is int64 are shapes."""
    import onnx

    kinds = onnx.TensorProto
    return held.data_type in (
        kinds.FLOAT,
        kinds.DOUBLE,
        kinds.FLOAT16,
        kinds.INT8,
        kinds.UINT8,
        kinds.INT16,
        kinds.INT32,
    )


def _has_typed_data(held: TensorProto) -> bool:
    return bool(held.float_data or held.int32_data or held.int64_data or held.double_data or held.uint64_data)


def _derived(tensors: Tensors, epsilons: Mapping[str, float]) -> Iterator[tuple[list[Any], NDArray[Any]]]:
    """All that an exporter is known to make of a network's weights."""
    candidates: list[list[Any]] = [["transposed", name] for name, array in tensors.items() if array.ndim == 2]
    # numpy knows no bfloat16: it stands there as the 16 bits that it is, and in the file as float32
    halves = [(name, array) for name, array in tensors.items() if array.dtype == np.int16]
    candidates += [["widened", name] for name, _ in halves]
    candidates += [["widened", name, "transposed"] for name, array in halves if array.ndim == 2]
    for name in tensors:
        found = _RECURRENT.fullmatch(name)
        if found:
            candidates += [["recurrent", found["prefix"], int(found["layer"]), part] for part in ("W", "R", "B")]
    packed = [(name, array) for name, array in tensors.items() if _PACKED.fullmatch(name)]
    candidates += [["third", name, at] for name, _ in packed for at in range(3)]
    candidates += [["third", name, at, "transposed"] for name, array in packed if array.ndim == 2 for at in range(3)]
    for norm, epsilon in epsilons.items():
        mean = tensors.get(_joined(norm, "running_mean"))
        if mean is not None:
            for name, array in tensors.items():
                if array.ndim >= 2 and (len(array) == len(mean) or array.shape[1] == len(mean)):
                    candidates += [[part, name, norm, epsilon] for part in ("folded weight", "folded bias")]
    for source in candidates:
        try:
            yield source, _derive(source, tensors)
        except ValueError:
            continue


def _derive(source: Any, tensors: Tensors) -> NDArray[Any]:
    """Compute one weight.

    Raises
    ------
    ValueError
        If that is not possible.
    """
    try:
        match source:
            case ["same", str(name)]:
                return tensors[name]
            case ["transposed", str(name)]:
                return tensors[name].T
            case ["widened", str(name), *turned]:
                wide = _widened(tensors[name])
                return wide.T if turned else wide
            case ["third", str(name), int(at), *turned]:
                third = np.split(tensors[name], 3)[at]
                return third.T if turned else third
            case ["recurrent", str(prefix), int(layer), ("W" | "R" | "B") as part]:
                return _recurrent(prefix, layer, part, tensors)
            case [("folded weight" | "folded bias") as part, str(name), str(norm), float(epsilon)]:
                return _folded(part, name, norm, epsilon, tensors)
    except (KeyError, IndexError) as error:
        raise ValueError(f"its ONNX part is derived from a weight that is not there: {error}") from error
    raise ValueError(f"its ONNX part has a weight of unknown derivation: {str(source)[:100]}")


def _widened(halves: NDArray[Any]) -> NDArray[Any]:
    """The floats whose upper 16 bits are given."""
    if halves.dtype != np.int16:
        raise ValueError(f"what is widened has 16 bits: found {halves.dtype}")
    return (np.ascontiguousarray(halves).view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _recurrent(prefix: str, layer: int, part: str, tensors: Tensors) -> NDArray[Any]:
    directions = []
    for end in ("", "_reverse"):
        names = {
            "W": [f"{prefix}weight_ih_l{layer}{end}"],
            "R": [f"{prefix}weight_hh_l{layer}{end}"],
            "B": [f"{prefix}bias_ih_l{layer}{end}", f"{prefix}bias_hh_l{layer}{end}"],
        }[part]
        if end and names[0] not in tensors:
            continue
        hidden = tensors[f"{prefix}weight_hh_l{layer}{end}"].shape[-1]
        directions.append(np.concatenate([_in_order(tensors[name], hidden) for name in names]))
    return np.stack(directions)


def _in_order(array: NDArray[Any], hidden: int) -> NDArray[Any]:
    gates = len(array) // hidden if hidden else 0
    if gates not in _GATES or gates * hidden != len(array):
        raise ValueError(f"a recurrent layer has 1, 3 or 4 gates: found {gates}")
    blocks = array.reshape(gates, hidden, *array.shape[1:])
    return np.concatenate([blocks[gate] for gate in _GATES[gates]])


def _folded(part: str, name: str, norm: str, epsilon: float, tensors: Tensors) -> NDArray[Any]:
    """Scale a layer's weight, or compute its bias, by the BatchNorm that follows: as onnxscript's optimizer does it."""
    weight, mean = tensors[name], tensors[_joined(norm, "running_mean")]
    variance = tensors[_joined(norm, "running_var")]
    gamma = tensors.get(_joined(norm, "weight"), np.ones_like(mean))
    beta = tensors.get(_joined(norm, "bias"), np.zeros_like(mean))
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
        if part == "folded weight":
            axis = 0 if len(weight) == len(scale) else 1  # a transposed convolution has its outputs second
            if weight.shape[axis] != len(scale):
                raise ValueError(f"the norm {norm!r} does not fit {name!r}")
            return weight * scale.reshape([-1 if place == axis else 1 for place in range(weight.ndim)])
        bias = tensors.get(re.sub(r"weight$", "bias", name), np.zeros_like(mean))
        if bias.shape != mean.shape:
            raise ValueError(f"the norm {norm!r} does not fit {name!r}")
        folded: NDArray[Any] = (1.0 * bias - mean) * scale + beta
        return folded


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
