"""The step that stores a network in 8-bit integers."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tunekit.compress import recipe
from tunekit.compress.network import layer_kinds
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.quantization.int8 import Int8
    from tunekit.compress.stage import Context, Stage

_MODES = ("auto", "dynamic", "static")
_CALIBRATION = 256


@recipe.steps.register("quantize")
@dataclass(frozen=True, repr=False)
class Quantize:
    """Store the network as an 8-bit ONNX file, to be run by onnxruntime. It is the last step of a recipe.

    Parameters
    ----------
    mode
        ``"static"``: weights and activations, with ranges from up to 256 training examples. ``"dynamic"``: weights,
        and activations at run time. ``"auto"``: static, and dynamic where the network has recurrent layers, for which
        onnxruntime has no static form.

    Raises
    ------
    ValueError
        If the mode is unknown.

    References
    ----------
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
    2018.

    Examples
    --------
    >>> Quantize()
    Quantize()
    >>> Quantize("int8")
    Traceback (most recent call last):
    ...
    ValueError: unknown mode 'int8': the known ones are 'auto', 'dynamic', 'static'
    """

    mode: Literal["auto", "dynamic", "static"] = "auto"

    last: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(f"unknown mode {self.mode!r}: the known ones are {text.listed(_MODES)}")

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self, "mode")

    def check(self, model: Module) -> None:
        """Raise a ValueError if no layer can be stored in int8."""
        kinds = tuple(kind for family in layer_kinds().values() for kind in family)
        if not any(isinstance(module, kinds) for module in model.modules()):
            raise ValueError(
                f"quantization stores the weights of layers: {type(model).__name__} has no linear, convolutional, "
                "recurrent, attention or embedding layer; leave Quantize out"
            )

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on; return the stage with its int8 file.

        Raises
        ------
        ValueError
            If not one layer could be changed.
        """
        from tunekit.compress.quantization import int8

        yield Progressed("Writing the float file", 0.0)
        data = context.file(stage)
        # asked of the network, not of the file: there, the exporter may have unrolled the layer
        recurrent = any(isinstance(module, layer_kinds()["recurrent"]) for module in stage.network.modules())
        is_static = self.mode == "static" or (self.mode == "auto" and not recurrent)
        if is_static:
            x = context.task.train.head(_CALIBRATION)
            yield Progressed(f"Quantizing, calibrated on {text.plural(len(x), 'training example')}", 0.4)
            done = int8.static(data, x)
            how = f"static int8, calibrated on {text.plural(len(x), 'training example')}"
        else:
            yield Progressed("Quantizing", 0.4)
            done = int8.dynamic(data, convolutions=self.mode == "dynamic")
            because = "" if self.mode == "dynamic" else ", as onnxruntime has no static form for recurrent layers"
            how = f"dynamic int8{because}"
        if not done.changed:
            raise ValueError(_nothing(self, done))
        note = f"{self!r}: {how}; layers changed: {done.changed} of {done.total}."
        return replace(stage, file=done.file, notes=(*stage.notes, note))


def _nothing(step: Quantize, done: Int8) -> str:
    return (
        f"quantization changes at least one layer: {step!r} changed none of {done.total}; "
        "onnxruntime has no int8 form of them in this mode: try another mode, or leave Quantize out"
    )
