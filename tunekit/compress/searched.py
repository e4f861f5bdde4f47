"""Recipes with open fields: where a step has a parameter in place of a value, a search fills it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

from tunekit.compress import recipe as recipes
from tunekit.compress.settings import is_open
from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.compress.recipe import Step
    from tunekit.search.parameters import Parameter


def parameters_of(recipe: Any) -> dict[str, Parameter]:
    """Return the parameters that stand in a recipe, by the names that a study gives them.

    A name is that of the step and that of its field: ``prune_amount``; of the second such step ``prune_2_amount``.

    Raises
    ------
    TypeError
        If it is not a list of steps.
    ValueError
        If nothing is open, or no value that could be filled in is allowed.

    Examples
    --------
    >>> from tunekit.compress.fine_tune import FineTune
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.search.parameters import Float, Int
    >>> sorted(parameters_of([Prune(Float(0.3, 0.9)), FineTune(Int(1, 5))]))
    ['fine_tune_epochs', 'prune_amount']
    """
    if not isinstance(recipe, Sequence) or isinstance(recipe, (str, bytes)):
        raise TypeError(f"a recipe is a list of steps, such as [Prune(Float(0.3, 0.9)), Quantize()]: got {recipe!r}")
    found: dict[str, Parameter] = {name: parameter for name, _, _, parameter in _open_fields(recipe)}
    if not found:
        raise ValueError(
            "a recipe that is searched has a parameter in place of a value, such as Prune(Float(0.3, 0.9)): "
            f"{', '.join(map(repr, recipe)) or 'an empty recipe'} has none; to run it as it is, use run"
        )
    errors: list[Exception] = []
    for unit in (0.0, 0.5, 1.0):
        try:
            filled(recipe, {name: parameter.from_unit(unit) for name, parameter in found.items()})
        except (TypeError, ValueError) as error:
            errors.append(error)
    if len(errors) == 3:
        raise ValueError(f"a search fills in what the steps allow, and here nothing is: {errors[-1]}")
    return found


def filled(recipe: Sequence[Step], params: Mapping[str, Any]) -> list[Step]:
    """Return the recipe with values in place of its parameters.

    Parameters
    ----------
    recipe
        Steps, some of them open.
    params
        A value for each parameter, by its name; others are passed over.

    Raises
    ------
    ValueError
        If a value is missing, or a step does not allow it.

    Examples
    --------
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.search.parameters import Float
    >>> filled([Prune(Float(0.3, 0.9))], {"prune_amount": 0.5})
    [Prune(0.5)]
    """
    chain = list(recipe)
    values: dict[int, dict[str, Any]] = {}
    for name, place, field, parameter in _open_fields(recipe):
        if name in params:
            values.setdefault(place, {})[field] = params[name]
        elif parameter.when is None:
            raise ValueError(
                f"a recipe is run once all of its fields have values: {chain[place]!r} is open, and {name!r} is not "
                f"among {text.listed(params)}; give params=study.best.params, or search it with search"
            )
        else:  # it does not count in this trial: the field is as by default
            values.setdefault(place, {})[field] = _default(chain[place], field)
    for place, given in values.items():
        chain[place] = cast("Step", replace(cast("Any", chain[place]), **given))
    return chain


def _open_fields(recipe: Sequence[Step]) -> Iterator[tuple[str, int, str, Parameter]]:
    """Of each open field its name in the study, the place of its step, its own name and the parameter."""
    seen: dict[str, int] = {}
    for place, step in enumerate(recipe):
        if isinstance(step, type) or not hasattr(step, "__dataclass_fields__"):
            continue
        kind = recipes.name_of(step).replace("-", "_")
        seen[kind] = seen.get(kind, 0) + 1
        prefix = kind if seen[kind] == 1 else f"{kind}_{seen[kind]}"
        for field in fields(step):
            value = getattr(step, field.name)
            if is_open(value):
                yield f"{prefix}_{field.name}", place, field.name, value


def _default(step: Step, name: str) -> Any:
    return next(field.default for field in fields(step) if field.name == name)
