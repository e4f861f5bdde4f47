// The live panel. All words are set as text, never as markup: names and errors are the user's.

const MEANING = {
  pause: "Rest after the step that is going on; nothing is lost",
  resume: "Go on from where it rests",
  stop: "End after the step that is going on; what is finished is kept",
};

// A click is said again until the kernel answers. JupyterLab opens the way by which a click is heard while a cell runs
// when it first sees the widget; what is sent before that waits for the cell's end. To hear one twice does no harm.
const AGAIN = 1000;
const TIMES = 30;

function render({ model, el }) {
  const panel = element("div", "tunekit-panel", { role: "group", "aria-label": model.get("heading") });
  const bar = element("div", "tunekit-bar", { role: "toolbar", "aria-label": "Run" });
  const pause = element("button", "tunekit-button", { type: "button" });
  const stop = element("button", "tunekit-button", { type: "button", title: MEANING.stop });
  stop.textContent = "Stop";
  const progress = element("div", "tunekit-progress", {
    role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100",
  });
  const fill = element("div", "tunekit-fill");
  progress.append(fill);
  bar.append(pause, stop, progress);

  // The sentence changes several times a second: read aloud only when asked for. What is announced is the line below it.
  const words = element("div", "tunekit-words", { role: "status", "aria-live": "off" });
  const announced = element("div", "tunekit-announced", { "aria-live": "polite" });
  const hint = element("div", "tunekit-hint");
  const pictures = element("div", "tunekit-pictures");
  const picture = element("img", "tunekit-picture");
  const beside = element("img", "tunekit-picture");
  pictures.append(picture, beside);
  panel.append(bar, words, announced, hint, pictures);
  el.append(panel);

  let pressed = null;   // what was pressed and not yet confirmed: shown at once, before the kernel answers
  let again = null;
  let lastAnnounced = 0;
  let isLost = false;

  function show() {
    const state = model.get("state");
    const over = state === "over" || state === "idle";
    const resting = pressed ? pressed === "pause" : state === "paused" || state === "pausing";
    const ending = pressed === "stop" || state === "stopping";
    pause.textContent = resting ? "Resume" : "Pause";
    pause.title = resting ? MEANING.resume : MEANING.pause;
    const hinted = isLost && !over ? LOST : model.get("hint");
    pause.disabled = stop.disabled = over || ending || hinted !== "";
    stop.textContent = ending ? "Stopping…" : "Stop";
    panel.dataset.state = ending ? "stopping" : resting ? "paused" : state;

    const percent = Math.round(100 * model.get("fraction"));
    fill.style.width = `${percent}%`;
    progress.setAttribute("aria-valuenow", String(percent));
    progress.setAttribute("aria-valuetext", model.get("words"));
    words.textContent = model.get("words");
    hint.textContent = hinted;
    hint.hidden = hinted === "";
  }

  function announce() {
    const now = Date.now();
    if (now - lastAnnounced > 15000) {
      lastAnnounced = now;
      announced.textContent = model.get("words");
    }
  }

  function confirmState() {
    pressed = null;
    clearTimeout(again);
    lastAnnounced = 0;
    show();
    announce();
  }

  function press(what) {
    pressed = what;
    show();
    clearTimeout(again);
    say(what, TIMES);
  }

  function say(what, times) {
    model.send({ press: what });
    if (times > 1) again = setTimeout(say, AGAIN, what, times - 1);
  }

  pause.addEventListener("click", () => press(pause.textContent === "Resume" ? "resume" : "pause"));
  stop.addEventListener("click", () => press("stop"));

  model.on("change:state", confirmState);
  model.on("change:words", announce);
  model.on("change:words change:fraction change:hint", show);
  show();

  const letPicturesGo = [follow(picture, model), follow(beside, model, "beside", "beside_")];
  const letKernelGo = whenLost(model, () => {
    isLost = true;
    clearTimeout(again);
    show();
  });
  const letKeysGo = keepKeys((target) => panel.contains(target));

  return () => {
    letKeysGo();
    letKernelGo();
    for (const letGo of letPicturesGo) letGo();
    clearTimeout(again);
    model.off("change:state", confirmState);
    model.off("change:words", announce);
    model.off("change:words change:fraction change:hint", show);
  };
}

export default { render };
