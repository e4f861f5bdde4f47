// The head of an explorer. All words are set as text, never as markup: names and errors are the user's.

function render({ model, el }) {
  const head = element("div", "tunekit-head");
  const heading = element("div", "tunekit-heading");
  const close = element("button", "tunekit-button", {
    type: "button", title: "End this panel and leave its picture in the notebook; what runs goes on",
  });
  close.textContent = "Close";
  const notice = element("div", "tunekit-notice", { role: "alert" });
  head.append(heading, close);
  el.append(head, notice);

  let isLost = false;

  function show() {
    heading.textContent = model.get("heading");
    notice.textContent = isLost ? LOST : model.get("notice");
    // the box around it is ipywidgets' own and has no name
    const box = el.closest(".tunekit-explorer");
    box?.setAttribute("role", "group");
    box?.setAttribute("aria-label", model.get("heading"));
  }

  function press() {
    close.disabled = true;
    model.send({ press: "close" });
  }

  close.addEventListener("click", press);
  model.on("change:heading change:notice", show);
  show();
  const attached = requestAnimationFrame(show);

  const letKernelGo = whenLost(model, () => {
    isLost = true;
    show();
  });
  const letKeysGo = keepKeys((target) => el.closest(".tunekit-explorer")?.contains(target));

  return () => {
    letKeysGo();
    letKernelGo();
    cancelAnimationFrame(attached);
    model.off("change:heading change:notice", show);
  };
}

export default { render };
