// A table: headers that sort, a field that filters, rows that can be chosen. Cells are set as text, never as markup.

// Whoever types has finished a word after so many milliseconds.
const PAUSE = 150;
let tables = 0;

function render({ model, el }) {
  const name = model.get("name");
  const id = `tunekit-table-${(tables += 1)}-${Math.random().toString(36).slice(2)}`;
  const bar = element("div", "tunekit-table-bar");
  const label = element("label", "", { for: id });
  label.textContent = "Filter";
  const field = element("input", "tunekit-field", {
    id, type: "search", placeholder: "failed, relu, lr>0.01", autocomplete: "off", spellcheck: "false",
    title: "Words that stand in a row, and comparisons such as lr>0.01, separated by commas",
  });
  field.value = model.get("wanted");
  const words = element("span", "tunekit-count", { role: "status" });
  const before = element("button", "tunekit-button", { type: "button", "aria-label": `Previous ${name}s` });
  before.textContent = "‹";
  const after = element("button", "tunekit-button", { type: "button", "aria-label": `Next ${name}s` });
  after.textContent = "›";
  bar.append(label, field, words, before, after);

  const frame = element("div", "tunekit-frame");
  const table = element("table", "tunekit-rows", { "aria-label": `All ${name}s` });
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  frame.append(table);
  el.append(bar, frame);

  // Elements are kept and get new words, so that nothing loses its focus while a study runs.
  function fit(parent, count, make) {
    while (parent.children.length > count) parent.lastElementChild.remove();
    while (parent.children.length < count) parent.append(make());
  }

  function makeHeader() {
    const cell = element("th", "", { scope: "col" });
    const button = element("button", "tunekit-sort", { type: "button" });
    button.addEventListener("click", () => model.send({ sort: button.dataset.column }));
    cell.append(button);
    return cell;
  }

  function makeRow() {
    const row = element("tr", "");
    const first = element("th", "", { scope: "row" });
    const button = element("button", "tunekit-choose", { type: "button" });
    first.append(button);
    row.append(first);
    row.addEventListener("click", () => model.send({ choose: Number(row.dataset.number) }));
    return row;
  }

  function show() {
    const columns = model.get("columns");
    const rows = model.get("rows");
    const chosen = model.get("chosen");
    fit(head, columns.length, makeHeader);
    columns.forEach((column, place) => {
      const cell = head.children[place];
      cell.setAttribute("aria-sort", column.sort);
      cell.classList.toggle("tunekit-number", column.numeric && place > 0);   // the first one names the rows
      cell.firstChild.dataset.column = column.name;
      cell.firstChild.textContent = column.name;
    });
    fit(body, rows.length, makeRow);
    rows.forEach((shown, place) => {
      const row = body.children[place];
      const [first, ...others] = shown.cells;
      const button = row.firstChild.firstChild;
      row.dataset.number = String(shown.number);
      row.classList.toggle("tunekit-chosen", shown.number === chosen);
      button.textContent = first;
      button.setAttribute("aria-label", `${name} ${first}`);
      button.setAttribute("aria-pressed", String(shown.number === chosen));
      fit(row, columns.length, () => document.createElement("td"));
      others.forEach((words, index) => {
        const cell = row.children[index + 1];
        cell.textContent = words;
        cell.classList.toggle("tunekit-number", columns[index + 1]?.numeric ?? false);
      });
    });
    words.textContent = model.get("words");
    before.disabled = !model.get("has_before");
    after.disabled = !model.get("has_after");
  }

  let waiting = null;
  function type() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      model.set("wanted", field.value);
      model.save_changes();
    }, PAUSE);
  }

  function takeOver() {
    // another view of the same table, or the kernel, has set it
    if (document.activeElement !== field) field.value = model.get("wanted");
  }

  field.addEventListener("input", type);
  before.addEventListener("click", () => model.send({ turn: -1 }));
  after.addEventListener("click", () => model.send({ turn: 1 }));
  // hold_sync brings all of it in one message, and each trait announces itself: one frame is enough for them
  let due = null;
  function soon() {
    due ??= requestAnimationFrame(() => { due = null; show(); });
  }
  model.on("change:columns change:rows change:chosen change:words change:has_before change:has_after", soon);
  model.on("change:wanted", takeOver);
  show();

  return () => {
    clearTimeout(waiting);
    cancelAnimationFrame(due);
    model.off("change:columns change:rows change:chosen change:words change:has_before change:has_after", soon);
    model.off("change:wanted", takeOver);
  };
}

export default { render };
