"""Models side by side as a person meets them: draw, choose, type, listen; and the file that is left."""

from __future__ import annotations

import io
import re
import wave

import numpy as np
import pytest
from playwright.sync_api import Locator

from tests.browser.explorer import grave_faults
from tests.browser.lab import Lab, LabPage, Theme
from tests.browser.panels import until
from tests.house.tree import ROOT

# To look at after a run; not kept in git.
SCREENSHOTS = ROOT / ".screenshots"

# Nets that need no training: an image is as near to a digit as to the mean image of that digit.
DIGITS = """
import numpy as np, torch
import tunekit as tk

with np.load("data/mnist5k.npz") as file:
    x, y = torch.from_numpy(file["x"]).float()[:, None] / 255, torch.from_numpy(file["y"]).long()
means = torch.stack([x[y == digit].mean(0) for digit in range(10)]).flatten(1)

def fine(images):
    return -torch.cdist(images.flatten(1), means)

def coarse(images):
    return -torch.cdist((images.flatten(1) > 0.5).float(), (means > 0.5).float())

comparison = tk.compare({"fine": fine, "coarse": coarse}, (x[::10], y[::10]), latency=False)
"""

WORDS = """
import torch
import tunekit as tk

sentences = ["the cat sat", "el gato negro", "the black dog", "un perro <b>blanco</b>"]

def counted(sentence):
    return torch.tensor([float(sentence.count(letter)) for letter in "thou"])

english = torch.tensor([[2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.5, 1.5]])
x, y = torch.stack([counted(each) for each in sentences]), torch.tensor([0, 1, 0, 1])
comparison = tk.compare(
    {"letters": lambda x: x @ english.T, "<i>first</i>": lambda x: x[:, :2] * 2 - 1}, (x, y),
    labels=["English", "Spanish"], raw=sentences, prepare=counted, latency=False,
)
"""

SOUNDS = """
import numpy as np, torch
import tunekit as tk

times = np.arange(4000) / 8000
waves = [np.sin(2 * np.pi * pitch * times) * 0.5 for pitch in (220, 330, 440, 660)]
x, y = torch.tensor(np.stack(waves)).float(), torch.tensor([0, 0, 1, 1])

def crossings(x):
    return (x[:, 1:] * x[:, :-1] < 0).sum(1)

def judge(limit):
    return lambda x: torch.stack([limit - crossings(x), crossings(x) - limit], 1) / 50

comparison = tk.compare(
    {"low": judge(300), "high": judge(400)}, (x, y), labels=["deep", "bright"], kind="sound", rate=8000,
    latency=False,
)
"""


def high_in_the_middle() -> bytes:
    """A file of two channels at another rate: silence, a high tone in one of them, silence."""
    rate = 44100
    tone = 0.8 * np.sin(2 * np.pi * 880 * np.arange(rate // 2) / rate)
    one = np.concatenate([np.zeros(rate), tone, np.zeros(rate)])
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes((np.stack([one, 0 * one], axis=1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def view(page: LabPage) -> Locator:
    return page.page.get_by_role("group", name=re.compile("^Live: "))


def finding(live: Locator) -> str:
    return live.get_by_role("status").inner_text()


def draw_a_one(page: LabPage) -> None:
    """One stroke down the middle of the paper."""
    box = view(page).get_by_role("img", name=re.compile("Drawing")).bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2
    page.page.mouse.move(middle, box["y"] + 0.15 * box["height"])
    page.page.mouse.down()
    page.page.mouse.move(middle, box["y"] + 0.85 * box["height"], steps=12)
    page.page.mouse.up()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_drawn_digit_and_a_chosen_one_are_answered_at_once(lab: Lab, theme: Theme) -> None:
    lab.write("digits.ipynb", [DIGITS, "view = comparison.live()\nview", "comparison"])
    page = lab.open("digits.ipynb", theme, size=(1100, 1000))
    page.run_all()
    until(lambda: finding(view(page)).startswith("They differ: fine says"))
    table = view(page).get_by_role("table", name="Probabilities")
    assert table.get_by_role("rowheader").all_inner_texts() == [str(digit) for digit in range(10)]
    SCREENSHOTS.mkdir(exist_ok=True)
    page.cell(1).screenshot(SCREENSHOTS / f"compare-example-{theme}.png")

    view(page).get_by_role("button", name="Clear").click()
    draw_a_one(page)
    until(lambda: finding(view(page)) == "All answer 1")
    assert view(page).get_by_role("combobox", name="Example").input_value() == ""
    page.cell(1).screenshot(SCREENSHOTS / f"compare-drawn-{theme}.png")

    second = page.kernel("comparison.disagreements[1].index")
    view(page).get_by_role("combobox", name="Example").select_option(value=second)
    until(lambda: "the truth is" in finding(view(page)))
    assert view(page).get_by_role("columnheader").all_inner_texts()[1].startswith("fine")
    page.cell(2).screenshot(SCREENSHOTS / f"compare-table-{theme}.png")
    assert grave_faults(page, ".tunekit-compare") == []
    assert grave_faults(page, ".tunekit-comparison") == []
    assert page.complaints == []

    page.restart_kernel()
    until(lambda: finding(view(page)) == "The kernel that this panel belongs to has gone: run the cell again.")


def test_what_is_kept_reads_well_without_a_kernel(lab: Lab) -> None:
    lab.write("kept.ipynb", [DIGITS, "view = comparison.live()\nview", "comparison"])
    page = lab.open("kept.ipynb", size=(1100, 1000))
    page.run_all()
    view(page).get_by_role("button", name="Clear").click()
    draw_a_one(page)
    until(lambda: finding(view(page)) == "All answer 1")
    view(page).get_by_role("button", name="Keep as a picture").click()
    view(page).wait_for(state="detached")

    saved = page.save()
    (output,) = saved.cells[1].outputs
    assert set(output.data) == {"text/plain", "image/png"}
    assert output.data["text/plain"] == "Live: fine beside coarse"
    assert "tunekit-comparison" in saved.cells[2].outputs[0].data["text/html"]
    page.shut_kernel_down()
    page.reload()
    picture = page.cell(1).locator.locator(".jp-OutputArea img")
    assert picture.evaluate("image => image.complete && image.naturalWidth === 2 * image.width")
    assert page.cell(2).locator.get_by_role("rowheader").all_inner_texts() == ["fine", "coarse"]
    SCREENSHOTS.mkdir(exist_ok=True)
    page.cell(1).screenshot(SCREENSHOTS / "compare-kept.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_typed_or_recorded_is_answered_and_what_sounds_can_be_played(lab: Lab, theme: Theme) -> None:
    lab.write("others.ipynb", [WORDS, "comparison.live()", "comparison", SOUNDS, "comparison.live()"])
    page = lab.open("others.ipynb", theme, size=(1100, 1400))
    page.run_all()
    typed, played = view(page).first, view(page).last
    SCREENSHOTS.mkdir(exist_ok=True)

    field = typed.get_by_role("textbox", name="Text")
    field.fill("hot hat")
    until(lambda: finding(typed) == "All answer English")
    field.fill("ooo uu")
    until(lambda: "letters says Spanish" in finding(typed))
    page.cell(1).screenshot(SCREENSHOTS / f"compare-typed-{theme}.png")
    typed.get_by_role("combobox", name="Example").select_option(value="3")
    until(lambda: field.input_value() == "un perro <b>blanco</b>")
    assert typed.get_by_role("columnheader").all_inner_texts()[2].startswith("<i>first</i>")
    assert typed.locator("i, b").count() == 0
    assert page.cell(2).locator.get_by_role("rowheader").all_inner_texts() == ["letters", "<i>first</i>"]

    player = played.get_by_label("Sound of the example")
    until(lambda: player.evaluate("each => each.readyState > 0 && Math.abs(each.duration - 0.5) < 0.01"))
    player.press("Space")
    until(lambda: player.evaluate("each => each.ended"))
    played.get_by_role("combobox", name="Example").select_option(value="3")
    until(lambda: finding(played) == "All answer bright; the truth is bright")

    def open_file(name: str, content: bytes) -> None:
        with page.page.expect_file_chooser() as chooser:
            played.get_by_role("button", name="Open a file").click()
        chooser.value.set_files({"name": name, "mimeType": "audio/wav", "buffer": content})

    example = played.get_by_role("combobox", name="Example")
    example.select_option(value="0")
    until(lambda: finding(played) == "All answer deep; the truth is deep")
    open_file("tone.wav", high_in_the_middle())
    until(lambda: finding(played) == "All answer bright")
    assert example.input_value() == ""
    until(lambda: player.evaluate("each => Math.abs(each.duration - 0.5) < 0.01"))
    open_file("words.wav", b"no sound at all")
    until(lambda: finding(played) == "The browser cannot read this as a sound")

    played.get_by_role("button", name="Record").click()
    stop = played.get_by_role("button", name="Stop", pressed=True)
    stop.wait_for()
    assert finding(played) == "Recording: press Stop when you have said it"
    page.cell(4).screenshot(SCREENSHOTS / f"compare-recording-{theme}.png")
    page.page.wait_for_timeout(1200)  # ms; the microphone of the tests beeps once a second
    stop.click()
    until(lambda: finding(played).startswith(("All answer", "They differ")))
    played.get_by_role("button", name="Record", pressed=False).wait_for()
    until(lambda: player.evaluate("each => Math.abs(each.duration - 0.5) < 0.01"))
    page.cell(4).screenshot(SCREENSHOTS / f"compare-played-{theme}.png")
    assert grave_faults(page, ".tunekit-compare") == []

    played.get_by_role("button", name="Keep as a picture").click()
    until(lambda: view(page).count() == 1)
    view(page).get_by_role("button", name="Keep as a picture").click()
    until(lambda: view(page).count() == 0)
    for index in (1, 4):
        page.cell(index).locator.locator(".jp-OutputArea img").wait_for()
        page.cell(index).screenshot(SCREENSHOTS / f"compare-kept-{index}-{theme}.png")
    assert page.complaints == []
