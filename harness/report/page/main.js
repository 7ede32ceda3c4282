// Views, the theme, keys and the address, which names what is shown.

const KEYS = [
  ["j, \u2193 / k, \u2191", "next / previous question"],
  ["Space", "play or pause the clip"],
  ["c", "fold or unfold the reasoning"],
  ["/", "search"],
  ["w, u, e", "show only wrong, unanswered or failed answers"],
  ["f", "show only changed answers (two runs)"],
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

function remember() {
  const row = page.found[page.selected];
  const parts = new URLSearchParams({ view: page.view });
  if (page.task) parts.set("task", page.first.tasks[page.task].name);
  if (page.view === "samples" && row) parts.set("id", row.id);
  try {
    history.replaceState(null, "", `#${parts}`);
  } catch {
    /* some browsers refuse where many steps come at once */
  }
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
  put(
    byId("subtitle"),
    words(about ? `${about.title}${about.runs[0].data.version ? `, data ${about.runs[0].data.version}` : ""}` : ""),
  );
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

function escape(field) {
  if (field) field.blur();
  else if (byId("view-samples").classList.contains("open") && window.matchMedia("(max-width: 759px)").matches)
    closeDetail();
  else if (page.view === "samples" && page.filter) clearFilters();
}

async function start() {
  page.first = JSON.parse(byId("first").textContent);
  const parts = new URLSearchParams(location.hash.slice(1));
  page.task = Math.max(
    0,
    page.first.tasks.findIndex((task) => task.name === parts.get("task")),
  );
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
  const fallback = page.first.training ? "training" : "overview";
  show(views().some(([name]) => name === parts.get("view")) ? parts.get("view") : fallback);
  if (document.readyState === "loading")
    await new Promise((ready) => document.addEventListener("DOMContentLoaded", ready));
  await loadSamples();
  if (page.tasks.length) {
    drawFilters();
    refilter({});
    const place = page.found.findIndex((row) => row.id === parts.get("id"));
    if (place >= 0) select(place, true);
    prepareSearch();
  }
  document.documentElement.dataset.ready = "yes";
}

start();
