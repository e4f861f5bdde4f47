"""What the search is measured on: real models that are trained on scikit-learn's own data, in 5 to 40 ms each.

The data are small parts of the bundled sets, so that a run of fifty trials takes seconds; every evaluation is
deterministic. Scores are accuracies, negative losses, or R², under three-fold cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.search_cache import remembered
from tests.benchmarks.search_nets import NETS_SPACE, train_net
from tests.benchmarks.search_problems import Line, Task
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space

Data = tuple[NDArray[np.float64], NDArray[Any]]
# A continuous score of a few hundred samples says nothing below this.
_CONTINUOUS = 1e-4


@cache
def data(name: str, count: int) -> Data:
    """The first samples of a bundled set, in one random order; a regression's target has variance 1."""
    from sklearn import datasets

    inputs, targets = getattr(datasets, f"load_{name}")(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(inputs))[:count]
    targets = targets[chosen]
    return inputs[chosen], (targets - targets.mean()) / targets.std() if name == "diabetes" else targets


@cache
def folds(name: str, count: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Three splits into training and validation, the same for every setting."""
    from sklearn.model_selection import KFold, StratifiedKFold

    splitter = KFold(3) if name == "diabetes" else StratifiedKFold(3)
    return list(splitter.split(*data(name, count)))


def fitted(model: Any, name: str, count: int) -> Iterator[tuple[Any, NDArray[np.float64], NDArray[Any]]]:
    """The model fitted on each split in turn, with that split's validation data."""
    from sklearn.base import clone

    inputs, targets = data(name, count)
    for train, validation in folds(name, count):
        yield clone(model).fit(inputs[train], targets[train]), inputs[validation], targets[validation]


def accuracy(model: Any, name: str, count: int) -> float:
    """The share of validation samples that are told rightly."""
    return float(
        np.mean([np.mean(one.predict(inputs) == targets) for one, inputs, targets in fitted(model, name, count)])
    )


def closeness(model: Any, name: str, count: int) -> float:
    """Minus Brier's score, -2 to 0: how close the predicted probabilities are to what was so."""
    scores = []
    for one, inputs, targets in fitted(model, name, count):
        wanted = one.classes_ == targets[:, None]
        scores.append(-np.mean(np.sum((one.predict_proba(inputs) - wanted) ** 2, axis=1)))
    return float(np.mean(scores))


def explained(model: Any, name: str, count: int) -> float:
    """The share of the variance that is explained, 1 at best."""
    errors = [np.mean((one.predict(inputs) - targets) ** 2) for one, inputs, targets in fitted(model, name, count)]
    return 1.0 - float(np.mean(errors))


def scaled(scaling: str, *steps: Any) -> Any:
    """The steps behind a scaling of the inputs, as one model."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    scalers = {"none": [], "standard": [StandardScaler()], "min-max": [MinMaxScaler()]}
    return make_pipeline(*scalers[scaling], *steps)


_SCALING = Choice("none", "standard", "min-max")


def support_vectors(C: float, gamma: float, scaling: str, balanced: bool) -> float:
    from sklearn.svm import SVC

    model = SVC(C=C, gamma=gamma, class_weight="balanced" if balanced else None)
    return accuracy(scaled(scaling, model), "digits", 300)


def random_forest(
    trees: int, depth: int, share: float, split: int, leaf: int, criterion: str, bootstrap: bool
) -> float:
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(
        n_estimators=trees,
        max_depth=depth,
        max_features=share,
        min_samples_split=split,
        min_samples_leaf=leaf,
        criterion=criterion,
        bootstrap=bootstrap,
        random_state=0,
    )
    return closeness(model, "wine", 178)


def boosting(lr: float, trees: int, depth: int, subsample: float, share: float, leaf: int, loss: str) -> float:
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(
        learning_rate=lr,
        n_estimators=trees,
        max_depth=depth,
        subsample=subsample,
        max_features=share,
        min_samples_leaf=leaf,
        loss=loss,
        random_state=0,
    )
    return explained(model, "diabetes", 180)


def perceptron(
    lr: float, alpha: float, width: int, layers: int, batch: int, activation: str, momentum: float, scaling: str
) -> float:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=(width,) * layers,
        activation=activation,
        alpha=alpha,
        batch_size=batch,
        learning_rate_init=lr,
        momentum=momentum,
        solver="sgd",
        max_iter=4,
        random_state=0,
    )
    try:
        return closeness(scaled(scaling, model), "breast_cancer", 240)
    except ValueError:  # its weights went beyond all numbers: it is wrong on every sample
        return -2.0


def linear(alpha: float, mixture: float, loss: str, schedule: str, eta: float, average: bool, scaling: str) -> float:
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(
        loss=loss,
        penalty="elasticnet",
        alpha=alpha,
        l1_ratio=mixture,
        learning_rate=schedule,
        eta0=eta,
        average=average,
        max_iter=5,
        tol=None,
        random_state=0,
    )
    return accuracy(scaled(scaling, model), "digits", 300)


def neighbours(count: int, weights: str, metric: str, components: int, scaling: str) -> float:
    from sklearn.decomposition import PCA
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(count, weights=weights, metric=metric, algorithm="brute")
    return closeness(scaled(scaling, PCA(components, svd_solver="full"), model), "digits", 300)


def kernel_ridge(alpha: float, gamma: float, kernel: str, scaling: str, powered: bool) -> float:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.preprocessing import PowerTransformer

    steps = [PowerTransformer()] if powered else []
    return explained(scaled(scaling, *steps, KernelRidge(alpha=alpha, gamma=gamma, kernel=kernel)), "diabetes", 240)


def histogram_boosting(lr: float, trees: int, leaves: int, leaf: int, ridge: float, bins: int, share: float) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=lr,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=leaf,
        l2_regularization=ridge,
        max_bins=bins,
        max_features=share,
        early_stopping=False,
        random_state=0,
    )
    return closeness(model, "breast_cancer", 180)


def any_model(model: str, scaling: str, **settings: Any) -> float:
    """One of three kinds of model, each with parameters of its own."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    if model == "support vectors":
        kernel = settings.pop("kernel")
        chosen = SVC(kernel=kernel, random_state=0, **settings)
    elif model == "trees":
        chosen = ExtraTreesClassifier(random_state=0, **settings)
    else:
        chosen = KNeighborsClassifier(**settings)
    return accuracy(scaled(scaling, chosen), "digits", 300)


_SUPPORT, _TREES, _NEIGHBOURS = ({"model": name} for name in ("support vectors", "trees", "neighbours"))
_ANY_MODEL = Space(
    model=Choice("support vectors", "trees", "neighbours"),
    scaling=_SCALING,
    C=Float(1e-2, 1e3, log=True, when=_SUPPORT),
    kernel=Choice("linear", "rbf", "poly", when=_SUPPORT),
    gamma=Float(1e-5, 1.0, log=True, when={**_SUPPORT, "kernel": ["rbf", "poly"]}),
    degree=Int(2, 5, when={**_SUPPORT, "kernel": "poly"}),
    coef0=Float(0.0, 3.0, when={**_SUPPORT, "kernel": "poly"}),
    n_estimators=Int(2, 20, log=True, when=_TREES),
    max_depth=Int(2, 16, when=_TREES),
    max_features=Float(0.02, 1.0, when=_TREES),
    n_neighbors=Int(1, 40, log=True, when=_NEIGHBOURS),
    weights=Choice("uniform", "distance", when=_NEIGHBOURS),
)


def _line(name: str, evaluate: Callable[..., float], space: Space, floor: float = _CONTINUOUS) -> Line:
    # one task for all seeds: `remembered` then holds the scores of all methods
    task = Task(space, remembered(name, evaluate))
    return Line(name, "real", partial(_same, task), floor)


def _same(task: Task, seed: int) -> Task:
    return task


MODELS = (
    _line("nets", train_net, NETS_SPACE, floor=0.5 / 500),
    _line(
        "support-vectors",
        support_vectors,
        Space(C=(1e-2, 1e3, "log"), gamma=(1e-6, 1.0, "log"), scaling=_SCALING, balanced=[True, False]),
        floor=0.5 / 300,
    ),
    _line(
        "forest",
        random_forest,
        Space(
            trees=(2, 10, "log"),
            depth=(1, 12),
            share=(0.05, 1.0),
            split=(2, 20, "log"),
            leaf=(1, 10, "log"),
            criterion=["gini", "entropy"],
            bootstrap=[True, False],
        ),
    ),
    _line(
        "boosting",
        boosting,
        Space(
            lr=(1e-3, 1.0, "log"),
            trees=(3, 20, "log"),
            depth=(1, 5),
            subsample=(0.3, 1.0),
            share=(0.1, 1.0),
            leaf=(1, 40, "log"),
            loss=["squared_error", "huber"],
        ),
    ),
    _line(
        "perceptron",
        perceptron,
        Space(
            lr=(1e-4, 1.0, "log"),
            alpha=(1e-6, 1e1, "log"),
            width=(4, 64, "log"),
            layers=(1, 3),
            batch=(10, 80, "log"),
            activation=["relu", "tanh", "logistic"],
            momentum=(0.0, 0.99),
            scaling=_SCALING,
        ),
    ),
    _line(
        "linear",
        linear,
        Space(
            alpha=(1e-6, 1e-1, "log"),
            mixture=(0.0, 1.0),
            loss=["hinge", "log_loss", "modified_huber"],
            schedule=["constant", "invscaling", "adaptive", "optimal"],
            eta=(1e-5, 1.0, "log"),
            average=[True, False],
            scaling=_SCALING,
        ),
        floor=0.5 / 300,
    ),
    _line(
        "neighbours",
        neighbours,
        Space(
            count=(1, 60, "log"),
            weights=["uniform", "distance"],
            metric=["euclidean", "manhattan", "chebyshev", "cosine"],
            components=(2, 64, "log"),
            scaling=_SCALING,
        ),
    ),
    _line(
        "kernel-ridge",
        kernel_ridge,
        Space(
            alpha=(1e-6, 1e2, "log"),
            gamma=(1e-5, 1e1, "log"),
            kernel=["rbf", "laplacian", "sigmoid"],
            scaling=_SCALING,
            powered=[True, False],
        ),
    ),
    _line(
        "histogram-boosting",
        histogram_boosting,
        Space(
            lr=(1e-2, 1.0, "log"),
            trees=(2, 8, "log"),
            leaves=(2, 32, "log"),
            leaf=(1, 60, "log"),
            ridge=(1e-6, 1e2, "log"),
            bins=(4, 255, "log"),
            share=(0.1, 1.0),
        ),
    ),
    _line("any-model", any_model, _ANY_MODEL, floor=0.5 / 300),
)
