"""Spaces that a sampler must cope with: a typical one, small ones, odd ones, and any at random."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Every kind of parameter at once.
MIXED = Space(
    lr=Float(1e-4, 1e-1, log=True),
    width=Int(4, 64, log=True),
    batch=Int(16, 128, step=16),
    dropout=Float(0, 0.5, step=0.1),
    layers=Choice((64,), (64, 128)),
    norm=Choice(True, False),
    momentum=Float(0, 0.99, when={"norm": True}),
)

CATEGORIES = Space(activation=Choice("relu", "gelu", None), norm=Choice(True, False), layers=Choice((64,), (64, 128)))

# Few settings, and how many: 3 × 3; 2 × 2 × 3; (2 + 1) × 3, since nesterov counts beside one of two values only.
SMALL = {
    "two parameters": (Space(activation=Choice("relu", "gelu", "tanh"), depth=Int(1, 3)), 9),
    "categories alone": (CATEGORIES, 12),
    "a condition": (
        Space(kind=Choice("sgd", "adam"), nesterov=Choice(True, False, when={"kind": "sgd"}), depth=Int(1, 3)),
        9,
    ),
    "one value": (Space(only=Choice("this")), 1),
    "one number": (Space(depth=Int(1, 4)), 4),
    "one number in steps": (Space(dropout=Float(0, 0.4, step=0.1)), 5),
}

ODD = {
    "one float": Space(x=Float(0, 1)),
    "one float on a log scale": Space(x=Float(1e-12, 1e12, log=True)),
    "floats close to each other": Space(x=Float(1e-9, 2e-9), y=Float(-1e9, 1e9)),
    "whole numbers up to 1e12 on a log scale": Space(x=Int(1, 10**12, log=True)),
    "whole numbers up to 1e12": Space(x=Int(-(10**12), 10**12)),
    "a single value beside a float": Space(x=Float(0, 1), only=Choice("this")),
    "values that equal each other": Space(x=Float(0, 1), value=Choice(True, 1, 1.0, "1", None)),
    "functions and classes": Space(x=Float(0, 1), make=Choice(len, dict)),
    "conditions on conditions": Space(
        kind=Choice("a", "b", "c"),
        x=Float(0, 1, when={"kind": ["a", "b"]}),
        deep=Choice(True, False, when={"kind": "b"}),
        depth=Int(1, 100, when={"deep": True, "kind": "b"}),
        y=Float(0, 1),
    ),
}


def spaces() -> SearchStrategy[Space]:
    """Any space of one to four parameters: scales, steps and conditions included; needs hypothesis."""
    from hypothesis import strategies as st

    def number(kind: type[Float] | type[Int], low: int, width: int, scale: str, parts: int) -> Float | Int:
        low = abs(low) + 1 if scale == "log" else low
        step = max(1, width // parts) if scale == "step" else None
        return kind(low, low + width, log=scale == "log", step=step)

    numbers = st.builds(
        number,
        st.sampled_from([Float, Int]),
        st.integers(-1000, 1000),
        st.integers(1, 10**6),
        st.sampled_from(["plain", "log", "step"]),
        st.integers(1, 20),
    )
    values: list[Any] = [True, False, None, "a", "b", (1, 2), 1, 1.0]
    choices = st.lists(st.sampled_from(values), min_size=1, max_size=4, unique_by=repr).map(lambda v: Choice(*v))

    @st.composite
    def draw_space(draw: Any) -> Space:
        parameters: dict[str, Any] = {"first": draw(st.one_of(choices, numbers))}
        for name in draw(st.sampled_from([[], ["second"], ["second", "third"], ["second", "third", "fourth"]])):
            parameter = draw(st.one_of(numbers, choices))
            first = parameters["first"]
            if isinstance(first, Choice) and draw(st.booleans()):
                parameter = _under(parameter, {"first": draw(st.sampled_from(first.values))})
            parameters[name] = parameter
        return Space(parameters)

    return draw_space()


def _under(parameter: Float | Int | Choice, when: dict[str, Any]) -> Float | Int | Choice:
    return Choice(*parameter.values, when=when) if isinstance(parameter, Choice) else replace(parameter, when=when)
