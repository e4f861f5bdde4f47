"""The step that stores a network in few bits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tunekit.compress import recipe, settings
from tunekit.compress.inputs import count
from tunekit.compress.layers import prunable
from tunekit.compress.network import copied, layer_kinds, precision_of
from tunekit.compress.onnx_file import first_line
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.quantization.int8 import Int8
    from tunekit.compress.stage import Context, Stage

_MODES = ("auto", "static", "dynamic", "weights", "aware", "float16", "bfloat16")
_CALIBRATION = 256
_LEAST_BITS = 2


@recipe.steps.register("quantize")
@dataclass(frozen=True, repr=False)
class Quantize:
    """Store the network in few bits, as an ONNX file to be run by onnxruntime. It is the last step of a recipe.

    Parameters
    ----------
    mode
        ``"static"``: weights and activations in 8 bits, with ranges from up to 256 training examples. ``"dynamic"``:
        weights, and activations at run time. ``"weights"``: stored in 8 bits and computed with in float, by any
        runtime. ``"float16"`` and ``"bfloat16"``: the same with 16 bits. ``"aware"``: trained with weights of ``bits``
        bits, then static where that is possible. ``"auto"``: float, static, dynamic and weights are scored and timed,
        and the smallest that is neither detectably worse nor much slower is kept, of about equally small ones one that
        is clearly faster; a note says why.
    bits
        Of the weights, 2 to 8: fewer than 8 with ``"aware"`` only. The ONNX file has 8 bits for each of them; the
        bundle has as many as they need.
    epochs
        How long to train with ``"aware"``, 1 or more; 0 with all others.
    exclude
        The names of layers that stay in float, as in ``model.named_modules()``; or ``"auto"``: if the score is
        detectably worse, as few as bring it back, the most sensitive ones first.
    learning_rate
        Of the training, above 0.

    Raises
    ------
    ValueError
        If a value is unknown or out of range, or two of them contradict each other.
    TypeError
        If a value is of the wrong type.

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
    ValueError: unknown mode 'int8': the known ones are 'auto', 'static', 'dynamic', 'weights', 'aware', 'float16', \
'bfloat16'
    """

    mode: Literal["auto", "static", "dynamic", "weights", "aware", "float16", "bfloat16"] = "auto"
    bits: int = 8
    epochs: int = 0
    exclude: tuple[str, ...] | Literal["auto"] | None = None
    learning_rate: float = 1e-3

    last: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if settings.has_open(self):
            return
        bits: Any = self.bits
        if self.mode not in _MODES:
            raise ValueError(f"unknown mode {self.mode!r}: the known ones are {text.listed(_MODES)}")
        if isinstance(bits, bool) or not isinstance(bits, int):
            raise TypeError(f"bits is a whole number: got {text.value(bits)}")
        if not _LEAST_BITS <= bits <= 8:
            raise ValueError(f"weights have {_LEAST_BITS} to 8 bits: got bits={bits}")
        if bits < 8 and self.mode != "aware":
            raise ValueError(
                f"a network has to learn to live with fewer than 8 bits: got bits={bits} with mode={self.mode!r}; "
                'write mode="aware" and epochs=3, say'
            )
        settings.check_epochs(self.epochs)
        settings.check_learning_rate(self.learning_rate)
        if (self.mode == "aware") != (self.epochs > 0):
            raise ValueError(
                f'mode="aware" trains, and it alone: got mode={self.mode!r} and epochs={self.epochs}; '
                + ("give epochs=3, say" if self.mode == "aware" else "leave epochs out")
            )
        if self.exclude != "auto":
            object.__setattr__(self, "exclude", settings.layer_names(self.exclude, "exclude"))

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self, "mode")

    def check(self, model: Module) -> None:
        """Raise a ValueError if no layer can be stored in few bits."""
        kinds = tuple(kind for family in layer_kinds().values() for kind in family)
        if not any(isinstance(module, kinds) for module in model.modules()):
            raise ValueError(
                f"quantization stores the weights of layers: {type(model).__name__} has no linear, convolutional, "
                "recurrent, attention or embedding layer; leave Quantize out"
            )
        if isinstance(self.exclude, tuple):
            from tunekit.compress.quantization.nodes import check_layers

            check_layers(model, self.exclude)
        if self.mode == "aware":
            prunable(model)

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on; return the stage with its file.

        Raises
        ------
        ValueError
            If not one layer could be changed.
        """
        from tunekit.compress.quantization.nodes import weights_of

        if self.mode == "aware":
            stage = yield from self._trained(stage, context)
        yield Progressed("Writing the float file", 0.5)
        data = context.file(_in_floats(stage))
        excluded: set[str] = set()
        if isinstance(self.exclude, tuple):
            excluded = weights_of(data, stage.network, self.exclude)
        made, how = yield from self._made(data, excluded, stage, context)
        if not made.changed and not how.startswith("tried"):
            raise ValueError(_nothing(self, made, data, excluded))
        if self.exclude == "auto":
            made, spared = yield from self._spared(made, data, stage, context)
            how += spared
            if not made.changed and not how.startswith("tried"):
                raise ValueError(
                    f"quantization changes at least one layer: {self!r} leaves all {made.total} in float, as the score "
                    "is detectably worse with any of them in few bits: try another mode, or leave Quantize out"
                )
        note = f"{self!r}: {how}; layers changed: {made.changed} of {made.total}."
        return replace(stage, file=made.file, notes=(*stage.notes, note))

    def _made(
        self, data: bytes, excluded: set[str], stage: Stage, context: Context
    ) -> Generator[Event, None, tuple[Int8, str]]:
        from tunekit.compress.quantization import int8
        from tunekit.compress.quantization.choosing import Form, choose

        x = context.task.train.head(_CALIBRATION)
        calibrated = f"calibrated on {text.plural(count(x), 'training example')}"
        # asked of the network, not of the file: there, the exporter may have unrolled the layer
        recurrent = any(isinstance(module, layer_kinds()["recurrent"]) for module in stage.network.modules())
        if self.mode == "auto":
            makers: dict[str, Callable[[], Int8]] = {
                "static": lambda: int8.static(data, x, excluded),
                "dynamic": lambda: int8.dynamic(data, convolutions=False, exclude=excluded),
                "weights": lambda: int8.stored(data, "int8", excluded),
            }
            forms, failed = [Form("float", int8.untouched(context.file(stage)))], []
            for mode, make in makers.items():
                yield Progressed(f"Making the {mode} form")
                try:
                    made = make()
                    int8.check_runs(made, x, mode)
                except Exception:  # onnxruntime's own classes derive from Exception alone
                    failed.append(mode)
                    continue
                if made.changed:
                    forms.append(Form(mode, made))
            missing = f"; onnxruntime makes no file that runs as {text.listed(failed)}" if failed else ""
            if len(forms) == 1:
                raise ValueError(_nothing(self, forms[0].made, data, excluded) + missing)
            best, why = yield from choose(forms, context)
            why += missing
            return best.made, f"{why}, {calibrated}" if best.mode == "static" else why
        yield Progressed("Quantizing", 0.6)
        mode = self.mode
        write: Callable[[], Int8] = partial(int8.stored, data, "int8", excluded)
        how = "weights in int8, computed with in float"
        if mode == "static" or (mode == "aware" and not recurrent):
            write, how = partial(int8.static, data, x, excluded), f"static int8, {calibrated}"
        elif mode == "dynamic":
            write, how = partial(int8.dynamic, data, convolutions=True, exclude=excluded), "dynamic int8"
        elif mode == "float16" or mode == "bfloat16":
            write, how = partial(int8.stored, data, mode, excluded), f"weights in {mode}, computed with in float"
        try:
            made = write()
        except Exception as error:  # whatever onnxruntime's quantizer stumbles over
            raise ValueError(
                f"onnxruntime's quantizer makes no {mode!r} form of {type(stage.network).__name__}: "
                f'{first_line(error)}; write mode="auto", which takes what works, or leave the layer out with exclude='
            ) from error
        int8.check_runs(made, x, mode)
        return made, how

    def _trained(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Train with rounded weights; the network that comes back has them."""
        from torch.nn.modules.conv import _ConvTransposeNd

        from tunekit.compress.quantization.aware import trained_aware
        from tunekit.compress.quantization.nodes import sharing

        network = copied(stage.network)
        out = sharing(network, self.exclude) if isinstance(self.exclude, tuple) else None
        modules = dict(network.named_modules())
        axes = {
            name: int(isinstance(modules[name.rpartition(".")[0]], _ConvTransposeNd))
            for name in prunable(network, None, out)
        }
        yield from trained_aware(
            network,
            context,
            stage.masks,
            axes,
            bits=self.bits,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )
        return replace(stage, network=network, clusters={}, file=None)

    def _spared(
        self, made: Int8, data: bytes, stage: Stage, context: Context
    ) -> Generator[Event, None, tuple[Int8, str]]:
        from tunekit.compress.quantization.sparing import spare

        def again(excluded: set[str]) -> Generator[Event, None, Int8]:
            found, _ = yield from self._made(data, excluded, stage, context)
            return found

        return (yield from spare(made, data, stage.network, context, again))


def _in_floats(stage: Stage) -> Stage:
    """The same in 32 bits: onnxruntime's quantizer knows no other floats."""
    import torch

    if stage.file is not None or precision_of(stage.network) in (torch.float32, torch.bfloat16, None):
        return stage
    return replace(stage, network=copied(stage.network).float())


def _nothing(step: Quantize, done: Int8, data: bytes, excluded: Collection[str]) -> str:
    from tunekit.compress.quantization.int8 import float_weights
    from tunekit.compress.quantization.stored import LEAST

    left = {name: size for name, size in float_weights(data).items() if name not in excluded}
    if excluded and not left:
        why = "exclude= keeps all of them in float: exclude fewer layers, or leave Quantize out"
    elif step.mode in ("weights", "float16", "bfloat16") and left and max(left.values()) < LEAST:
        why = (
            f"this mode stores weights of {LEAST} numbers or more, as smaller ones would take more room than before, "
            f"and the largest {'that is not excluded ' if excluded else ''}has {max(left.values())}: "
            'write mode="static", or leave Quantize out'
        )
    else:
        why = "onnxruntime has no such form of them in this mode: try another mode, or leave Quantize out"
    return f"quantization changes at least one layer: {step!r} changed none of {done.total}; {why}"
