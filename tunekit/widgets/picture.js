// A picture by itself.

function render({ model, el }) {
  const picture = element("img", "tunekit-picture");
  el.append(picture);
  return follow(picture, model);
}

export default { render };
