"""What every registered step holds after every other: each pair on one of a few nets in turn.

All pairs on all nets are a benchmark that is run by hand: ``python -m tests.benchmarks.round_trip``.
"""

from __future__ import annotations

from tests.compress.nets import small, tiny
from tests.compress.step_suites import EXAMPLES, ONCE, suite
from tests.compress.zoo import ZOO

NETS = {"plain": (small, tiny)} | {name: (ZOO[name].model, ZOO[name].task) for name in ("residual", "recurrent")}

_pairs = [
    (first, name)
    for name in EXAMPLES
    for first, before in EXAMPLES.items()
    if not before.last and (first, name) != ("fold", "fold")
]
for _place, (_first, _name) in enumerate(_pairs):
    # the others have no norm that could be folded
    _net = "residual" if "fold" in (_first, _name) else list(NETS)[_place % len(NETS)]
    _settings = {"before": (EXAMPLES[_first],), **ONCE}
    globals().update(suite(__name__, f"{_name} after {_first} on {_net}", EXAMPLES[_name], *NETS[_net], **_settings))
