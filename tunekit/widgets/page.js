// What all scripts of the page share; each is sent with these before it.

// Words are set as text, never as markup: names and errors are the user's.
function element(tag, className, attributes = {}, words = "") {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = words;
  return node;
}

const LOST = "The kernel that this panel belongs to has gone: run the cell again.";

const GONE = ["restarting", "autorestarting", "terminating", "dead"];

// Tell when nobody hears any more what is pressed. The kernel is asked, as anywidget's models know of no comm.
function whenLost(model, tell) {
  const changed = model.widget_manager?.kernel?.statusChanged;
  const hear = (_, status) => {
    if (GONE.includes(status)) tell();
  };
  changed?.connect(hear);
  return () => changed?.disconnect(hear);
}

// JupyterLab takes keys that mean something to it, Enter and the arrows among them, from whatever has the focus; here
// they are for what has it. Those with Ctrl stay JupyterLab's: to save is to save.
function keepKeys(isInside) {
  const keep = (event) => {
    if (!(event.target instanceof Element) || !isInside(event.target)) return;
    const isOurs = !(event.ctrlKey || event.metaKey || event.altKey);
    event.target.toggleAttribute("data-lm-suppress-shortcuts", isOurs);
  };
  window.addEventListener("keydown", keep, true);
  return () => window.removeEventListener("keydown", keep, true);
}

// The PNG of a model at half its pixels, with its alt text, in an image that follows it: by the name of the trait that
// has its bytes, and by what stands before "width" and "alt".
function follow(picture, model, name = "picture", before = "") {
  let url = null;

  function draw() {
    const data = model.get(name);
    picture.hidden = !data || data.byteLength === 0;
    if (picture.hidden) return;
    const last = url;
    url = URL.createObjectURL(new Blob([data], { type: "image/png" }));
    picture.src = url;
    picture.width = model.get(`${before}width`);
    picture.alt = model.get(`${before}alt`);
    if (last) URL.revokeObjectURL(last);
  }

  model.on(`change:${name}`, draw);
  draw();
  return () => {
    model.off(`change:${name}`, draw);
    if (url) URL.revokeObjectURL(url);
  };
}
