"""What a net would take with a part of one layer gone: its file and its bundle are written to count their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.exporter import Exporter
from tunekit.compress.layers import weights_by_layer
from tunekit.compress.network import copied
from tunekit.compress.pruning.masks import keep_largest
from tunekit.compress.stage import Stage
from tunekit.compress.workshop import Made

if TYPE_CHECKING:
    from tunekit.compress.rows import Rows


@dataclass(frozen=True, slots=True)
class Bytes:
    """The bytes of the ONNX file and of the bundle."""

    file: int
    bundle: int


def thinned_bytes(lab: Rows, amounts: dict[str, float], export: Exporter) -> Bytes:
    """Return what the original takes with the smallest weights of some layers set to zero.

    A bundle holds its figures, too: here the original's, once it is measured, so that the difference is the weights'.

    Parameters
    ----------
    lab
        The compression.
    amounts
        Shares of layers by their names, 0 to below 1.
    export
        Writes the file: one that has written the net before is quick.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.compression import Compression
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 400), torch.nn.ReLU(), torch.nn.Linear(400, 4))
    >>> lab = Compression(net, Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> whole, less = (thinned_bytes(lab, {"2": amount}, Exporter()) for amount in (0.0, 0.9))
    >>> whole.file == less.file, less.bundle < 0.7 * whole.bundle
    (True, True)
    """
    import torch

    network = copied(lab._original).cpu()
    by_layer = weights_by_layer(network)
    with torch.no_grad():
        for name, amount in amounts.items():
            weights = by_layer[name]
            for weight, mask in zip(weights, keep_largest([w.abs() for w in weights], weights, amount), strict=True):
                weight.masked_fill_(~mask, 0)
    file = export(network, lab._shop.sample)
    made = Made(Stage(network), file, ())
    figures = lab.history[0].metrics if lab.history.has_complete else {}
    return Bytes(len(file), lab._shop.bundle_bytes(made, figures))
