"""The table of trials: what is in a row, how rows are sorted, filtered and turned, and that nothing becomes markup."""

from __future__ import annotations

import time

import pytest

from tunekit.core.events import Event, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.plots.trial_curve import trial_curve, trial_curve_data
from tunekit.widgets.filtering import Row, filtered, in_order, misread
from tunekit.widgets.table import PAGE, Table
from tunekit.widgets.trial_rows import TrialRows
from tunekit.widgets.trials_tab import details

EVIL = "<img src=x onerror=alert(1)>"


def history(*events: Event) -> History:
    told = History(Goal(Aim("score")))
    told.apply_all(events)
    return told


def some(count: int) -> History:
    events: list[Event] = []
    for number in range(count):
        settings = {"lr": 0.001 * (number % 97 + 1), "act": "gelu" if number % 3 else "relu", EVIL: number}
        events.append(TrialStarted(number, settings))
        if number % 10 == 9:
            events.append(TrialEnded(number, "failed", {}, 1.0, f"Traceback\nValueError: {EVIL} in {number}"))
        else:
            events.append(TrialEnded(number, "complete", {"score": (number * 37) % 101 / 101}, 2.0))
    return history(*events)


def shown(table: Table) -> list[int]:
    return [row["number"] for row in table.rows]


def ask(table: Table, told: History, *messages: dict[str, object]) -> list[int]:
    for message in messages:
        table._handle_custom_msg(message, [])
    columns, rows = TrialRows().read(told)
    table.show([column.name for column in columns], [column.is_numeric for column in columns], rows)
    return shown(table)


def test_a_row_has_what_a_trial_has() -> None:
    columns, rows = TrialRows().read(some(10))
    assert [column.name for column in columns] == ["trial", "score", "lr", "act", EVIL, "state", "duration"]
    assert [column.is_numeric for column in columns] == [True, True, True, False, True, False, True]
    assert rows[1].cells == ("1", "0.366", "0.002", "'gelu'", "1", "complete", "2 s")
    assert rows[9].cells == ("9", "", "0.01", "'relu'", "9", "failed", "1 s")


def test_what_has_changed_is_read_again() -> None:
    told, reader = history(TrialStarted(0, {"lr": 0.1})), TrialRows()
    assert reader.read(told)[1][0].cells[1] == ""
    told.apply(TrialReported(0, {"score": 0.5}))
    assert reader.read(told)[1][0].cells[1] == "0.500"
    told.apply(TrialEnded(0, "complete", {"score": 0.75, "size_kb": 12.0}, 1.0))
    columns, rows = reader.read(told)
    assert [column.name for column in columns] == ["trial", "score", "size_kb", "lr", "state", "duration"]
    assert rows[0].cells == ("0", "0.750", "12.0", "0.100", "complete", "1 s")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", [0, 1, 2]),
        ("failed", [2]),
        ("FAILED", [2]),
        ("relu", [0, 2]),
        ("lr>0.01", [1, 2]),
        ("lr > 0.01, complete", [1]),
        ("lr>=0.01", [0, 1, 2]),
        ("lr<0.1,lr!=0.01", [2]),
        ("act=gelu", [1]),
        ("act == 'gelu'", [1]),
        ("ACT=GELU", [1]),
        ("score>0.5", [1]),
        ("boom", [2]),
        ("nothing>3", []),
        ("lr>many", []),
        (" , ", [0, 1, 2]),
        ("lr>0,01", [1, 2]),
        ("lr>0,01,relu", [2]),
        ("trial<1,000", [0, 1, 2]),
        ("trial<1,000,score<0,5", [0]),
        ("act='gelu,relu'", []),
    ],
)
def test_rows_are_filtered_by_words_and_comparisons(wanted: str, expected: list[int]) -> None:
    columns = ["trial", "score", "lr", "act", "state"]
    rows = [
        Row(0, ("0", "0.1", "0.01", "'relu'", "complete"), (0, 0.1, 0.01, "relu", "complete")),
        Row(1, ("1", "0.9", "0.1", "'gelu'", "complete"), (1, 0.9, 0.1, "gelu", "complete")),
        Row(2, ("2", "", "0.05", "'relu'", "failed"), (2, None, 0.05, "relu", "failed"), "Error: boom"),
    ]
    assert [row.number for row in filtered(rows, columns, wanted)] == expected


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("lrr>0.01", "There is no column 'lrr': did you mean 'lr'? The columns are 'trial', 'Size', 'lr', 'act'."),
        ("relu, sizes = 3", "no column 'sizes': did you mean 'Size'?"),
        ("zzz>1", "There is no column 'zzz'. The columns are 'trial', "),
        ("lr>many", "'lr' is a number: got 'many'."),
        ("lr>0.1,5", "'lr' is a number: got '0.1,5'."),
        ("lr>0.5", ""),
        ("act=tanh", ""),
        ("loss >= 3", ""),
        ("relu", ""),
        ("", ""),
    ],
)
def test_what_looks_mistyped_is_answered_with_the_known_columns(wanted: str, words: str) -> None:
    rows = [Row(0, ("0", "12,300", "0.1", "'relu'"), (0, 12345.0, 0.1, "relu"), "ValueError: loss >= 3")]
    said = misread(rows, ["trial", "Size", "lr", "act"], wanted)
    assert words in said
    assert bool(said) is bool(words)


def test_a_tuple_and_a_number_are_looked_for_as_the_table_writes_them() -> None:
    rows = [Row(0, ("12,300", "(64, 128)"), (12345.0, "(64, 128)")), Row(1, ("300", "(64,)"), (300.0, "(64,)"))]
    for wanted in ("layers=(64, 128)", "12,300", "size>12,000", "size>1,000,layers!=(64,)"):
        assert [row.number for row in filtered(rows, ["size", "layers"], wanted)] == [0], wanted


def test_rows_without_a_value_are_last_either_way() -> None:
    rows = [Row(0, ("",), (None,)), Row(1, ("b",), ("b",)), Row(2, ("3",), (3.0,)), Row(3, ("1",), (1.0,))]
    assert [row.number for row in in_order(rows, 0, descending=False)] == [3, 2, 1, 0]
    assert [row.number for row in in_order(rows, 0, descending=True)] == [2, 3, 1, 0]


def test_the_best_come_first_and_a_header_turns_them_round() -> None:
    told = some(30)
    table = Table("trial", lambda: None, ("score", True))
    by_score = sorted(told.complete, key=lambda trial: -trial.metrics["score"])
    assert ask(table, told)[:5] == [trial.number for trial in by_score[:5]]
    assert [column["sort"] for column in table.columns] == ["none", "descending", *["none"] * 5]
    assert ask(table, told, {"sort": "score"})[:5] == [trial.number for trial in by_score[::-1][:5]]
    assert ask(table, told, {"sort": "trial"}) == list(range(PAGE))
    assert ask(table, told, {"sort": "trial"}) == list(range(29, 4, -1))


def test_a_page_has_25_rows_and_can_be_turned() -> None:
    told = some(60)
    table = Table("trial", lambda: None, ("trial", False))
    assert ask(table, told) == list(range(25))
    assert (table.words, table.has_before, table.has_after) == ("1 to 25 of 60 trials", False, True)
    assert ask(table, told, {"turn": 1}, {"turn": 1}) == list(range(50, 60))
    assert (table.words, table.has_before, table.has_after) == ("51 to 60 of 60 trials", True, False)
    assert ask(table, told, {"turn": -1}) == list(range(25, 50))
    table.wanted = "failed"
    assert ask(table, told) == [9, 19, 29, 39, 49, 59]
    assert table.words == "6 of 60 trials"
    table.wanted = "scoer > 0.2"
    assert ask(table, told) == []
    assert table.words.startswith("0 of 60 trials. There is no column 'scoer': did you mean 'score'? The columns are ")


@pytest.mark.parametrize("message", [{"sort": 3}, {"turn": 7}, {"choose": "first"}, {}, None, "sort"])
def test_what_is_no_wish_changes_nothing(message: object) -> None:
    wishes: list[str] = []
    table = Table("trial", lambda: wishes.append("changed"), ("trial", False))
    table._handle_custom_msg(message, [])
    assert wishes == []


def test_a_thousand_trials_are_sorted_and_filtered_at_once() -> None:
    told, reader = some(1000), TrialRows()
    table = Table("trial", lambda: None, ("score", True))
    table.wanted = "relu, score>0.2"
    seconds = []
    for _ in range(5):
        began = time.process_time()
        columns, rows = reader.read(told)
        table.show([column.name for column in columns], [column.is_numeric for column in columns], rows)
        seconds.append(time.process_time() - began)
    assert len(table.rows) == PAGE
    assert min(seconds) < 0.1


def test_details_say_all_and_escape_what_is_the_users() -> None:
    told = some(10)
    page = details(told[9])
    assert "Trial 9, failed" in page
    assert "ValueError: &lt;img src=x onerror=alert(1)&gt; in 9" in page
    assert EVIL not in page
    assert "<dt>score</dt><dd>0.366</dd>" in details(told[1])


def test_the_curve_of_a_trial_stands_beside_that_of_the_best() -> None:
    told = history(
        TrialStarted(0, {}),
        *(TrialReported(0, {"score": score}) for score in (0.5, 0.7, 0.9)),
        TrialEnded(0, "complete", {"score": 0.9}, 1.0),
        TrialStarted(1, {}),
        *(TrialReported(1, {"score": score}) for score in (0.2, 0.4)),
        TrialStarted(2, {}),
    )
    data = trial_curve_data(told, 1)
    assert (data.curve, data.best) == ((0.2, 0.4), (0.5, 0.7, 0.9))
    assert data.title == "Trial 1: 0.400 after 2 steps; the best had 0.700 there"
    assert trial_curve_data(told, 0).title == "Trial 0: 0.900 after 3 steps, the best"
    assert trial_curve_data(told, 2).title == "Trial 2 reported no step"
    assert len(trial_curve(told, 1).axes[0].lines) == 2
