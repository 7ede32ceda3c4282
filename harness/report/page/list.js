// The list of questions: only the rows in sight are in the document, so its length costs nothing.

const ROW = 46;
const SPARE = 6;

function listRows() {
  const list = byId("list");
  const inner = el("div", { class: "inner" });
  inner.style.height = `${page.found.length * ROW}px`;
  put(list, inner);
  list.onscroll = () => drawRows(list, inner);
  drawRows(list, inner);
}

function drawRows(list, inner) {
  const begin = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const end = Math.min(page.found.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  put(inner, page.found.length ? null : el("p", { class: "empty" }, "No matching questions. Clear a filter, or press Esc."));
  for (let place = begin; place < end; place++) inner.append(listRow(page.found[place], place));
}

function listRow(row, place) {
  const chosen = place === page.selected;
  const glyphs = row.states.map((state) => el("b", { class: `glyph ${state}`, title: state }, GLYPH[state]));
  const flip = row.change
    ? el("i", { class: row.change > 0 ? "better" : "worse" }, row.change > 0 ? "better" : "worse")
    : null;
  const text = row.question === null ? row.id : row.question;
  const line = el("div", { class: "text" }, words(text.slice(0, 300)));
  const under = el(
    "div",
    { class: "under" },
    flip,
    words(row.id.slice(0, 120)),
    words(Object.values(row.groups).join(" \u00b7 ").slice(0, 160)),
  );
  const node = el(
    "div",
    { class: "row", role: "option", "aria-selected": chosen, on: { click: () => select(place, true) } },
    el("div", { class: "glyphs" }, glyphs),
    el("div", { class: "lines" }, line, under),
  );
  node.style.top = `${place * ROW}px`;
  return node;
}

function select(place, open) {
  if (!page.found.length) return;
  page.selected = Math.max(0, Math.min(page.found.length - 1, place));
  const list = byId("list");
  const top = page.selected * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawRows(list, list.firstChild);
  showDetail(page.found[page.selected]);
  if (open) byId("view-samples").classList.add("open");
  remember();
}
