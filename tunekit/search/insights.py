"""What a study says of its trials beyond their list: computed on a higher floor, which is asked by name."""

from __future__ import annotations

from typing import Any

from tunekit.core import upstairs
from tunekit.search.asking import Asking


class Insights(Asking):
    """A job whose trials are settings of a space, that says what they have shown."""

    def importance(self, metric: str | None = None) -> Any:
        """Which parameters matter: what each stands for alone, with others and in pairs, with 95 % intervals.

        Parameters
        ----------
        metric
            One of the metrics of the trials; None: the first aim.

        Returns
        -------
        Importance
            It prints as a small table; `is_known` says whether the trials tell it yet.

        Raises
        ------
        ValueError
            If there is no such metric, or fewer than four complete trials.
        """
        return upstairs.ask("importance")(self.history, self.space, metric)

    def explain(self) -> Any:
        """Say in words with figures what the trials have shown: up to ten sentences, the most useful first.

        Returns
        -------
        Result
            What matters, where it is best, which bound to move, whether more trials are worth it, what random search
            would have come to, how noisy scores are, what failures have in common. The same for the same trials.
        """
        return upstairs.ask("explain")(self.history, self.space)
