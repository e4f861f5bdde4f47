// The head of an explorer. All words are set as text, never as markup: names and errors are the user's.

const LOST = "The kernel that this panel belongs to has gone: run the cell again.";

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

  function show() {
    heading.textContent = model.get("heading");
    notice.textContent = model.comm_live === false ? LOST : model.get("notice");
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
  model.on("change:heading change:notice comm_live_update", show);
  show();
  const attached = requestAnimationFrame(show);

  const letKeysGo = keepKeys((target) => el.closest(".tunekit-explorer")?.contains(target));

  return () => {
    letKeysGo();
    cancelAnimationFrame(attached);
    model.off("change:heading change:notice comm_live_update", show);
  };
}

export default { render };
