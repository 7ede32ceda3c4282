// Views, the theme, keys and the address, which names what is shown.

const KEYS = [
  ["j, \u2193 / k, \u2191", "next / previous question"],
  ["Space", "play or pause the clip"],
  ["c", "fold or unfold the reasoning"],
  ["/", "search"],
  ["w, u, e", "show only wrong, unanswered or failed answers"],
  ["f", "show only changed answers (several runs)"],
  ["x, Esc", "clear the filters, close"],
  ["o, s, r, i", "overview, samples, training, settings"],
  ["t", "light or dark"],
  ["?", "show these keys"],
];

function views() {
  const samples = page.first.tasks.length ? [["samples", "Samples"]] : [];
  return [
    ["overview", "Overview"],
    ...samples,
    ...(page.first.training ? [["training", "Training"]] : []),
    ...(page.first.faithful ? [["reasoning", "Reasoning"]] : []),
    ...(page.first.probes ? [["inside", "Inside"]] : []),
    ["settings", "Settings"],
  ];
}

function show(view) {
  if (!views().some(([name]) => name === view)) return;
  page.view = view;
  document.body.dataset.view = view;
  for (const [name] of views()) {
    byId(`view-${name}`).hidden = name !== view;
    byId(`tab-${name}`).setAttribute("aria-selected", name === view);
  }
  if (view === "samples" && page.filter) listRows();
  remember();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("dtbench-theme", theme);
  } catch {
    /* a page from disk may have no storage */
  }
}

function switchTheme() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme((document.documentElement.dataset.theme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark");
}

function drawTop() {
  const { first } = page;
  document.title = `${seen(first.title)} \u2013 dtbench`;
  put(byId("title"), words(first.title));
  const about = first.tasks[page.task];
  put(byId("subtitle"), words(subtitle(about)));
  put(
    byId("tabs"),
    views().map(([name, label]) =>
      el(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${name}`,
          "aria-controls": `view-${name}`,
          on: { click: () => show(name) },
        },
        label,
      ),
    ),
  );
  const select = byId("task");
  select.hidden = first.tasks.length < 2;
  put(
    select,
    first.tasks.map((task, place) => el("option", { value: place, selected: place === page.task }, seen(task.name))),
  );
}

// The benchmark, and the runs with their dates: what a page is of, when it is found again in a year.
function subtitle(about) {
  if (!about) return "";
  const dates = page.first.runs.map((_, run) => dateOf(run));
  const named = page.first.runs.map((run, place) => `${seen(run.name)}${dates[place] ? ` (${dates[place]})` : ""}`);
  const ordered = dates.filter(Boolean).sort();
  const span = ordered.length ? `, ${ordered[0]} to ${ordered.at(-1)}` : "";
  const runs = hasMany() ? `${plural(named.length, "run")}${span}` : named.join(" \u00b7 ");
  const version = about.runs[0].data.version ? `, data ${about.runs[0].data.version}` : "";
  return `${seen(about.title)}${version} \u2013 ${runs}`;
}

function chooseTask(place) {
  page.task = place;
  page.filter = page.filter && emptyFilter();
  page.found = [];
  page.selected = -1;
  drawTop();
  drawOverview();
  if (page.filter) {
    drawFilters();
    refilter({});
  }
  show(page.view);
}

function toggleHelp() {
  const keys = byId("keys");
  if (keys.open) return keys.close();
  put(
    keys,
    el("h2", {}, "Keys"),
    table(
      ["Key", "What it does"],
      KEYS.map(([key, what]) => [el("kbd", {}, key), what]),
    ),
    el("button", { type: "button", on: { click: () => keys.close() } }, "Close"),
  );
  return keys.showModal();
}

const ACTS = {
  j: () => select(page.selected + 1, true),
  ArrowDown: () => select(page.selected + 1, true),
  k: () => select(page.selected - 1, true),
  ArrowUp: () => select(page.selected - 1, true),
  " ": playOrPause,
  c: foldChains,
  "/": () => {
    show("samples");
    byId("search").focus();
  },
  f: () => showOnly({ change: "flipped" }),
  w: () => showOnly({ state: "wrong" }),
  u: () => showOnly({ state: "unanswered" }),
  e: () => showOnly({ state: "failed" }),
  x: clearFilters,
  o: () => show("overview"),
  s: () => show("samples"),
  r: () => show("training"),
  i: () => show("settings"),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") return escape(typing ? event.target : null);
  if (typing || byId("keys").open) return;
  if (event.key === "t") return switchTheme();
  if (event.key === "?") return toggleHelp();
  const act = ACTS[event.key],
    moves = ["j", "k", "ArrowDown", "ArrowUp", " ", "c", "x"].includes(event.key);
  if (
    !act ||
    !page.filter ||
    (moves && page.view !== "samples") ||
    (event.key === " " && event.target.matches("button, summary, audio"))
  )
    return;
  event.preventDefault();
  act();
}

// As the empty list says, also from within the field for searching.
function escape(field) {
  if (field) field.blur();
  if (byId("view-samples").classList.contains("open") && window.matchMedia("(max-width: 759px)").matches) closeDetail();
  else if (page.view === "samples" && page.filter) clearFilters();
}

async function start() {
  page.first = JSON.parse(byId("first").textContent);
  const asked = readAddress();
  page.task = asked.task;
  page.base = asked.base;
  page.beside = page.first.runs.length - 1 === page.base ? 0 : page.first.runs.length - 1;
  try {
    const theme = localStorage.getItem("dtbench-theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    /* none */
  }
  byId("theme").addEventListener("click", switchTheme);
  byId("help").addEventListener("click", toggleHelp);
  byId("task").addEventListener("change", (event) => chooseTask(Number(event.target.value)));
  document.addEventListener("keydown", onKey);
  drawTop();
  drawOverview();
  drawSettings();
  if (page.first.training) drawTraining();
  if (page.first.probes) drawProbes();
  if (page.first.faithful) drawReasoning();
  show(viewOf(asked));
  await loadSamples();
  openSamples(asked);
  prepareSearch();
  window.addEventListener("hashchange", followAddress);
  document.documentElement.dataset.ready = "yes";
}

start();
