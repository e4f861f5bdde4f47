"""A model that lies on another device than the CPU, as on a GPU: each step leaves it there and comes to the same."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tests.compress.elsewhere import DEVICE, STEPS
from tests.house.tree import ROOT


@cache
def outcomes() -> dict[tuple[str, str], dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.compress.elsewhere", "conv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return {(line["step"], line["place"]): line for line in lines}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_works_where_the_model_is_and_comes_to_the_same(step: str) -> None:
    here, there = outcomes()[step, "cpu"], outcomes()[step, DEVICE]
    assert there["states"] == ["complete", "complete"], there["reasons"]
    assert there["devices"] == there["made"] == [DEVICE]
    assert there["scores"] == pytest.approx(here["scores"], abs=0.03)
