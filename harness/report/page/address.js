// The address names what is shown: whoever opens it sees the same questions in the same order.

const CHOSEN = ["state", "change", "how", "level", "finish", "rubric", "sort"];

function remember() {
  if (!page.first) return;
  const parts = new URLSearchParams({ view: page.view });
  if (page.task) parts.set("task", page.first.tasks[page.task].name);
  if (page.base) parts.set("base", page.base + 1);
  if (page.filter) rememberFilter(parts);
  else for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (!parts.has(name)) parts.set(name, value);
  const question = page.found[page.selected];
  if (page.view === "samples" && question !== undefined) parts.set("id", page.tasks[page.task].ids[question]);
  try {
    history.replaceState(null, "", `#${parts}`);
  } catch {
    /* some browsers refuse where many steps come at once */
  }
}

function rememberFilter(parts) {
  const { filter } = page;
  if (filter.run !== "") parts.set("run", Number(filter.run) + 1);
  for (const name of CHOSEN) if (filter[name]) parts.set(name, filter[name]);
  for (const [heading, value] of Object.entries(filter.groups)) if (value !== "") parts.set(`in.${heading}`, value);
  if (filter.words) parts.set("search", filter.words);
}

function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const task = page.first.tasks.findIndex((one) => one.name === parts.get("task"));
  const runs = page.first.runs.length;
  const run = (name) => {
    const number = Number(parts.get(name));
    return Number.isInteger(number) && number >= 1 && number <= runs ? number - 1 : null;
  };
  const filter = emptyFilter();
  for (const name of CHOSEN) filter[name] = parts.get(name) ?? "";
  for (const [name, value] of parts) if (name.startsWith("in.")) filter.groups[name.slice(3)] = value;
  filter.words = parts.get("search") ?? "";
  if (run("run") !== null) filter.run = String(run("run"));
  return { view: parts.get("view"), task: Math.max(0, task), base: run("base") ?? 0, id: parts.get("id"), filter };
}

// Someone pasted another address into an open page.
function followAddress() {
  const asked = readAddress();
  page.task = asked.task;
  page.base = asked.base;
  for (const task of page.tasks) compareWithBase(task);
  drawTop();
  drawOverview();
  openSamples(asked);
  show(viewOf(asked));
}

function viewOf(asked) {
  const fallback = page.first.training ? "training" : "overview";
  return views().some(([name]) => name === asked.view) ? asked.view : fallback;
}

function openSamples(asked) {
  if (!page.tasks.length) return;
  page.filter = asked.filter;
  page.found = [];
  page.selected = -1;
  const place = page.tasks[page.task].ids.indexOf(asked.id);
  page.sought = place < 0 ? undefined : place;
  drawFilters();
  refilter({});
}
