// Runs: how they are named and coloured, and which of many are shown in full.

const COLOURS = "abcdefgh";
const FEW = 4;
const runClass = (run) => `run-${COLOURS[run % COLOURS.length]}`;
const runName = (run) => `Run ${run + 1}`;
const hasMany = () => page.first.runs.length > FEW;

function fullName(run) {
  return `${runName(run)} \u00b7 ${seen(page.first.runs[run].name)}`;
}

function dateOf(run) {
  return (page.first.runs[run].start ?? "").slice(0, 10);
}

// The runs that cards beside the matrix show: all where they are few, else the baseline and the one that was chosen.
function shownRuns(task) {
  const all = task.runs.map((run, place) => ({ run, place }));
  if (!hasMany()) return all;
  return all.filter(({ place }) => place === page.base || place === page.beside);
}

function runTitle(task, place) {
  return task.runs.length > 1 ? el("h3", { class: runClass(place) }, runName(place)) : null;
}

function runSelect(label, chosen, choose) {
  const select = el(
    "select",
    { "aria-label": label },
    page.first.runs.map((_, run) => el("option", { value: run, selected: run === chosen }, fullName(run))),
  );
  select.addEventListener("change", () => choose(Number(select.value)));
  return select;
}

function setBase(run) {
  page.base = run;
  if (page.beside === run) page.beside = run === 0 ? page.first.runs.length - 1 : 0;
  for (const task of page.tasks) compareWithBase(task);
  drawOverview();
  if (page.filter) {
    drawFilters();
    refilter({});
  }
  remember();
}
