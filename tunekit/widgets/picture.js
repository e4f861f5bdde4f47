// A PNG at half its pixels, with its alt text.

function render({ model, el }) {
  const picture = document.createElement("img");
  picture.className = "tunekit-picture";
  el.append(picture);
  let url = null;

  function draw() {
    const data = model.get("picture");
    picture.hidden = !data || data.byteLength === 0;
    if (picture.hidden) return;
    const before = url;
    url = URL.createObjectURL(new Blob([data], { type: "image/png" }));
    picture.src = url;
    picture.width = model.get("width");
    picture.alt = model.get("alt");
    if (before) URL.revokeObjectURL(before);
  }

  model.on("change:picture", draw);
  draw();

  return () => {
    model.off("change:picture", draw);
    if (url) URL.revokeObjectURL(url);
  };
}

export default { render };
