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
  for (let place = begin; place < end; place++) inner.append(listRow(page.tasks[page.task], page.found[place], place));
}

function listRow(task, question, place) {
  const chosen = place === page.selected;
  const id = task.ids[question];
  const text = task.questions[question] ?? id;
  const groups = groupsOf(task, question).map(([, value]) => value);
  const under = el(
    "div",
    { class: "under" },
    hasMany() ? strip(task, question) : flipOf(task, question),
    sortValue(task, question),
    rubricOf(task, question),
    words(id.slice(0, 120)),
    words(groups.join(" \u00b7 ").slice(0, 160)),
  );
  const node = el(
    "div",
    {
      class: "row",
      role: "option",
      id: `row-${question}`,
      "aria-selected": chosen,
      "aria-setsize": page.found.length,
      "aria-posinset": place + 1,
      on: { click: () => select(place, true) },
    },
    hasMany() ? null : el("div", { class: "glyphs" }, task.runs.map((run) => glyphOf(STATES[run.states[question]]))),
    el("div", { class: "lines" }, el("div", { class: "text" }, words(text.slice(0, 300))), under),
  );
  node.style.top = `${place * ROW}px`;
  return node;
}

function glyphOf(state) {
  return el("b", { class: `glyph ${state}`, title: state }, GLYPH[state]);
}

// Of many runs, a mark each: its height says what its colour says.
function strip(task, question) {
  const marks = task.runs.map((run) => STATES[run.states[question]]);
  const right = marks.filter((state) => state === "right").length;
  const label = `${right} of ${marks.length} right`;
  return el(
    "span",
    { class: "strip", role: "img", "aria-label": label, title: label },
    marks.map((state) => el("i", { class: `cell ${state}` })),
  );
}

function flipOf(task, question) {
  const [better, worse] = [task.better[question], task.worse[question]];
  const few = task.runs.length === 2;
  return [
    worse ? el("i", { class: "worse" }, few ? "worse" : `${worse} worse`) : null,
    better ? el("i", { class: "better" }, few ? "better" : `${better} better`) : null,
  ];
}

const SHOWN = {
  seconds: (value) => `${figure(value, 3)} s`,
  tokens: (value) => `${count(Math.round(value))} tokens`,
  chain: (value) => `${count(Math.round(value))} characters`,
};

// What the list is sorted by stands in its rows.
function sortValue(task, question) {
  const name = page.filter.sort.replace("-", "");
  if (!SHOWN[name]) return null;
  const value = meanOf(task, name, page.filter.run === "" ? null : Number(page.filter.run), question);
  return Number.isNaN(value) ? null : el("i", { class: "value" }, SHOWN[name](value));
}

function rubricOf(task, question) {
  const scores = (hasMany() ? [null] : task.runs.map((_, run) => run)).map((run) =>
    meanOf(task, "rubric", run, question),
  );
  if (scores.every(Number.isNaN)) return null;
  const shown = scores.map((score) => (Number.isNaN(score) ? "\u2013" : percent(score, 0))).join(", ");
  return el("i", { class: "value" }, `rubric ${shown} %`);
}

function select(place, open) {
  if (!page.found.length) return;
  page.selected = Math.max(0, Math.min(page.found.length - 1, place));
  if (page.found[page.selected] !== page.sought) page.sought = undefined;
  const list = byId("list");
  const top = page.selected * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawRows(list, list.firstChild);
  list.setAttribute("aria-activedescendant", `row-${page.found[page.selected]}`);
  showDetail(page.found[page.selected]);
  if (open) byId("view-samples").classList.add("open");
  remember();
}
