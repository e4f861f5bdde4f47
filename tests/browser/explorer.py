"""A study and a compression with all that an explorer shows, and the explorer as a person finds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator

from tests.browser.lab import LabPage

EVIL = "<img src=x onerror=alert(1)>"

# A name that is markup, a parameter that counts only now and then, a category that fails, curves.
STUDY = f"""
import math, time
import tunekit as tk

EVIL = {EVIL!r}

def objective(**settings):
    lr, width, act = settings["lr"], settings["width"], settings["act"]
    top = math.exp(-(math.log10(lr) + 2.5) ** 2 / 2 - (width - 60) ** 2 / 4000) * (0.9 if act == "gelu" else 1)
    for step in range(5):
        time.sleep(PAUSE)
        if act == EVIL and step == 3:
            raise ValueError(f"{{EVIL}} is no activation")
        yield top * (1 - math.exp(-step - 1))

PAUSE = 0
space = tk.Space({{
    "lr": tk.Float(1e-4, 1e-1, log=True),
    "width": tk.Int(16, 128),
    "act": tk.Choice("relu", "gelu", EVIL),
    EVIL: tk.Float(0, 1),
    "slope": tk.Float(0, 1, when={{"act": "gelu"}}),
}})
study = tk.Study(objective, space, sampler="random", seed=0)
study.run(40)
PAUSE = 0.02
"""

TABS = ["Progress", "Settings", "Importance", "What if", "Trials"]

# A compression with a row that failed. It takes its time where PAUSE is set, so that somebody can stop it.
NETS = """
import time, torch, tunekit as tk
from torch import nn

PAUSE = 0

class Slow(nn.ReLU):
    def forward(self, x):
        time.sleep(PAUSE)
        return super().forward(x)

def fails(model, task, epochs):
    for _ in range(epochs):
        time.sleep(PAUSE)
        yield
    raise OSError("no <b>disk</b>")

torch.manual_seed(0)
x = torch.randn(300, 16)
data = x, x[:, :4].argmax(1)
parts = {"first": nn.Linear(16, 64), "act": Slow(), "middle": nn.Linear(64, 32), "last": nn.Linear(32, 4)}
net = nn.Sequential()
for name, part in parts.items():
    net.add_module(name, part)
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for _ in range(100):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), data[1]).backward()
    optimizer.step()
lab = tk.Compression(net, tk.Task(data, data, loss=nn.functional.cross_entropy, fit=fails))
lab.run([tk.Prune(0.5), tk.Quantize("weights")], show=False)
lab.run([tk.FineTune(1)], show=False)
"""

NET_TABS = ["Progress", "Rows", "Layers", "Trade-off", "Export"]
# Of such impact are the faults that keep somebody from using it.
_GRAVE = ("serious", "critical")


def explorers(page: LabPage) -> Locator:
    """All explorers of the page."""
    return page.page.get_by_role("group", name=re.compile("Explorer of"))


def turn_to(explorer: Locator, tab: str) -> None:
    """Choose a tab."""
    explorer.get_by_role("tab", name=tab, exact=True).click()


def grave_faults(page: LabPage, inside: str) -> list[str]:
    """What axe-core finds wrong for people with disabilities, serious or worse, in what that selector finds."""
    # JupyterLab's page itself has no height, which axe-core takes for hidden: it would judge no contrast at all
    page.page.evaluate("document.body.style.height = '100vh'")
    page.page.locator(inside).first.scroll_into_view_if_needed()
    said = Axe().run(page.page, context=inside, options={"resultTypes": ["violations", "passes"]}).response
    contrast = [rule for kind in ("violations", "passes") for rule in said[kind] if rule["id"] == "color-contrast"]
    judged = [check["data"] for rule in contrast for node in rule["nodes"] for check in node["any"]]
    assert any("contrastRatio" in data for data in judged if data), f"the contrast in {inside} was not judged"
    return [
        f"{fault['id']}: {fault['help']} ({node['html'][:200]})"
        for fault in said["violations"]
        if fault["impact"] in _GRAVE
        for node in fault["nodes"]
    ]


@contextmanager
def no_dialog(page: LabPage) -> Iterator[None]:
    """Nothing that is the user's has become markup: no script of it has run, and there is no element of it."""
    dialogs: list[str] = []

    def note(dialog: object) -> None:
        dialogs.append(str(dialog))

    page.page.on("dialog", note)
    yield
    page.page.remove_listener("dialog", note)
    assert dialogs == []
    assert page.page.locator("img[src=x]").count() == 0
