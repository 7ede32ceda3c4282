// A training run: its stages with their evaluations, and every metric that was logged, over all steps.

function drawTraining() {
  const { stages } = page.first.training;
  const laid = layOut(stages);
  const names = [...new Set(laid.flatMap((stage) => Object.keys(stage.curves)))].sort(byRank);
  const search = el("input", { type: "search", placeholder: "Search metrics", "aria-label": "Search metrics" });
  const grid = el("div", { class: "curves" });
  const draw = () =>
    put(
      grid,
      names.filter((name) => name.toLowerCase().includes(search.value.toLowerCase())).map((name) => metric(name, laid)),
    );
  search.addEventListener("input", draw);
  draw();
  const torn = stages
    .filter((stage) => stage.torn)
    .map((stage) =>
      el(
        "p",
        { class: "note" },
        `${stage.name}: ${plural(stage.torn, "line")} of its metrics cannot be read and ${stage.torn === 1 ? "is" : "are"} left out.`,
      ),
    );
  put(
    byId("view-training"),
    stageTable(stages),
    pairTable(page.first.training.paired),
    card(
      "Curves",
      "Faint: as logged; strong: smoothed. Vertical lines separate the stages.",
      names.length ? search : el("p", { class: "note" }, "No metrics were logged."),
      torn,
      grid,
    ),
  );
}

// Stages follow each other on one axis; each begins to count its steps anew.
function layOut(stages) {
  let begin = 0;
  return stages
    .filter((stage) => Object.keys(stage.curves).length)
    .map((stage) => {
      const last = Math.max(...Object.values(stage.curves).map((points) => points.at(-1)[0]));
      const first = Math.min(...Object.values(stage.curves).map((points) => points[0][0]));
      const offset = first > begin ? 0 : begin;
      const laid = {
        name: stage.name,
        curves: stage.curves,
        begin: Math.max(begin, first + offset),
        end: last + offset,
        offset,
      };
      begin = laid.end;
      return laid;
    });
}

const RANK = ["reward", "kl", "entropy", "completion", "length", "grad", "loss", "learning"];

function byRank(one, other) {
  const rank = (name) => {
    const place = RANK.findIndex((part) => name.startsWith(part));
    return place < 0 ? RANK.length : place;
  };
  return rank(one) - rank(other) || (one < other ? -1 : 1);
}

function metric(name, laid) {
  const stages = laid
    .map((stage) => ({
      ...stage,
      points: (stage.curves[name] ?? []).map(([step, value]) => [step + stage.offset, value]),
    }))
    .filter((stage) => stage.points.length);
  const last = stages.at(-1).points.at(-1);
  const value = el("b", {}, figure(last[1]));
  const read = (point) => {
    value.textContent = point ? `${figure(point[1])} at ${figure(point[0])}` : figure(last[1]);
  };
  return el("figure", {}, el("figcaption", {}, el("span", {}, seen(name)), value), curve(name, stages, read));
}

// What the outcome tells of a line: its name there, the head of its column, and how it is shown.
const MARKS = [
  ["formed", "Well-formed, %", (share) => percent(share)],
  ["criteria", "Criteria met", (mean) => figure(mean, 3)],
  ["words", "Reasoning, words", (mean) => figure(mean, 3)],
];

function stageTable(stages) {
  const tasks = [...new Set(stages.flatMap((stage) => stage.scores.map((score) => score.task)))];
  const cell = (stage, name) => {
    const score = stage.scores.find((one) => one.task === name);
    if (!score || score.official.accuracy === null) return "\u2013";
    return [
      el("b", {}, percent(score.official.accuracy)),
      el(
        "span",
        { class: "note" },
        ` ${between(score.official)}; strict ${percent(score.strict.accuracy)}, n ${count(score.n)}`,
      ),
    ];
  };
  const chains = (stage) =>
    stage.scores.map((score) => (score.chains.n ? count(Math.round(score.chains.mean)) : "none")).join(", ") ||
    "\u2013";
  const steps = (stage) => {
    const all = Object.values(stage.curves);
    return all.length ? figure(Math.max(...all.map((points) => points.at(-1)[0]))) : "\u2013";
  };
  const marks = MARKS.filter(([name]) => stages.some((stage) => stage.scores.some((score) => known(score.marks[name]))));
  const marked = (stage, name, shown) =>
    stage.scores.map((score) => (known(score.marks[name]) ? shown(score.marks[name]) : "\u2013")).join(", ") || "\u2013";
  const best = (stage) => stage.scores.some((score) => score.marks.best);
  const lines = stages.map((stage) => [
    [
      stage.otherwise ? el("span", { class: "note" }, seen(stage.name)) : seen(stage.name),
      best(stage) ? el("span", { class: "note" }, " (best untrained)") : null,
    ],
    stage.state ? seen(stage.state) : "\u2013",
    [steps(stage), stage.best ? el("span", { class: "note" }, ` (best: ${figure(stage.best.step)})`) : null],
    ...tasks.map((name) => cell(stage, name)),
    chains(stage),
    ...marks.map(([name, , shown]) => marked(stage, name, shown)),
  ]);
  return card(
    "Stages",
    tasks.length
      ? "Official score after each stage, in percent, with its 95 % interval."
      : "No stage has been evaluated yet.",
    table(["Stage", "State", "Last step", ...tasks, "Reasoning, characters", ...marks.map(([, title]) => title)], lines),
  );
}

function pairTable(pairs) {
  if (!pairs.length) return null;
  const lines = pairs.map((one) => [
    seen(one.task),
    `${seen(one.from)} \u2192 ${seen(one.to)}`,
    el("b", { class: one.low > 0 ? "better" : one.high < 0 ? "worse" : null }, signed(one.difference)),
    `${signed(one.low)} to ${signed(one.high)}`,
    figure(one.p),
    `${count(one.better)} / ${count(one.worse)}`,
    count(one.n),
  ]);
  return card(
    "Each stage compared with the one before",
    "The same questions, strict score, in points. Coloured where the interval excludes 0.",
    table(["Task", "From \u2192 to", "Difference", "95 % interval", "McNemar p", "Better / worse", "n"], lines),
  );
}
