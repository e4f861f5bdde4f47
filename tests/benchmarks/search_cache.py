"""Scores of real models that were computed before, on disk: a method that asks for the same settings waits no more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.house.tree import ROOT

# Hidden and not in the repository. After a change to a task, delete the folder: the scores in it are of the old one.
FOLDER = ROOT / ".benchmarks"


@cache
def _table(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(exist_ok=True)
    # a study asks from a thread of its own, and never two at once
    table = sqlite3.connect(path, timeout=120, isolation_level=None, check_same_thread=False)
    table.execute("PRAGMA journal_mode=WAL")
    table.execute("PRAGMA synchronous=OFF")
    table.execute("CREATE TABLE IF NOT EXISTS scores (task TEXT, params TEXT, score TEXT, PRIMARY KEY (task, params))")
    return table


def remembered(task: str, evaluate: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    """The function, asked at most once for the same settings, in whichever process."""

    def value(params: Mapping[str, Any]) -> Any:
        table = _table(FOLDER / "scores.sqlite")
        key = json.dumps(params, sort_keys=True)
        row = table.execute("SELECT score FROM scores WHERE task = ? AND params = ?", (task, key)).fetchone()
        if row is not None:
            return json.loads(row[0])
        score = evaluate(**params)
        table.execute("INSERT OR IGNORE INTO scores VALUES (?, ?, ?)", (task, key, json.dumps(score)))
        return score

    return value
