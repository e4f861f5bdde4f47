from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.compress.nets import tiny
from tunekit.compress import recipe as recipes
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize

prunes = st.builds(
    Prune,
    st.floats(0, 1, exclude_max=True) | st.just(0),
    criterion=st.sampled_from(["magnitude", "random"]),
    layers=st.none() | st.lists(st.text(), min_size=1).map(tuple),
)
fine_tunes = st.builds(
    FineTune, epochs=st.integers(1, 1000), learning_rate=st.floats(0, 10, exclude_min=True, allow_subnormal=False)
)
quantizes = st.builds(Quantize, st.sampled_from(["auto", "static", "dynamic"]))


@given(st.lists(prunes | fine_tunes | quantizes))
def test_a_recipe_comes_back_from_json(recipe: list[Any]) -> None:
    assert recipes.from_json(recipes.to_json(recipe)) == recipe
    assert recipes.from_records(json.loads(json.dumps(recipes.to_records(recipe)))) == recipe


@given(prunes | fine_tunes | quantizes)
def test_a_step_is_written_as_it_is_typed(step: Any) -> None:
    assert eval(repr(step), {"Prune": Prune, "FineTune": FineTune, "Quantize": Quantize}) == step


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{", "written in JSON"),
        ("[]", 'says "format": "tunekit recipe"'),
        ('{"format": "tunekit recipe", "version": 2, "steps": []}', "version 1: got version 2; update tunekit"),
        ('{"format": "tunekit recipe", "version": 1}', "are a list: got NoneType"),
        ('{"format": "tunekit recipe", "version": 1, "steps": [3]}', 'its name under "step": got 3'),
        (
            '{"format": "tunekit recipe", "version": 1, "steps": [{"step": "shrink"}]}',
            "unknown step 'shrink': the known ones are 'distill', 'factorise', 'fine-tune'",
        ),
        (
            '{"format": "tunekit recipe", "version": 1, "steps": [{"step": "prune", "amuont": 1}]}',
            "has no setting 'amuont': the known ones are 'amount', 'criterion', 'epochs'",
        ),
        ('{"format": "tunekit recipe", "version": 1, "steps": [{"step": "prune"}]}', "missing 1 required"),
        ('{"format": "tunekit recipe", "version": 1, "steps": [{"step": "prune", "amount": 2}]}', "got 2"),
    ],
)
def test_json_that_is_no_recipe(source: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        recipes.from_json(source)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Prune(80), ValueError, ["from 0 to below 1", "got 80", "write 0.8"]),
        (lambda: Prune(1.0), ValueError, ["from 0 to below 1", "got 1"]),
        (lambda: Prune(-0.1), ValueError, ["got -0.1"]),
        (lambda: Prune(float("nan")), ValueError, ["got nan"]),
        (lambda: Prune("half"), TypeError, ["is a number", "'half'"]),  # type: ignore[arg-type]
        (lambda: Prune(True), TypeError, ["is a number", "True"]),
        (lambda: Prune(0.5, criterion="tailor"), ValueError, ["unknown criterion 'tailor'", "'taylor'", "'random'"]),
        (lambda: Prune(0.5, scope="all"), ValueError, ["unknown scope 'all'", "'global'"]),  # type: ignore[arg-type]
        (lambda: Prune(0.5, schedule="cubic"), ValueError, ["has no epochs", "epochs=5"]),
        (lambda: Prune(0.5, epochs=1, schedule="slow"), ValueError, ["unknown schedule 'slow'"]),  # type: ignore[arg-type]
        (lambda: Prune(0.5, pattern="4:2"), ValueError, ['such as "2:4"', "'4:2'"]),
        (lambda: Prune(0.8, pattern="2:4"), ValueError, ["2 of 4", "0.8", "Prune(0.5, pattern='2:4')"]),
        (lambda: Prune(0.5, layers="0"), TypeError, ["list of names", "'0'"]),  # type: ignore[arg-type]
        (lambda: Prune(0.5, layers=[]), ValueError, ["at least one layer"]),  # type: ignore[arg-type]
        (lambda: FineTune(epochs=0), ValueError, ["at least one epoch", "epochs=0", "leave the step out"]),
        (lambda: FineTune(epochs=1.5), TypeError, ["whole number", "1.5"]),  # type: ignore[arg-type]
        (lambda: FineTune(1, learning_rate=0), ValueError, ["above 0", "got 0"]),
        (lambda: FineTune(1, learning_rate=float("inf")), ValueError, ["finite", "got inf"]),
        (lambda: Quantize("int4"), ValueError, ["unknown mode 'int4'", "'auto', 'static', 'dynamic', 'weights'"]),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_setting(make: Any, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as error:
        make()
    assert [word for word in words if word not in str(error.value)] == []


class Unknown:
    """No step."""


@pytest.mark.parametrize(
    ("recipe", "kind", "words"),
    [
        ([], ValueError, ["at least one step"]),
        (Prune(0.5), TypeError, ["a list of steps", "Prune(0.5)"]),
        ("prune", TypeError, ["a list of steps", "'prune'"]),
        ([Prune], TypeError, ["got Prune", "call it"]),
        ([Unknown()], TypeError, ["the known ones are 'distill', 'factorise', 'fine-tune'", "got Unknown"]),
        ([Quantize(), FineTune(epochs=1)], ValueError, ["nothing follows Quantize()", "FineTune(epochs=1)"]),
        ([Prune(0.5), Quantize(), Quantize()], ValueError, ["nothing follows Quantize()", "put it at the end"]),
        (
            [FineTune(epochs=1), Prune(0.5, layers=("haed",))],
            ValueError,
            ["'haed' is no layer", "'body', 'head'", "did you mean 'head'?"],
        ),
        ([Prune(0.5, layers=("norm",))], ValueError, ["'norm' has no such weights", "'body', 'head'"]),
    ],
)
def test_a_recipe_that_cannot_be_run_is_refused_before_any_work(
    recipe: Any, kind: type[Exception], words: list[str]
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.norm, self.head = nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)

    lab = Compression(Net(), tiny())
    with pytest.raises(kind) as error:
        lab.run(recipe)
    assert [word for word in words if word not in str(error.value)] == []
    assert lab.trials == []
    assert lab.is_over


def test_a_model_without_layers() -> None:
    lab = Compression(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16)), tiny())
    with pytest.raises(ValueError, match=r"has a linear, convolutional.*'BatchNorm1d', 'Flatten', 'Sequential'"):
        lab.run([Prune(0.5)])
    with pytest.raises(ValueError, match="stores the weights of layers"):
        lab.run([Quantize()])


def test_a_frozen_model_cannot_be_trained() -> None:
    lab = Compression(nn.Linear(16, 4).requires_grad_(False), tiny())
    with pytest.raises(ValueError, match="requires_grad=True"):
        lab.run([FineTune(epochs=1)])


def test_a_run_without_anything_to_do() -> None:
    lab = Compression(nn.Linear(16, 4), tiny())
    with pytest.raises(TypeError, match="a run has a recipe"):
        lab.run()
