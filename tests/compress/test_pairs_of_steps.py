"""What every registered step holds after every other: all of it on one net; that it comes back, on others too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.compress.nets import small, tiny
from tests.compress.step_suites import EXAMPLES, ONCE, suite
from tests.compress.zoo import ZOO

# Beside the score and the sizes, which are as well seen on one net.
AS_SAVED: Mapping[str, Any] = {
    **ONCE,
    "test_its_score_is_that_of_the_model_one_calls": None,
    "test_the_callers_model_stays": None,
    "test_the_callers_random_numbers_stay": None,
    "test_it_comes_back_from_json": None,
}
# Each pair on one of these in turn: all pairs on all nets are a benchmark that is run by hand.
OTHERS = ("residual", "recurrent", "encoder")

_pairs = [
    (first, name)
    for name in EXAMPLES
    for first, before in EXAMPLES.items()
    if not before.last and (first, name) != ("fold", "fold")
]
for _place, (_first, _name) in enumerate(_pairs):
    _title, _step, _settings = f"{_name} after {_first}", EXAMPLES[_name], {"before": (EXAMPLES[_first],)}
    globals().update(suite(__name__, _title, _step, small, tiny, **_settings, **ONCE))
    # those of the others have no norm that could be folded
    _net = "residual" if "fold" in (_first, _name) else OTHERS[_place % len(OTHERS)]
    _model, _task = ZOO[_net].model, ZOO[_net].task
    globals().update(suite(__name__, f"{_title} on {_net}", _step, _model, _task, **_settings, **AS_SAVED))
