"""Watching a study that somebody already has, of whatever package: the same trials, with the panel and the plots."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from tunekit.core import text
from tunekit.core.journaled import journal_path
from tunekit.search.study import Study


def watch(
    watched: Any, objective: Callable[..., Any] | None = None, *, init_points: int = 5, space: Any = None
) -> Study:
    """Make a study of one that was begun elsewhere: its trials, its space, with the panel, the plots and the insight.

    Parameters
    ----------
    watched
        What was begun elsewhere:

        a ``bayes_opt.BayesianOptimization`` with a function to maximize. The study visits exactly the points that
        ``maximize(init_points, n_iter)`` would, and registers each with the optimizer. Points that it has already are
        the study's first trials;

        an ``optuna.Study``. Its trials are the study's trials at any moment, also while somebody else runs it. With an
        ``objective`` the study can be run: its sampler and its pruner say what to try, and it knows all trials;

        hyperopt's ``Trials``, finished or running: its trials at any moment. It cannot be run from here. It holds of
        each ``hp.choice`` the place of the option alone: with the ``space`` that ``fmin`` was given it is the option;

        the path of a study's journal, which another process may be writing: its trials at any moment, read-only.
    objective
        Only for an optuna study: a function of an optuna trial.
    init_points
        Only for a bayes_opt optimizer: how many random points come first, as in its ``maximize``; 0 or more.
    space
        Only for hyperopt's Trials: the space that they were drawn from.

    Returns
    -------
    Study
        ``watch(optimizer, init_points=2).run(12)`` is ``optimizer.maximize(init_points=2, n_iter=10)``;
        ``watch(study, objective).run(20)`` is ``study.optimize(objective, n_trials=20)``.
        ``watch(study).follow()`` shows live what another cell, thread or process runs.

    Raises
    ------
    TypeError
        If it is none of these, or an objective or a space is given that is not needed.
    FileNotFoundError
        If there is no such journal.

    Examples
    --------
    >>> from bayes_opt import BayesianOptimization
    >>> optimizer = BayesianOptimization(lambda x: -(x**2), {"x": (-1.0, 1.0)}, random_state=1, verbose=0)
    >>> study = watch(optimizer, init_points=2)
    >>> len(study.run(4).words) > 0, len(optimizer.res)
    (True, 4)
    """
    if space is not None and not _is_a(watched, "hyperopt", "Trials"):
        raise TypeError(
            f"only hyperopt's Trials are watched with a space: got one beside {text.value(watched)}, which has its "
            "own; leave it out"
        )
    if _is_a(watched, "optuna", "Study"):
        from tunekit.search.watching.optuna_study import OptunaStudy

        return OptunaStudy(watched, objective)
    if objective is not None:
        raise TypeError(
            f"only an optuna study is watched with an objective: got {text.value(objective)} beside "
            f"{text.value(watched)}; leave it out"
        )
    if _is_a(watched, "bayes_opt", "BayesianOptimization"):
        from tunekit.search.watching.bayes_opt_study import BayesOptStudy

        return BayesOptStudy(watched, init_points)
    if _is_a(watched, "hyperopt", "Trials"):
        from tunekit.search.watching.hyperopt_study import HyperoptStudy

        return HyperoptStudy(watched, space)
    if isinstance(watched, (str, os.PathLike)):
        from tunekit.search.watching.journal_study import JournalStudy

        return JournalStudy(journal_path(watched))
    raise TypeError(
        "watch takes a bayes_opt.BayesianOptimization, an optuna.Study, hyperopt's Trials or the path of a journal: "
        f"got {text.value(watched)}"
    )


def _is_a(thing: Any, package: str, name: str) -> bool:
    """Whether it is of that class; whoever holds such an object has imported its package."""
    kind = getattr(sys.modules.get(package), name, None)
    return kind is not None and isinstance(thing, kind)
