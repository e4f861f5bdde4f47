"""HEBO and Ax, each in an environment of its own, asked over JSON lines; the evaluation happens on this side.

Imported, it offers `Outside`, which starts the process. Run by the other environment's Python, this same file is the
process: it imports nothing of tunekit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any, ClassVar


class Outside:
    """The process that runs a method, kept from one run to the next because its imports take seconds."""

    running: ClassVar[dict[tuple[str, str], Outside]] = {}

    def __init__(self, method: str, python: str) -> None:
        self.process = subprocess.Popen(
            [python, "-W", "ignore", __file__, method],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.seconds = 0.0

    @classmethod
    def of(cls, method: str, python: str) -> Outside:
        """The process of that method; it is started at the first call."""
        if (method, python) not in cls.running:
            cls.running[method, python] = cls(method, python)
        return cls.running[method, python]

    def start(self, parameters: list[dict[str, Any]], goal: dict[str, Any], seed: int) -> None:
        """Begin a run anew."""
        self._send({"start": {"parameters": parameters, "goal": goal, "seed": seed}})

    def ask(self) -> dict[str, Any]:
        """Values of all parameters: a choice as the place of its value."""
        return dict(self._send({"ask": True})["values"])

    def tell(self, number: int, metrics: dict[str, float]) -> None:
        """What a trial came to."""
        self._send({"tell": [number, metrics]})

    def _send(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise ConnectionError(f"the method's process ended with code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        self.seconds += answer["seconds"]
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


class Hebo:
    """HEBO with its defaults; it goes for less, and knows nothing of running trials."""

    def __init__(self, parameters: list[dict[str, Any]], goal: dict[str, Any], seed: int) -> None:
        import numpy as np
        import torch
        from hebo.acq_optimizers import evolution_optimizer
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        # as it is shipped, this check compares all pairs in Python: half of the time of a proposal
        evolution_optimizer.MixedVariableDuplicateElimination = _hashed_duplicates()
        np.random.seed(seed)
        torch.manual_seed(seed)
        self.optimizer = HEBO(DesignSpace().parse([_for_hebo(one) for one in parameters]), scramble_seed=seed)
        self.names = [one["name"] for one in parameters]
        (self.metric, maximize) = goal["aims"][0]
        self.sign = -1.0 if maximize else 1.0
        self.asked: list[Any] = []

    def ask(self) -> dict[str, Any]:
        row = self.optimizer.suggest(n_suggestions=1)
        self.asked.append(row)
        return {name: _plain(row.iloc[0][name]) for name in self.names}

    def tell(self, number: int, metrics: dict[str, float]) -> None:
        import numpy as np

        self.optimizer.observe(self.asked[number], np.array([[self.sign * metrics[self.metric]]]))


def _for_hebo(one: dict[str, Any]) -> dict[str, Any]:
    if one["kind"] == "choice":
        return {"name": one["name"], "type": "cat", "categories": [str(number) for number in range(one["count"])]}
    kind = {"float": ("num", "pow"), "int": ("int", "pow_int")}[one["kind"]][int(one["log"])]
    described = {"name": one["name"], "type": kind, "lb": one["low"], "ub": one["high"]}
    return {**described, "base": 10} if one["log"] else described


def _hashed_duplicates() -> Any:
    from pymoo.core.duplicate import DuplicateElimination

    class Hashed(DuplicateElimination):  # type: ignore[misc]
        """Individuals with equal settings, found by their hash."""

        def _do(self, population: Any, others: Any, is_duplicate: Any) -> Any:
            seen = set() if others is None else {tuple(sorted(one.X.items())) for one in others}
            for number, one in enumerate(population):
                key = tuple(sorted(one.X.items()))
                is_duplicate[number] = key in seen
                if others is None:
                    seen.add(key)
            return is_duplicate

    return Hashed


class Ax:
    """Ax with its defaults; it knows the running trials."""

    def __init__(self, parameters: list[dict[str, Any]], goal: dict[str, Any], seed: int) -> None:
        import logging

        from ax.api.client import Client

        logging.disable(logging.WARNING)
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(parameters=[_for_ax(one) for one in parameters])
        self.client.configure_optimization(
            objective=", ".join(name if maximize else f"-{name}" for name, maximize in goal["aims"]),
            outcome_constraints=[
                f"{name} {sign} {bound}"
                for name, low, high in goal["limits"]
                for sign, bound in ((">=", low), ("<=", high))
                if bound is not None
            ]
            or None,
        )
        self.numbers: list[int] = []

    def ask(self) -> dict[str, Any]:
        ((number, values),) = self.client.get_next_trials(max_trials=1).items()
        self.numbers.append(number)
        return {name: _plain(value) for name, value in values.items()}

    def tell(self, number: int, metrics: dict[str, float]) -> None:
        self.client.complete_trial(self.numbers[number], raw_data=metrics)


def _for_ax(one: dict[str, Any]) -> Any:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    if one["kind"] == "choice":
        values = [str(number) for number in range(one["count"])]
        return ChoiceParameterConfig(name=one["name"], values=values, parameter_type="str", is_ordered=False)
    return RangeParameterConfig(
        name=one["name"],
        bounds=(one["low"], one["high"]),
        parameter_type=one["kind"],
        scaling="log" if one["log"] else "linear",
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def serve(method: str) -> None:
    """Answer messages until there are no more; what a library prints goes to the error stream."""
    import torch

    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr
    run: Any = None
    for line in sys.stdin:
        message, answer = json.loads(line), {}
        began = time.process_time()
        try:
            if "start" in message:
                run = {"hebo": Hebo, "ax": Ax}[method](**message["start"])
            elif "ask" in message:
                answer["values"] = run.ask()
            else:
                run.tell(*message["tell"])
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        answer["seconds"] = time.process_time() - began
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
