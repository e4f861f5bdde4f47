"""The live view of a comparison: what is drawn, typed, recorded or chosen is answered by all models at once."""

from __future__ import annotations

import io
import threading
import uuid
import wave
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.core import text
from tunekit.plots.answers import AnswersData, answers_data, finding, plot_answers, shown_classes
from tunekit.plots.image import png

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tunekit.insight.answering import Reply
    from tunekit.insight.comparison import Comparison
    from tunekit.widgets.compare_panel import ComparePanel

_WIDGET = "application/vnd.jupyter.widget-view+json"
_LETTERS = 48


class LiveComparison:
    """Asks all models of a comparison at once, in a notebook.

    As the last value of a cell it shows itself. A widget is gone when its kernel is: `close` leaves a picture of the
    last answers in every place where it was shown, and that is what a saved notebook holds.

    Parameters
    ----------
    comparison
        What is asked.

    Examples
    --------
    >>> import torch
    >>> from tunekit.insight.comparison import compare
    >>> x, y = torch.eye(4), torch.tensor([0, 1, 2, 0])
    >>> found = compare({"sure": lambda x: 5 * x, "shy": lambda x: x.roll(1) + x}, (x, y), latency=False)
    >>> view = LiveComparison(found)
    >>> view.choose(3)
    >>> view.finding
    'They differ: sure says 3, shy says 0; the truth is 0'
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.heading = text.printable(f"Live: {' beside '.join(comparison.names)}")
        self.finding = "Nothing was asked yet"
        self._data: AnswersData | None = None
        self._state: dict[str, Any] = {}  # of the page: what was asked last, and the answers
        self._asking = threading.Lock()
        self._panel: ComparePanel | None = None
        self._places: list[str] = []

    # What a person does, and what a cell may do in their place

    def choose(self, index: int) -> None:
        """Ask the example at that place of the data.

        Raises
        ------
        IndexError
            If it is not at hand.
        """
        self._choose(index, number=0)

    def ask(self, raw: Any) -> None:
        """Ask something new, as `Comparison.ask` takes it: a sentence, a picture, or a sound.

        Raises
        ------
        ValueError
            If the data and ``prepare`` do not allow it.
        """
        replies = self.comparison.ask(raw)
        with self._asking:
            self._show(replies, None, raw, {"number": 0})

    def close(self) -> None:
        """Put a picture of the last answers where it was shown; the widget is gone then."""
        from tunekit.widgets.live_view import publish

        with self._asking:
            panel, self._panel = self._panel, None
        for place in self._places:
            publish(*self._left(), place, update=True)
        self._places.clear()
        if panel is not None:
            panel.dispose()

    def __repr__(self) -> str:
        """What it shows: nothing that changes."""
        return self.heading

    def _ipython_display_(self) -> None:
        from tunekit.core.surroundings import kernel_shell
        from tunekit.widgets.live_view import publish

        if kernel_shell() is None:
            publish({"text/plain": self.heading}, {}, None)
            return
        place = uuid.uuid4().hex
        self._places.append(place)
        view = {"version_major": 2, "version_minor": 0, "model_id": self.panel.model_id}
        publish({"text/plain": self.heading, _WIDGET: view}, {}, place)

    @property
    def panel(self) -> ComparePanel:
        """The widget, made when it is first asked for, with the last answers; first, with the most contrary example."""
        if self._panel is None:
            from tunekit.widgets.compare_panel import ComparePanel

            examples = self.comparison.examples
            canvas = examples.canvas
            facts: dict[str, Any] = {
                "kind": examples.kind or "",
                "takes_new": examples.takes_new,
                "rate": examples.rate or 0,
                "choices": choices(self.comparison),
                "canvas": {}
                if canvas is None
                else {
                    "height": canvas.height,
                    "width": canvas.width,
                    "colours": canvas.colours,
                    "is_light": canvas.is_light,
                },
            }
            if not self._state:
                self.choose(facts["choices"][0][0])
            self._panel = ComparePanel(self.heading, self._heard, **facts, **self._state)
        return self._panel

    # On whatever thread the question arrives

    def _heard(self, content: dict[str, Any], buffer: bytes) -> None:
        number = content.get("number")
        if content["ask"] == "keep":
            self.close()
        elif not isinstance(number, int):
            return
        elif content["ask"] == "example" and content.get("index") in self.comparison.examples.inputs:
            self._choose(content["index"], number)
        elif content["ask"] == "text" and isinstance(content.get("text"), str):
            self._hear(content["text"], number)
        elif content["ask"] == "drawing":
            picture = self._drawn(buffer)
            if picture is not None:
                self._hear(picture, number)
        elif content["ask"] == "sound":
            sound = self._recorded(buffer)
            if sound is not None:
                self._hear(sound, number)

    def _drawn(self, buffer: bytes) -> NDArray[np.float32] | None:
        canvas = self.comparison.examples.canvas
        if canvas is None or len(buffer) != canvas.height * canvas.width * canvas.colours:
            return None
        shape = (canvas.height, canvas.width) + ((3,) if canvas.colours == 3 else ())
        return np.frombuffer(buffer, dtype=np.uint8).reshape(shape).astype(np.float32) / np.float32(255)

    def _recorded(self, buffer: bytes) -> NDArray[np.float32] | None:
        examples = self.comparison.examples
        if examples.kind != "sound" or not buffer or len(buffer) % 4:
            return None
        return examples.loudest(np.frombuffer(buffer, dtype=np.float32))

    def _hear(self, raw: Any, number: int) -> None:
        with self._asking:
            try:
                replies = self.comparison.ask(raw)
            except Exception as error:
                # the page has nobody else to tell it to: prepare is the user's, and may fail on half a sentence
                words = text.printable(f"This cannot be asked: {type(error).__name__}: {error}")
                if self._panel is not None:
                    self._panel.update(reply={"number": number, "finding": words, "labels": [], "models": []})
                return
            self._show(replies, None, raw, {"number": number})

    def _choose(self, index: int, number: int) -> None:
        comparison, examples = self.comparison, self.comparison.examples
        with self._asking:
            replies = comparison.ask_example(index)
            true = comparison.disagreements.label(comparison.targets[index])
            shown: Any = None
            if examples.kind == "image":
                shown = examples.picture(index)
            elif examples.kind == "text":
                shown = examples.words(index)
            elif examples.kind == "sound":
                shown = examples.sound(index)
            self._show(replies, true, shown, {"number": number, "index": index})

    # Under the lock

    def _show(self, replies: Sequence[Reply], truth: str | None, shown: Any, question: dict[str, Any]) -> None:
        examples, labels = self.comparison.examples, self.comparison.disagreements.labels
        self.finding = text.printable(finding(replies, labels, truth))
        picture, words, state = None, "", dict[str, Any]()
        if examples.kind == "image":
            picture = np.asarray(shown, dtype=np.float32)
            state["pixels"] = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8).tobytes()
        elif examples.kind == "text":
            words = str(shown)
            state["words"] = words
        elif examples.kind == "sound" and examples.rate is not None:
            state["sound"] = wav(shown, examples.rate) if len(shown) else b""
        self._data = answers_data(replies, labels, truth, picture, words)
        self._state = state | {"reply": question | reply_of(replies, labels, self.finding)}
        if self._panel is not None:
            self._panel.update(**self._state)

    def _left(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from tunekit.widgets.live_view import picture_bundle

        if self._data is None:
            return {"text/plain": self.heading}, {}
        return picture_bundle(self.heading, png(plot_answers(self._data), final=True), self.finding)


def live(comparison: Comparison) -> LiveComparison:
    """Return the live view of a comparison."""
    return LiveComparison(comparison)


def choices(comparison: Comparison) -> list[list[Any]]:
    """The examples to choose from, the disagreements first: for each its place in the data, words, and group."""
    found, examples = comparison.disagreements, comparison.examples
    at_hand = [one for one in found if one.index in examples.inputs]
    group = f"They differ ({len(at_hand):,} of {len(found):,})"
    listed = []
    for one in at_hand:
        said = f"{', '.join(map(found.label, one.answers))}; truth {found.label(one.truth)}"
        listed.append([one.index, f"{_name(comparison, one.index)}: {said}", group])
    contrary = {one.index for one in at_hand}
    others = [index for index in sorted(examples.inputs) if index not in contrary]
    return listed + [[index, _name(comparison, index), "The first examples"] for index in others]


def reply_of(replies: Sequence[Reply], labels: Sequence[str], finding: str) -> dict[str, Any]:
    """What the page shows of the models' answers to one input: all words are ready to be written."""
    chosen = shown_classes(replies)
    models = [
        {
            "name": text.printable(reply.name),
            "answer": "" if reply.answer is None else labels[reply.answer],
            "top": chosen.index(reply.answer) if reply.answer in chosen else -1,
            "shares": [round(float(reply.probabilities[one]), 4) for one in chosen] if reply.probabilities.size else [],
            "time": "" if reply.error else text.latency(reply.seconds),
            "error": reply.error,
        }
        for reply in replies
    ]
    differ = len({reply.answer for reply in replies}) > 1
    return {"finding": finding, "differ": differ, "labels": [labels[one] for one in chosen], "models": models}


def wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """A sound as the bytes of a WAV file of 16 bits.

    Parameters
    ----------
    samples
        Shape (samples,), -1 to 1; what is beyond is cut.
    rate
        Samples a second.

    Examples
    --------
    >>> wav(np.zeros(4, dtype=np.float32), 8000)[:4]
    b'RIFF'
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _name(comparison: Comparison, index: int) -> str:
    words = text.printable(comparison.examples.words(index)) if comparison.examples.kind == "text" else ""
    if not words:
        return f"Example {index}"
    return words if len(words) <= _LETTERS else f"{words[: _LETTERS - 1]}…"
