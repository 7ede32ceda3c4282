// The list of runs: a line for each task of each, sorted by any column, told of changes by the server.

const list = { runs: new Map(), lines: new Map(), chosen: new Set(), sort: "date", down: true, words: "" };
const STANDING = ["running", "killed", "failed", "damaged", "interrupted", "done"];
const COLUMNS = {
  run: ["Run", (line) => line.run.run],
  date: ["Date", (line) => line.run.start],
  model: ["Model", (line) => line.run.model],
  task: ["Task", (line) => line.task?.task ?? ""],
  status: ["Status", (line) => STANDING.indexOf(line.run.status)],
  score: ["Score, %", (line) => line.task?.score ?? -1],
  progress: ["Progress", (line) => progressOf(line.task)],
};

function progressOf(task) {
  return task?.expected ? task.done / task.expected : -1;
}

function reportOf(runs) {
  return `report?${new URLSearchParams(runs.map((run) => ["run", run]))}`;
}

// A line stays the same element as long as its run is there, so what is chosen or has the focus stays so.
function lineOf(run, task) {
  const key = JSON.stringify([run.run, task?.task ?? ""]);
  const known = list.lines.get(key);
  const line = known ?? { key, row: el("tr"), choose: el("input", { type: "checkbox", "aria-label": `Choose ${seen(run.run)}` }) };
  if (!known) {
    line.choose.addEventListener("change", () => choose(run.run, line.choose.checked));
    line.link = el("a", { href: reportOf([run.run]) }, words(run.run));
    list.lines.set(key, line);
  }
  line.run = run;
  line.task = task;
  line.words = [run.run, run.model, task?.task, run.status, run.note].join("\n").toLowerCase();
  const state = JSON.stringify([run, task]);
  if (line.state !== state) put(line.row, cellsOf(line));
  line.state = state;
  line.choose.checked = list.chosen.has(run.run);
  line.choose.disabled = run.status === "damaged";
  return line;
}

function cellsOf({ run, task, choose: box, link }) {
  const damaged = run.status === "damaged";
  const name = el("td", { class: "name" }, damaged ? words(run.run) : link);
  if (run.note) name.append(el("div", { class: damaged ? "warn" : "note" }, words(run.note)));
  const cell = (...children) => el("td", {}, children);
  return [
    cell(box),
    name,
    cell(run.start.slice(0, 16).replace("T", " ")),
    cell(words(run.model)),
    cell(task ? seen(task.task) : ""),
    cell(el("span", { class: `status-${run.status}` }, seen(run.status))),
    cell(task ? scoreOf(task, run.status) : ""),
    cell(task ? progressCells(task) : ""),
  ];
}

function scoreOf(task, status) {
  if (task.score === null) return "\u2013";
  const note = task.official ? "" : status === "running" ? " strict, so far" : " strict";
  return [el("span", { class: "number" }, percent(task.score, 2)), el("span", { class: "note" }, note)];
}

function progressCells(task) {
  const of = task.expected === null ? count(task.done) : `${count(task.done)} of ${count(task.expected)}`;
  const lost = [
    [task.unanswered, "unanswered"],
    [task.failed, "failed"],
  ]
    .filter(([n]) => n)
    .map(([n, what]) => `, ${count(n)} ${what}`);
  const bar = task.expected
    ? el("progress", { max: task.expected, value: task.done, "aria-label": `Progress of ${seen(task.task)}` })
    : null;
  return [bar, of, el("span", { class: "note" }, lost)];
}

function choose(run, chosen) {
  if (chosen) list.chosen.add(run);
  else list.chosen.delete(run);
  for (const line of list.lines.values()) if (line.run.run === run) line.choose.checked = chosen;
  byId("open").disabled = !list.chosen.size;
  byId("open").textContent = list.chosen.size ? `Report of ${plural(list.chosen.size, "run")}` : "Report of the chosen runs";
}

function drawLines() {
  const lines = [...list.runs.values()].flatMap((run) => (run.tasks.length ? run.tasks : [null]).map((task) => lineOf(run, task)));
  const there = new Set(lines.map((line) => line.key));
  for (const key of list.lines.keys()) if (!there.has(key)) list.lines.delete(key);
  const wanted = list.words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = lines.filter((line) => wanted.every((word) => line.words.includes(word)));
  const [, value] = COLUMNS[list.sort];
  const by = list.down ? -1 : 1;
  const order = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  found.sort((one, other) => by * order(value(one), value(other)) || order(one.key, other.key));
  const body = byId("lines"),
    rows = found.map((line) => line.row);
  // Only a new order moves lines: the focus would be lost.
  if (rows.length !== body.children.length || rows.some((row, place) => row !== body.children[place]))
    body.replaceChildren(...rows);
  put(byId("found"), `${plural(list.runs.size, "run")}${wanted.length ? `, ${plural(found.length, "line")} found` : ""}`);
}

function drawHead() {
  put(
    byId("heads"),
    el("td"),
    Object.entries(COLUMNS).map(([name, [title]]) => {
      const own = list.sort === name;
      const sort = () => {
        list.down = own ? !list.down : ["date", "score", "progress"].includes(name);
        list.sort = name;
        drawHead();
        drawLines();
        byId("heads").querySelector(`[data-sort="${name}"]`).focus();
      };
      const arrow = own ? (list.down ? " \u2193" : " \u2191") : "";
      const button = el("button", { type: "button", class: "sort", "data-sort": name, on: { click: sort } }, title, arrow);
      return el("th", { scope: "col", "aria-sort": own ? (list.down ? "descending" : "ascending") : "none" }, button);
    }),
  );
}

function change({ runs, gone }) {
  for (const run of runs) list.runs.set(run.run, run);
  for (const run of gone) {
    list.runs.delete(run);
    choose(run, false);
  }
  drawLines();
}

function start() {
  const first = JSON.parse(byId("first").textContent);
  put(byId("folder"), words(first.folder));
  put(
    byId("place"),
    el(
      "table",
      { class: "runs" },
      el("thead", {}, el("tr", { id: "heads" })),
      el("tbody", { id: "lines" }),
    ),
  );
  drawHead();
  change({ runs: first.runs, gone: [] });
  byId("search").addEventListener("input", (event) => {
    list.words = event.target.value;
    drawLines();
  });
  byId("open").addEventListener("click", () => location.assign(reportOf([...list.chosen])));
  const events = new EventSource("events");
  events.onmessage = (event) => change(JSON.parse(event.data));
  events.onopen = () => put(byId("live"), "live");
  events.onerror = () => put(byId("live"), "no connection to dtbench view");
  document.documentElement.dataset.ready = "yes";
}

start();
