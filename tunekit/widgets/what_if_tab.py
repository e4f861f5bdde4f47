"""The tab of questions: what would come of these settings, what is tried next and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight.next_point import NextPoint, next_point
from tunekit.insight.surrogate import Surrogate, surrogate
from tunekit.search.study import Study
from tunekit.widgets.controls import Controls
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.latest import Latest
from tunekit.widgets.progress_tab import is_at_rest
from tunekit.widgets.saying import button, paragraph


@dataclass(frozen=True, slots=True)
class Ahead:
    """The next point, and where it comes from where that is not the sampler: words that follow its name."""

    point: NextPoint
    origin: str


class WhatIfTab(Tab):
    """A control for each parameter, and what the trials so far say of the settings that they stand for."""

    title = "What if"
    job: Study

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._learned = Latest(self._learn, explorer.wake)
        self._next = Latest(self._look_ahead, explorer.wake)
        self._controls = Controls(self.job.space, self._turned)
        self._answer, self._note, self._ahead = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._try = button("Try these settings", "Have them tried next", self._enqueue)
        self._best = button("Settings of the best trial", "Set the controls to them", self._take_best)
        self._take = button("Settings of the next point", "Set the controls to them", self._take_next)
        buttons = ipywidgets.HBox([self._try, self._best, self._take])
        buttons.add_class("tunekit-row")
        self._all = ipywidgets.VBox([self._answer, self._controls, buttons, self._note, self._ahead])
        self._has_begun = False

    @property
    def widget(self) -> Any:
        """The answer, the controls, and what they are good for."""
        return self._all

    def refresh(self) -> None:
        """Answer from the surrogate that there is, and have a newer one learned where there are newer trials."""
        history = self.job.history
        if not self._has_begun and history.best is not None:
            self._has_begun = True
            self._controls.take(history.best.params)
        version, in_a_hurry = sum(trial.state != "running" for trial in history), is_at_rest(self.job)
        learned = self._learned.ask(version, in_a_hurry)
        self._answer.value = paragraph(self._answered(history, learned), is_news=True)
        self._best.disabled = history.best is None
        ahead = None if learned is None else self._next.ask((version, self._waiting(history)), in_a_hurry)
        self._take.disabled = ahead is None
        self._ahead.value = paragraph(self._said_of(ahead, is_learned=learned is not None))

    def close(self) -> None:
        """Wait for what is being worked out."""
        self._learned.close()
        self._next.close()

    def _answered(self, history: History, learned: Mapping[str, Surrogate] | None) -> str:
        if learned is None:
            if self._learned.trouble:
                return text.sentence(f"Nothing can be said yet: {self._learned.trouble}")
            return "The trials are being learned from."
        settings = self._controls.settings
        said = []
        for metric, one in learned.items():
            seen = one.predict([settings])
            mean, low, high = (text.number(float(value[0])) for value in (seen.mean, seen.low, seen.high))
            said.append(f"{metric} {mean} expected, {low} to {high} (95 %)")
        best = history.best
        known = f"learned from {text.plural(next(iter(learned.values())).complete, 'trial')}"
        if best is None or len(history.goal.aims) > 1:
            return f"{'; '.join(said)}; {known}."
        metric = history.goal.metric
        return f"{'; '.join(said)}. Best so far {text.number(best.metrics[metric])}, at trial {best.number}; {known}."

    def _said_of(self, ahead: Ahead | None, *, is_learned: bool) -> str:
        if ahead is None:
            trouble = self._next.trouble.rstrip(".")
            return f"Next point: {trouble or ('it is being worked out' if is_learned else 'not known before that')}."
        return f"Next point{ahead.origin}: {ahead.point.words}"

    def _waiting(self, history: History) -> list[str]:
        return [text.settings(settings) for settings in history.waiting]

    # On a thread of their own

    def _learn(self) -> dict[str, Surrogate]:
        history = self.job.history
        now = history.before(len(history))
        return {metric: surrogate(now, self.job.space, metric) for metric in now.goal.metrics}

    def _look_ahead(self) -> Ahead:
        history = self.job.history
        origin = ", which was enqueued" if history.waiting else ""
        origin = ", which was cut off" if history.cut_off is not None else origin
        settings = self.job.peek()
        if settings is None:
            raise ValueError("every setting of the space has been tried")
        now = history.before(len(history))
        return Ahead(next_point(settings, now, surrogate(now, self.job.space)), origin)

    # On whatever thread a press arrives

    def _turned(self) -> None:
        self._note.value = ""
        self.explorer.wake()

    def _enqueue(self) -> None:
        settings = self._controls.settings

        def enqueue() -> None:
            self.job.enqueue(settings)
            when = "with the next run" if self.job.is_over else "next"
            self._note.value = paragraph(f"{text.settings(settings)}: tried {when}.", is_news=True)

        self.explorer.act(enqueue)

    def _take_best(self) -> None:
        best = self.job.history.best
        if best is not None:
            self._controls.take(best.params)
            self._turned()

    def _take_next(self) -> None:
        ahead = self._next.newest
        if ahead is not None:
            self._controls.take(ahead.point.settings)
            self._turned()
