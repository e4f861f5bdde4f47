"""Which tabs the explorer of a job has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunekit.compress.questions import Questions
from tunekit.core.job import Job
from tunekit.search.study import Study
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.export_tab import ExportTab
from tunekit.widgets.importance_tab import ImportanceTab
from tunekit.widgets.layers_tab import LayersTab
from tunekit.widgets.progress_tab import ProgressTab
from tunekit.widgets.rows_tab import RowsTab
from tunekit.widgets.settings_tab import SettingsTab
from tunekit.widgets.study_progress_tab import StudyProgressTab
from tunekit.widgets.trade_off_tab import TradeOffTab
from tunekit.widgets.trials_tab import TrialsTab
from tunekit.widgets.what_if_tab import WhatIfTab


def tabs_of(job: Job) -> Sequence[Callable[[Explorer], Tab]]:
    """The kinds of tabs for a job, in order."""
    if isinstance(job, Study):
        return (StudyProgressTab, SettingsTab, ImportanceTab, WhatIfTab, TrialsTab)
    if isinstance(job, Questions):
        return (ProgressTab, RowsTab, LayersTab, TradeOffTab, ExportTab)
    return (ProgressTab,)
