"""A recipe: the steps that make a net smaller, as plain data that goes to JSON and back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from tunekit.compress.settings import has_open
from tunekit.core import text
from tunekit.core.registry import Registry

if TYPE_CHECKING:
    from dataclasses import Field

    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage
    from tunekit.core.events import Event

FORMAT = "tunekit recipe"
VERSION = 1


class Step(Protocol):
    """What a recipe is made of: a frozen dataclass whose fields are plain JSON values.

    ``last`` says that nothing may follow it, because it leaves no PyTorch network to work on.
    """

    last: ClassVar[bool]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def check(self, model: Module) -> None:
        """Raise a ValueError if this step cannot be done to the model; called before any work starts."""

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on, and return what the stage has become. The stage that is given stays as it is."""


steps: Registry[Callable[..., Step]] = Registry("step")


def known_steps() -> Registry[Callable[..., Step]]:
    """The registry of steps, with the built-in ones in it.

    Examples
    --------
    >>> list(known_steps())
    ['distill', 'factorise', 'fine-tune', 'fold', 'prune', 'quantize', 'share']
    """
    # the modules register themselves; they are read when the first name is looked up
    from tunekit.compress import distill, factorise, fine_tune, fold, sharing  # noqa: F401
    from tunekit.compress.pruning import prune  # noqa: F401
    from tunekit.compress.quantization import quantize  # noqa: F401

    return steps


def typed(step: Any, *positional: str) -> str:
    """Write a step as a person would type it: what is as by default is left out.

    Parameters
    ----------
    step
        A dataclass.
    positional
        The fields that are written without their name.
    """
    parts = []
    for field in fields(step):
        value = getattr(step, field.name)
        if field.default is MISSING or value != field.default:
            # unlike in a table, nothing is rounded: what is typed again must be the same step
            parts.append(repr(value) if field.name in positional else f"{field.name}={value!r}")
    return f"{type(step).__name__}({', '.join(parts)})"


def to_records(recipe: Sequence[Step]) -> list[dict[str, Any]]:
    """Return the steps as dicts of plain values, each with its registered name under ``"step"``.

    What is as by default is left out: a default that changes is a new version of the format.
    """
    return [{"step": name_of(step), **_values(step)} for step in recipe]


def to_json(recipe: Sequence[Step]) -> str:
    """Write a recipe as JSON.

    Raises
    ------
    ValueError
        If a step is not registered.

    Examples
    --------
    >>> from tunekit.compress.pruning.prune import Prune
    >>> to_json([Prune(0.8)])
    '{"format": "tunekit recipe", "version": 1, "steps": [{"step": "prune", "amount": 0.8}]}'
    """
    return json.dumps({"format": FORMAT, "version": VERSION, "steps": to_records(recipe)})


def from_json(source: str) -> list[Step]:
    """Read a recipe.

    Raises
    ------
    ValueError
        If it is no JSON, no recipe, of a version that is not known, or has a step that is not known or not valid.

    Examples
    --------
    >>> from tunekit.compress.fine_tune import FineTune
    >>> from_json(to_json([FineTune(epochs=3)]))
    [FineTune(epochs=3)]
    """
    try:
        data = json.loads(source)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"a recipe is written in JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f'a recipe says "format": "{FORMAT}": got {str(data)[:100]}')
    if data.get("version") != VERSION:
        raise ValueError(
            f"this tunekit reads recipes of version {VERSION}: got version {data.get('version')!r}; update tunekit"
        )
    return from_records(data.get("steps"))


def from_records(records: Any) -> list[Step]:
    """Build the steps that `to_records` took apart."""
    if not isinstance(records, list):
        raise ValueError(f"the steps of a recipe are a list: got {type(records).__name__}")
    return [_from_record(record) for record in records]


def check(recipe: Any, model: Module) -> list[Step]:
    """Return the recipe as a list, once every step fits the model and its place.

    Raises
    ------
    TypeError
        If it is not a list of steps.
    ValueError
        If it is empty, a step cannot be done to this model, or a step follows one that must be the last.
    """
    if not isinstance(recipe, Sequence) or isinstance(recipe, (str, bytes)):
        raise TypeError(f"a recipe is a list of steps, such as [Prune(0.8), FineTune(epochs=3)]: got {recipe!r}")
    if not recipe:
        raise ValueError("a recipe has at least one step: got none; for the figures of a model alone use measure()")
    for step in recipe:
        if isinstance(step, type) or not all(hasattr(step, name) for name in ("check", "apply", "last")):
            hint = "; call it: a step is made with its settings" if isinstance(step, type) else ""
            raise TypeError(
                f"a recipe holds steps (the known ones are {text.listed(known_steps())}): got {text.value(step)}{hint}"
            )
        if has_open(step):
            raise ValueError(
                f"a recipe is run once all of its fields have values: {step!r} is open; search it with "
                "lab.search(recipe, trials=30), then lab.run(recipe, params=study.best.params)"
            )
    chain = cast("list[Step]", list(recipe))
    for step, following in itertools.pairwise(chain):
        if step.last:
            raise ValueError(
                f"nothing follows {step!r}, as it leaves no PyTorch network to work on: got {following!r} after it; "
                "put it at the end"
            )
    for step in chain:
        name_of(step)
        step.check(model)
    return chain


def _from_record(record: Any) -> Step:
    if not isinstance(record, dict) or not isinstance(record.get("step"), str):
        raise ValueError(f'a step of a recipe is an object with its name under "step": got {str(record)[:100]}')
    settings = {name: value for name, value in record.items() if name != "step"}
    kind: Any = known_steps()[record["step"]]
    known = {field.name for field in fields(kind)}
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(
            f"step {record['step']!r} has no setting {text.listed(unknown)}: "
            f"the known ones are {text.listed(sorted(known))}"
        )
    try:
        step: Step = kind(**settings)
    except TypeError as error:
        raise ValueError(f"step {record['step']!r} cannot be made of {settings}: {error}") from error
    return step


def name_of(step: Step) -> str:
    """The name under which a step's kind is registered.

    Raises
    ------
    ValueError
        If it is not.
    """
    for name in known_steps():
        if steps[name] is type(step):
            return name
    raise ValueError(
        f"a step is registered, so that a recipe can be read again: {type(step).__name__} is not; "
        f'decorate it with @steps.register("name")'
    )


def _values(step: Step) -> Mapping[str, Any]:
    kept: list[Field[Any]] = [
        one for one in fields(step) if one.default is MISSING or getattr(step, one.name) != one.default
    ]
    values = {field.name: getattr(step, field.name) for field in kept}
    # a step that holds something that no JSON can says itself what it is
    values |= {name: value for name, value in getattr(step, "record", dict)().items() if name in values}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
