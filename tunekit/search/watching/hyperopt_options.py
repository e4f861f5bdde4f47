"""The options of hyperopt's choices: its Trials hold only the place of the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunekit.core.extras import needed
from tunekit.search.parameters import Choice


def options(space: Any) -> Mapping[str, Choice]:
    """The options of each ``hp.choice`` and ``hp.pchoice`` of a space, by label, in the order of their places.

    An option with parameters of its own stands in words, with their labels in the place of values. Options that are
    not all different are left out: their places tell more.

    Parameters
    ----------
    space
        What ``fmin`` takes as its space.

    Examples
    --------
    >>> from hyperopt import hp
    >>> options({"act": hp.choice("act", ["relu", {"slope": hp.uniform("slope", 0, 1)}])})["act"].values
    ('relu', "{'slope': slope}")
    """
    pyll = needed("hyperopt").pyll
    found = {}
    for node in pyll.dfs(pyll.as_apply(space)):
        if node.name == "switch" and node.pos_args[0].name == "hyperopt_param":
            try:
                found[_label(node)] = Choice(*(_option(pyll, one) for one in node.pos_args[1:]))
            except ValueError:
                continue
    return found


def _option(pyll: Any, node: Any) -> Any:
    if any(one.name == "hyperopt_param" for one in pyll.dfs(node)):
        return _words(node)
    return pyll.rec_eval(node)


def _words(node: Any) -> str:
    """An option as it was written, with labels for the parameters in it."""
    if node.name == "literal":
        return repr(node.obj)
    if node.name in ("hyperopt_param", "switch"):
        return _label(node)
    if node.name == "dict":
        return f"{{{', '.join(f'{name!r}: {_words(one)}' for name, one in node.named_args)}}}"
    parts = [*map(_words, node.pos_args), *(f"{name}={_words(one)}" for name, one in node.named_args)]
    if node.name in ("float", "int"):  # what hyperopt itself puts around its numbers
        return ", ".join(parts)
    return f"{'' if node.name == 'pos_args' else node.name}({', '.join(parts)})"


def _label(node: Any) -> str:
    """The label of a parameter, or of the one that a switch looks at."""
    chosen = node if node.name == "hyperopt_param" else node.pos_args[0]
    return str(chosen.arg["label"].obj)
