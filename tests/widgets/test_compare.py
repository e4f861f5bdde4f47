"""The live view of a comparison, seen from the kernel: what is asked, what is shown, what is left."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbformat import v4

import tunekit as tk
from tunekit.insight.comparison import Comparison
from tunekit.widgets.compare import LiveComparison, choices, wav

X = torch.rand(130, 1, 4, 5, generator=torch.Generator().manual_seed(0))
Y = X.flatten(1)[:, :3].argmax(1)


def compared(**settings: Any) -> Comparison:
    models = {"first": lambda x: 9 * x.flatten(1)[:, :3], "last": lambda x: 9 * x.flatten(1)[:, -3:]}
    return tk.compare(models, (X, Y), latency=False, **settings)


def heard(view: LiveComparison, content: Any, *buffers: bytes) -> dict[str, Any]:
    """What the page shows after it has asked."""
    view.panel._handle_custom_msg(content, list(buffers))
    reply: dict[str, Any] = view.panel.reply
    return reply


def test_it_begins_with_the_most_contrary_example_and_offers_the_others() -> None:
    comparison = compared(labels=["a", "b", "c"])
    view = comparison.live()
    assert view.panel.reply["index"] == comparison.disagreements[0].index
    assert view.panel.reply["differ"]
    offered = choices(comparison)
    contrary = [one.index for one in comparison.disagreements][:100]
    assert [index for index, _, group in offered if group.startswith("They differ")] == contrary
    agreed = [index for index, _, group in offered if group == "The first examples"]
    assert agreed == sorted(set(range(100)) - set(contrary))
    assert "truth" in offered[0][1]
    view.close()


def test_a_chosen_example_is_answered_with_probabilities_and_its_picture() -> None:
    comparison = compared()
    view = comparison.live()
    reply = heard(view, {"ask": "example", "index": 7, "number": 41})
    assert (reply["number"], reply["index"]) == (41, 7)
    assert reply["labels"] == ["0", "1", "2"]
    for each, answered in zip(reply["models"], comparison.ask_example(7), strict=True):
        assert each["shares"] == pytest.approx(answered.probabilities, abs=1e-4)
        assert each["top"] == answered.answer
        assert each["time"].endswith(("µs", "ms", " s"))
    assert len(view.panel.pixels) == 20
    assert {name: view.panel.canvas[name] for name in ("height", "width", "colours")} == {
        "height": 4,
        "width": 5,
        "colours": 1,
    }
    view.close()


def test_a_drawing_is_asked_as_it_stands_on_the_paper() -> None:
    asked: list[Any] = []

    def prepare(picture: Any) -> Any:
        asked.append(picture)
        return torch.from_numpy(picture)[None]

    view = compared(prepare=prepare).live()
    reply = heard(view, {"ask": "drawing", "number": 5}, bytes(range(0, 200, 10)))
    assert (reply["number"], "index" in reply) == (5, False)
    assert np.array_equal(np.rint(255 * asked[0]), np.arange(0, 200, 10).reshape(4, 5))
    assert "truth" not in reply["finding"]
    view.close()


def test_a_typed_text_is_prepared_and_one_that_cannot_be_is_told() -> None:
    def prepare(words: str) -> Any:
        if not words:
            raise ValueError("say <something>")
        return torch.full((1, 4, 5), float(len(words)))

    view = compared(raw=["one"] * 130, prepare=prepare).live()
    assert heard(view, {"ask": "text", "text": "two", "number": 1})["models"][0]["shares"]
    assert view.panel.words == "two"
    reply = heard(view, {"ask": "text", "text": "", "number": 2})
    assert (reply["number"], reply["models"]) == (2, [])
    assert reply["finding"] == "This cannot be asked: ValueError: say <something>"
    view.close()


def test_a_sound_is_sent_as_a_file() -> None:
    view = compared(raw=np.tile(np.linspace(-1, 1, 80), (130, 1)), rate=4000).live()
    with wave.open(io.BytesIO(view.panel.sound)) as sound:
        assert (sound.getframerate(), sound.getnframes(), sound.getnchannels()) == (4000, 80, 1)
        samples = np.frombuffer(sound.readframes(80), dtype="<i2")
    assert (samples[0], samples[-1]) == (-32767, 32767)
    assert not view.panel.takes_new
    view.close()


@pytest.mark.parametrize(
    ("content", "buffers"),
    [
        ({"ask": "example", "index": 99_999, "number": 1}, []),
        ({"ask": "example", "index": "0; drop", "number": 1}, []),
        ({"ask": "example", "index": 3}, []),
        ({"ask": "text", "text": 3, "number": 1}, []),
        ({"ask": "drawing", "number": 1}, [b"short"]),
        ({"ask": "drawing", "number": 1}, []),
        ({"ask": "sound", "number": 1}, [bytes(8)]),  # where the examples are pictures
        ({"ask": "explode", "number": 1}, []),
        ("ask", []),
        (None, []),
    ],
)
def test_nothing_else_is_heard(content: Any, buffers: list[bytes]) -> None:
    view = compared().live()
    before = view.panel.reply
    assert heard(view, content, *buffers) == before
    view.close()


def test_what_was_asked_by_a_cell_is_what_is_shown() -> None:
    view = compared().live()
    view.choose(12)
    assert view.panel.reply["index"] == 12
    view.ask(np.zeros((4, 5)))
    assert "index" not in view.panel.reply
    assert set(view.panel.pixels) == {0}
    assert repr(view) == "Live: first beside last"
    with pytest.raises(IndexError, match="99999"):
        view.choose(99_999)
    view.close()


def test_in_a_script_it_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    view = compared().live()
    view.choose(0)
    assert view.finding
    view.close()
    assert capsys.readouterr().out == ""


def test_sounds_too_loud_are_cut() -> None:
    with wave.open(io.BytesIO(wav(np.array([-3, 0, 1.5], dtype=np.float32), 8000))) as sound:
        assert np.frombuffer(sound.readframes(3), dtype="<i2").tolist() == [-32767, 0, 32767]


def test_a_recording_is_asked_and_heard() -> None:
    waves = np.tile(np.linspace(-1, 1, 80, dtype=np.float32), (130, 1))
    asked: list[Any] = []

    def prepare(samples: Any) -> Any:
        asked.append(samples)
        return torch.full((1, 4, 5), float(samples[0]))

    view = compared(raw=waves, rate=4000, prepare=prepare).live()
    assert (view.panel.takes_new, view.panel.rate) == (True, 4000)
    quiet, loud = np.zeros(100, dtype=np.float32), np.full(80, 0.5, dtype=np.float32)
    reply = heard(view, {"ask": "sound", "number": 3}, np.concatenate([quiet, loud, quiet]).tobytes())
    assert (reply["number"], "index" in reply) == (3, False)
    assert np.array_equal(asked[0], loud)  # of a long recording the stretch in which something is said
    with wave.open(io.BytesIO(view.panel.sound)) as sound:
        assert set(np.frombuffer(sound.readframes(80), dtype="<i2")) == {int(0.5 * 32767)}
    before = view.panel.reply
    for buffers in ([], [b"odd"]):
        assert heard(view, {"ask": "sound", "number": 4}, *buffers) == before
    view.close()


CELLS = """
import torch
import tunekit as tk
x = torch.eye(4)
found = tk.compare({"a": lambda x: 5 * x, "b": lambda x: 5 * x.roll(1, 1)}, (x, torch.arange(4)), latency=False)
view = found.live()
"""

LEFT = """
import comm, ipywidgets
(len(comm.get_comm_manager().comms), len(ipywidgets.widgets.widget._instances))
"""


def executed(folder: Path, *cells: str) -> list[list[nbformat.NotebookNode]]:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in (CELLS, *cells)])
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    return [cell.outputs for cell in client.execute().cells[1:]]


def test_closed_it_leaves_a_picture_in_each_place_and_no_widget(tmp_path: Path) -> None:
    one, other, _, table, (left,) = executed(tmp_path, "view", "view.choose(2)\nview", "view.close()", "found", LEFT)
    for (output,) in (one, other):
        assert set(output["data"]) == {"text/plain", "image/png"}
        assert output["data"]["text/plain"] == "Live: a beside b"
    assert set(table[0]["data"]) == {"text/plain", "text/html"}
    assert left["data"]["text/plain"] == "(0, 0)"
