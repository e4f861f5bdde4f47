// Models side by side on one input. All words are set as text, never as markup: names, labels and errors are the user's.

const LARGEST = 280;      // CSS pixels of the longer side of the paper
const STROKE = 0.085;     // of that side: the width of the pen
const TYPING = 120;       // ms of silence before what is typed is asked
const LONGEST = 30;       // seconds of a sound that are taken at most

const HINT = {
  image: "Draw with the pointer, or choose an example.",
  text: "Type, or choose an example.",
  sound: "Record, open a file, or choose an example.",
};

// Questions go out one at a time: while one is on its way only the newest of the next ones is kept.
function questions(model) {
  let number = Math.floor(Math.random() * 2 ** 30) + 1;   // so that two views of one model do not take each other's answers
  let waiting = null;
  let next = null;
  const mine = new Set();

  function send({ content, bytes }) {
    number += 1;
    waiting = number;
    mine.add(number);
    model.send({ ...content, number }, undefined, bytes ? [bytes.buffer] : []);
  }

  return {
    ask(content, bytes = null) {
      if (waiting !== null) next = { content, bytes };
      else send({ content, bytes });
    },
    answered(which) {
      const own = mine.delete(which);
      if (which === waiting) {
        waiting = null;
        if (next) send(next);
        next = null;
      }
      return own;
    },
  };
}

// The paper: its pixels are those of the data, drawn larger.
function paper(model, onDrawn) {
  const { height, width, colours, is_light: isLight } = model.get("canvas");
  const scale = Math.max(1, Math.floor(LARGEST / Math.max(height, width)));
  const canvas = element("canvas", "tunekit-compare-paper", {
    role: "img", width: String(width * scale), height: String(height * scale),
    "aria-label": model.get("takes_new") ? "Drawing: with the keyboard, choose an example instead" : "Picture of the example",
  });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const [ground, ink] = isLight ? ["#ffffff", "#000000"] : ["#000000", "#ffffff"];
  let last = null;

  function clear() {
    pen.fillStyle = ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }

  function paint(bytes) {
    const small = document.createElement("canvas");
    [small.width, small.height] = [width, height];
    const image = new ImageData(width, height);
    for (let pixel = 0; pixel < width * height; pixel += 1) {
      for (let colour = 0; colour < 3; colour += 1) {
        image.data[4 * pixel + colour] = bytes.getUint8(colours * pixel + (colours === 3 ? colour : 0));
      }
      image.data[4 * pixel + 3] = 255;
    }
    small.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
  }

  // each pixel of the data is the mean of the square that stands for it
  function read() {
    const drawn = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    const bytes = new Uint8Array(width * height * colours);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        for (let colour = 0; colour < colours; colour += 1) {
          let sum = 0;
          for (let dy = 0; dy < scale; dy += 1) {
            for (let dx = 0; dx < scale; dx += 1) {
              sum += drawn[4 * ((y * scale + dy) * canvas.width + x * scale + dx) + colour];
            }
          }
          bytes[(y * width + x) * colours + colour] = Math.round(sum / (scale * scale));
        }
      }
    }
    return bytes;
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height,
    ];
  }

  function draw(event) {
    const [x, y] = place(event);
    pen.strokeStyle = ink;
    pen.lineWidth = STROKE * Math.max(canvas.width, canvas.height);
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...(last ?? [x, y]));
    pen.lineTo(x, y + (last ? 0 : 0.01));   // a tap is a dot
    pen.stroke();
    last = [x, y];
    onDrawn(read());
  }

  clear();
  if (model.get("takes_new")) {
    canvas.classList.add("tunekit-compare-drawable");
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      last = null;
      draw(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (last && event.buttons & 1) draw(event);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { last = null; });
  }
  return { canvas, clear, paint, read };
}

// Any sound that the browser can read as the models take it: one channel, at their rate, as bytes.
async function waveform(file, rate) {
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  const mixed = new Float32Array(Math.min(sound.length, LONGEST * rate));
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let place = 0; place < mixed.length; place += 1) mixed[place] += samples[place] / sound.numberOfChannels;
  }
  return new Uint8Array(mixed.buffer);
}

// A button that records while it is pressed in.
function microphone(onRecorded, say) {
  const button = element("button", "tunekit-compare-button", { type: "button", "aria-pressed": "false" }, "Record");
  let recording = null;
  let dropped = false;

  function shown(isOn) {
    button.setAttribute("aria-pressed", String(isOn));
    button.textContent = isOn ? "Stop" : "Record";
    button.disabled = false;
  }

  async function begin() {
    button.disabled = true;   // while the browser asks whether it may
    // a page that came from another machine without encryption has none
    if (!navigator.mediaDevices) throw new Error("the browser lends it to local or encrypted pages alone");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const letGo = () => stream.getTracks().forEach((track) => track.stop());
    if (dropped) {
      letGo();
      return;
    }
    const pieces = [];
    recording = new MediaRecorder(stream);
    const limit = setTimeout(() => recording?.stop(), 1000 * LONGEST);
    recording.addEventListener("dataavailable", (event) => pieces.push(event.data));
    recording.addEventListener("stop", () => {
      clearTimeout(limit);
      letGo();
      recording = null;
      shown(false);
      if (!dropped) onRecorded(new Blob(pieces));
    });
    recording.start();
    shown(true);
    say("Recording: press Stop when you have said it");
  }

  button.addEventListener("click", () => {
    if (recording) recording.stop();
    else {
      begin().catch((error) => {
        shown(false);
        say(`The microphone cannot be used: ${error.message}`);
      });
    }
  });
  return {
    button,
    drop() {
      dropped = true;
      recording?.stop();
    },
  };
}

function answersTable(reply) {
  const table = element("table", "tunekit-compare-answers", { "aria-label": "Probabilities of the classes" });
  const head = element("tr", "");
  head.append(element("th", "", { scope: "col" }, "class"));
  for (const each of reply.models) {
    const column = element("th", "", { scope: "col" });
    column.append(
      element("span", "tunekit-compare-name", {}, each.name),
      element("span", "tunekit-compare-answer", {}, each.error ? "no answer" : each.answer),
      element("span", each.error ? "tunekit-compare-error" : "tunekit-compare-time", {}, each.error || each.time),
    );
    head.append(column);
  }
  const top = element("thead", "");
  top.append(head);
  const body = element("tbody", "");
  reply.labels.forEach((label, row) => {
    const line = element("tr", "");
    line.append(element("th", "", { scope: "row" }, label));
    for (const each of reply.models) {
      const cell = element("td", row === each.top ? "tunekit-compare-top" : "");
      if (each.shares.length) {
        const track = element("span", "tunekit-compare-track", { "aria-hidden": "true" });
        const bar = element("span", "tunekit-compare-bar");
        bar.style.width = `${100 * each.shares[row]}%`;
        track.append(bar);
        cell.append(track, element("span", "tunekit-compare-share", {}, `${(100 * each.shares[row]).toFixed(1)} %`));
      }
      line.append(cell);
    }
    body.append(line);
  });
  table.append(top, body);
  return table;
}

function chooser(model) {
  const label = element("label", "tunekit-compare-chooser", {}, "Example ");
  const select = element("select", "tunekit-compare-select", { "aria-label": "Example" });
  select.append(element("option", "", { value: "" }, "none: something new"));
  let group = null;
  for (const [index, words, name] of model.get("choices")) {
    if (!group || group.label !== name) {
      group = element("optgroup", "");
      group.label = name;
      select.append(group);
    }
    group.append(element("option", "", { value: String(index) }, words));
  }
  label.append(select);
  return { label, select };
}

function render({ model, el }) {
  const kind = model.get("kind");
  const asking = questions(model);
  const panel = element("div", "tunekit-compare", {
    role: "group", "aria-label": model.get("heading"),
  });
  const left = element("div", "tunekit-compare-input");
  const right = element("div", "tunekit-compare-output");
  const { label, select } = chooser(model);
  const status = element("div", "tunekit-compare-status", { role: "status", "aria-live": "polite" });
  const answers = element("div", "");
  const buttons = element("div", "tunekit-compare-buttons", { role: "toolbar", "aria-label": "Input" });
  const keep = element("button", "tunekit-compare-button", {
    type: "button", title: "End this view, and leave a picture of these answers in the notebook",
  }, "Keep as a picture");
  left.append(label);

  let sheet = null;
  let field = null;
  let player = null;
  let recorder = null;
  let url = null;
  let silence = null;

  if (kind === "image") {
    sheet = paper(model, (bytes) => {
      select.value = "";
      asking.ask({ ask: "drawing" }, bytes);
    });
    left.append(sheet.canvas);
    if (model.get("takes_new")) {
      const clear = element("button", "tunekit-compare-button", { type: "button", title: "A new sheet" }, "Clear");
      clear.addEventListener("click", () => {
        sheet.clear();
        select.value = "";
        asking.ask({ ask: "drawing" }, sheet.read());
      });
      buttons.append(clear);
    }
  } else if (kind === "text") {
    field = element("textarea", "tunekit-compare-text", { rows: "5", "aria-label": "Text" });
    field.readOnly = !model.get("takes_new");
    field.addEventListener("input", () => {
      select.value = "";
      clearTimeout(silence);
      silence = setTimeout(() => asking.ask({ ask: "text", text: field.value }), TYPING);
    });
    left.append(field);
  } else if (kind === "sound") {
    player = element("audio", "tunekit-compare-sound", { controls: "", "aria-label": "Sound of the example" });
    left.append(player);
    if (model.get("takes_new")) {
      const say = (words) => { status.textContent = words; };
      const take = (file) => waveform(file, model.get("rate")).then(
        (bytes) => {
          select.value = "";
          asking.ask({ ask: "sound" }, bytes);
        },
        () => say("The browser cannot read this as a sound"),
      );
      recorder = microphone(take, say);
      const file = element("input", "", { type: "file", accept: "audio/*", hidden: "" });
      file.addEventListener("change", () => {
        if (file.files.length) take(file.files[0]);
        file.value = "";   // the same file may be opened again
      });
      const open = element("button", "tunekit-compare-button", { type: "button" }, "Open a file");
      open.addEventListener("click", () => file.click());
      buttons.append(recorder.button, open, file);
    }
  }
  buttons.append(keep);
  const hint = model.get("takes_new") ? HINT[kind] : "Choose an example.";
  left.append(element("div", "tunekit-compare-hint", {}, hint), buttons);
  right.append(status, answers);
  panel.append(left, right);
  el.append(panel);

  select.addEventListener("change", () => {
    if (select.value !== "") asking.ask({ ask: "example", index: Number(select.value) });
  });
  keep.addEventListener("click", () => model.send({ ask: "keep" }));

  // What a person is drawing or typing right now is not painted over by the answer to it; a recording is to be heard.
  function showInput() {
    if (sheet && model.get("pixels").byteLength) sheet.paint(model.get("pixels"));
    if (field) field.value = model.get("words");
    if (player) {
      const before = url;
      const sound = model.get("sound");
      url = sound.byteLength ? URL.createObjectURL(new Blob([sound], { type: "audio/wav" })) : "";
      player.hidden = !url;   // an example may be known by its spectrum alone
      if (url) player.src = url;
      if (before) URL.revokeObjectURL(before);
    }
  }

  function show() {
    const reply = model.get("reply");
    if (!reply.models) return;
    const own = asking.answered(reply.number);
    if (!own || reply.index !== undefined || player) showInput();
    if (reply.index !== undefined) select.value = String(reply.index);
    else if (!own) select.value = "";
    status.textContent = reply.finding;
    status.classList.toggle("tunekit-compare-differ", Boolean(reply.differ));
    answers.replaceChildren(...(reply.models.length ? [answersTable(reply)] : []));
  }

  model.on("change:reply", show);
  show();
  const letKernelGo = whenLost(model, () => {
    status.textContent = LOST;
  });
  const letKeysGo = keepKeys((target) => panel.contains(target));

  return () => {
    letKeysGo();
    letKernelGo();
    model.off("change:reply", show);
    clearTimeout(silence);
    recorder?.drop();
    if (url) URL.revokeObjectURL(url);
  };
}

export default { render };
