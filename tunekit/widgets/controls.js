// A slider or a menu for each parameter. Names and values are set as text, never as markup.

// What a person is moving is not set from outside for so many milliseconds: an answer may be older than the hand.
const HELD = 400;
let views = 0;

function render({ model, el }) {
  const id = `tunekit-control-${(views += 1)}-${Math.random().toString(36).slice(2)}`;
  const grid = element("div", "tunekit-controls");
  let held = { which: -1, until: 0 };
  let later = null;

  const rows = model.get("dials").map((dial, which) => {
    const label = element("label", "tunekit-name", { for: `${id}-${which}` });
    label.textContent = dial.name;
    const isSlider = dial.kind === "slider";
    const control = element(isSlider ? "input" : "select", isSlider ? "tunekit-slider" : "tunekit-menu", {
      id: `${id}-${which}`,
    });
    if (isSlider) {
      control.type = "range";
      control.min = "0";
      control.max = String(dial.most);
      control.step = "1";
    } else {
      dial.labels.forEach((words, place) => {
        const option = document.createElement("option");
        option.value = String(place);
        option.textContent = words;
        control.append(option);
      });
    }
    control.addEventListener("input", () => {
      held = { which, until: Date.now() + HELD };
      model.send({ turn: which, to: Number(control.value) });
    });
    const readout = element("output", "tunekit-readout", { for: control.id, "aria-live": "off" });
    grid.append(label, control, readout);
    return { label, control, readout, isSlider };
  });
  el.append(grid);

  function show() {
    const places = model.get("places");
    const used = model.get("used");
    const readouts = model.get("readouts");
    rows.forEach(({ label, control, readout, isSlider }, which) => {
      const isHeld = held.which === which && Date.now() < held.until;
      if (!isHeld) control.value = String(places[which]);
      control.disabled = !used[which];
      label.classList.toggle("tunekit-unused", !used[which]);
      readout.textContent = readouts[which];
      if (isSlider) control.setAttribute("aria-valuetext", readouts[which]);
    });
    clearTimeout(later);
    if (Date.now() < held.until) later = setTimeout(show, HELD);
  }

  model.on("change:places change:used change:readouts", show);
  show();

  return () => {
    clearTimeout(later);
    model.off("change:places change:used change:readouts", show);
  };
}

export default { render };
