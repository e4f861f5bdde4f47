"""The public names: few, each explained by an example that runs, each loaded at its first use."""

from __future__ import annotations

import doctest
import inspect

import pytest

import tunekit

# One for each thing a person types in a first cell: the study's, the compression's, and a step of each kind.
AT_MOST = 24


def has_example(thing: object) -> bool:
    """Whether a docstring holds an example that doctest would run."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")
    return any(not example.options.get(doctest.SKIP, False) for example in examples)


def test_there_are_few() -> None:
    assert 0 < len(tunekit.__all__) <= AT_MOST
    assert len(set(tunekit.__all__)) == len(tunekit.__all__)


def test_dir_lists_them() -> None:
    assert set(tunekit.__all__) <= set(dir(tunekit))


@pytest.mark.parametrize("name", tunekit.__all__)
def test_each_shows_an_example_that_runs(name: str) -> None:
    thing = getattr(tunekit, name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)):
        thing = type(thing)  # a registry says what it is where its class does
    assert thing.__doc__, f"tunekit.{name} has no docstring"
    assert has_example(thing), f"tunekit.{name} has no example (>>>) in its docstring"


@pytest.mark.parametrize("name", ["no_such_name", "Studi"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(tunekit, name)


def test_an_example_is_told_from_its_absence() -> None:
    def bare() -> None:
        """Only words, and a >>> in the middle of them."""

    def skipped() -> None:
        """>>> 1 + 1  # doctest: +SKIP
        2
        """

    def shown() -> None:
        """>>> 1 + 1
        2
        """

    assert [has_example(thing) for thing in (bare, skipped, shown)] == [False, False, True]
