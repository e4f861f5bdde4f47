"""How fast a click acts, and what the panel costs, while a torch net trains in a real JupyterLab and a real browser.

Run by hand: ``python -m tests.benchmarks.display``. It prints two tables for each number of threads, and what a panel
costs in processor time, messages and bytes.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.chromium import launch
from tests.browser.lab import Lab, LabPage
from tests.browser.server import serve

CLICKS = 20
UPDATED = 40
ROUNDS = 30
SECONDS = 2
SHARERS = ("kernel", "server", "browser")  # of the machine's processors

TRAINING = """
import time, torch, torch.nn.functional as F, tunekit as tk
from torch import nn
from tunekit.core import job as jobs

torch.set_num_threads(THREADS)
net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
                    nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 49, 10))
x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
optimizer = torch.optim.Adam(net.parameters())
batches = 0

def train(lr):
    global batches
    for step in range(20):
        for _ in range(5):
            optimizer.zero_grad(); F.cross_entropy(net(x), y).backward(); optimizer.step()
            batches += 1
        yield 1 / (1 + step)

study = tk.Study(train, tk.Space(lr=(1e-4, 1e-1, "log")), sampler="random", seed=0)
handled = []
for name in ("pause", "resume"):
    def wrapped(act=getattr(study, name)):
        handled.append(time.time())
        act()
    setattr(study, name, wrapped)
"""

# Train with the panel at work and held still in turn, in one run: the machine's own drift is slower than that.
ROUND = """
import os, psutil, threading
from tunekit.widgets.panel import Panel

def busy():
    # Seconds of processor time taken so far.
    seconds = dict.fromkeys(SHARERS, 0.0)
    for process in psutil.process_iter(["pid", "cmdline", "cpu_times"]):
        command, times = " ".join(process.info["cmdline"] or ()), process.info["cpu_times"]
        name = ("kernel" if process.info["pid"] == os.getpid() else "browser" if "chrom" in command
                else "server" if "jupyterlab" in command else None)
        if name and times:
            seconds[name] += times.user + times.system
    return seconds

gate, update = threading.Event(), Panel.update
Panel.update = lambda self, **state: (gate.wait(), update(self, **state))

def rate(shown):
    gate.set() if shown else gate.clear()
    time.sleep(0.5)
    used, before, began = busy(), batches, time.perf_counter()
    time.sleep(SECONDS)
    passed = time.perf_counter() - began
    return (batches - before) / passed, [100 * (now - used[name]) / passed for name, now in busy().items()]

gate.set()
study.start(10**6)
time.sleep(5)
rates, shares = [], []
for round in range(ROUNDS):
    order = [True, False] if round % 2 else [False, True]
    found = {shown: rate(shown) for shown in order}
    rates.append([found[True][0], found[False][0]])
    shares.append([found[True][1], found[False][1]])
gate.set()
study.stop()
study.wait()
"""

# The pictures of 1,000 trials of 20 steps, of which one is drawn anew after each further trial, in turn.
UPDATES = """
from tunekit.plots.image import png
from tunekit.plots.live import LivePainter

def learned(lr):
    for step in range(20):
        yield lr * (1 + step)

large = tk.Study(learned, tk.Space(lr=(0.0, 1.0)), sampler="random", seed=0)
large.run(1000)
painter, updates = LivePainter(large), []
for number in range(UPDATED):
    large.tell({"lr": 0.5}, 3.0)
    began = time.thread_time()
    png(painter.paint(number % painter.count).figure)
    updates.append(1000 * (time.thread_time() - began))
"""

# What travels to the page while a study runs; what twenty studies leave behind.
MESSAGES = """
from ipykernel.comm.comm import BaseComm

sent, publish = [], BaseComm.publish_msg
BaseComm.publish_msg = lambda self, *rest, **named: (sent.append(time.time()), publish(self, *rest, **named))[1]
study.start(10**6)
time.sleep(3)
before = len(sent)
time.sleep(10)
messages = (len(sent) - before) / 10
study.stop()
study.wait()
"""
TWENTY = """
import comm, ipywidgets

def left():
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("tunekit")]
    return [len(comm.get_comm_manager().comms), len(ipywidgets.widgets.widget._instances), len(threads)]

before = left()
for seed in range(20):
    tk.Study(learned, tk.Space(lr=(0.0, 1.0)), sampler="random", seed=seed).run(20)
time.sleep(1)
leftovers = [now - then for now, then in zip(left(), before)]
"""
SHOWN = "tk.Study(learned, tk.Space(lr=(0.0, 1.0)), sampler='random', seed=0).run(200)"

# What the browser saw of one click: when it came, when the label had changed on screen, when the words had.
WATCH = """async () => {
  const button = [...document.querySelectorAll('.tunekit-button')].at(-2);
  const words = document.querySelector('.tunekit-panel [role=status]');
  const now = () => performance.timeOrigin + performance.now();
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
  const changed = node => new Promise(done => {
    const watch = new MutationObserver(() => { watch.disconnect(); done(); });
    watch.observe(node, { childList: true, characterData: true, subtree: true });
  });
  const state = () => /^Paus/.test(words.textContent);
  const before = state();
  const label = changed(button).then(frame).then(now);
  const sentence = (async () => {
    while (state() === before) await changed(words);
    await frame();
    return now();
  })();
  const clicked = now();
  button.click();
  return { clicked, label: await label, sentence: await sentence };
}"""


def spread(values: list[float]) -> str:
    """Median, quartiles and the worst."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:7.1f} {low:7.1f} {high:7.1f} {max(values):7.1f}"


def clicks(page: LabPage) -> None:
    """Press Pause and Resume in turn, and compare the clocks of browser and kernel (one machine, one clock)."""
    page.cell("study.start(10**6);").run()
    page.button("Pause").wait_for()
    time.sleep(3)
    seen: list[dict[str, float]] = []
    for _ in range(CLICKS):
        seen.append(page.page.evaluate(WATCH))
        time.sleep(0.6)
    handled: list[float] = json.loads(page.kernel("handled"))
    page.button("Stop").click()
    page.cell("study.wait();").run()
    rows = {
        "click to handler": [1000 * at - one["clicked"] for at, one in zip(handled, seen, strict=True)],
        "click to label on screen": [one["label"] - one["clicked"] for one in seen],
        "click to sentence on screen": [one["sentence"] - one["clicked"] for one in seen],
    }
    print(f"{'ms, ' + str(CLICKS) + ' clicks while torch trains':34s}  median    low    high   worst")
    for name, values in rows.items():
        print(f"{name:34s} {spread(values)}")


def throughput(page: LabPage) -> None:
    """Train with the panel at work and held still in turn, with the page open."""
    page.cell("rates, shares = []").run(timeout=60 + 2 * ROUNDS * (SECONDS + 1))
    rates: list[list[float]] = json.loads(page.kernel("rates"))
    shares: list[list[list[float]]] = json.loads(page.kernel("shares"))
    ratios = [shown / hidden for shown, hidden in rates]
    total = sum(shown for shown, _ in rates) / sum(hidden for _, hidden in rates)
    print(f"\n{'batches a second, ' + str(ROUNDS) + ' rounds in turn':34s}  median    low    high   worst")
    print(f"{'with the panel':34s} {spread([shown for shown, _ in rates])}")
    print(f"{'without':34s} {spread([hidden for _, hidden in rates])}")
    print(f"{'ratio, %':34s} {spread([100 * ratio for ratio in ratios])}   over all rounds {100 * total:.1f}")
    for place, name in enumerate(SHARERS):
        shown, hidden = ([one[place] for one in side] for side in zip(*shares, strict=True))
        print(f"{name + ', % of a core, with the panel':34s} {spread(shown)}")
        print(f"{name + ', without':34s} {spread(hidden)}")


def costs(page: LabPage) -> None:
    """What a panel takes, sends and leaves."""
    for source in (UPDATES, MESSAGES, TWENTY):
        page.cell(source.strip().splitlines()[0]).run(timeout=180)
    page.cell("seed=0).run(200)").run(timeout=60)
    updates = json.loads(page.kernel("updates"))
    saved = page.save().cells[-1].outputs
    print(f"\n{'one picture of 1,000 trials, ms of CPU':40s} {spread(updates)}")
    print(f"{'messages a second while it runs':40s} {page.kernel('messages')}")
    print(f"{'comms, widgets, threads left of 20':40s} {page.kernel('leftovers')}")
    print(f"{'bytes that a shown study adds':40s} {len(json.dumps(saved))}")


def main(threads: int) -> None:
    """Measure with that number of torch threads."""
    cells = [
        TRAINING.replace("THREADS", str(threads)),
        "study.start(10**6);",
        "study.wait();",
        ROUND.replace("SECONDS", str(SECONDS)).replace("ROUNDS", str(ROUNDS)).replace("SHARERS", repr(SHARERS)),
        UPDATES.replace("UPDATED", str(UPDATED)),
        MESSAGES,
        TWENTY,
        SHOWN,
    ]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "notebooks"
        root.mkdir()
        browser: Any = launch(playwright)
        with serve(root, Path(folder) / "jupyter") as server:
            lab = Lab(server, browser)
            lab.write("display.ipynb", cells)
            page = lab.open("display.ipynb")
            page.cell("import time").run()
            print(f"\n-- {threads} torch thread(s) --")
            clicks(page)
            throughput(page)
            if threads == 1:
                costs(page)
        browser.close()


if __name__ == "__main__":
    for count in (1, 2):
        main(count)
