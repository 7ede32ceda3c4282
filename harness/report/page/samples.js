// The samples: unpacked once, looked at by plain loops. Five thousand are filtered in a few milliseconds.

const page = { first: null, tasks: [], clips: {}, task: 0, view: "overview", found: [], selected: -1, filter: null };
const GLYPH = {
  right: "\u2713",
  wrong: "\u2717",
  unanswered: "\u2205",
  failed: "!",
  answered: "\u25cf",
  mixed: "\u00bd",
  none: "\u00b7",
};

async function unpacked(id) {
  const packed = atob(byId(id).textContent);
  const bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function loadSamples() {
  const all = await unpacked("samples");
  page.clips = all.clips;
  page.tasks = all.tasks.map((rows) => rows.map((row, place) => ({ ...row, place, ...facts(row) })));
  page.filter = emptyFilter();
}

// What filters and the list need of a row, told once.
function facts(row) {
  const states = row.runs.map(stateOf);
  const shares = row.runs.map(officialShare);
  const both = shares.length === 2 && shares.every((share) => share !== null);
  const answers = row.runs.flat();
  return {
    states,
    change: both ? Math.sign(shares[1] - shares[0]) : 0,
    disagrees: answers.some(disagrees),
  };
}

// Whether the benchmark's script and the strict score judge an answer differently.
function disagrees(one) {
  return typeof one.official === "boolean" && one.official !== (one.state === "right");
}

function stateOf(answers) {
  if (!answers.length) return "none";
  const first = answers[0].state;
  return answers.every((one) => one.state === first) ? first : "mixed";
}

function officialShare(answers) {
  const given = answers.filter((one) => one.state !== "failed");
  return given.length ? given.filter((one) => one.official).length / given.length : null;
}

function hayOf(row) {
  if (row.hay === undefined) {
    const said = row.runs.flat().map((one) => (one.pieces ? one.pieces.map((piece) => piece[2]).join("") : one.error));
    row.hay = [row.id, row.question ?? "", ...row.options, row.gold ?? "", ...said].join("\n").toLowerCase();
  }
  return row.hay;
}

// Searching is as fast as filtering once every row's text is in lower case: done while nothing else is to do.
function prepareSearch(place = 0) {
  const rows = page.tasks.flat();
  const idle = window.requestIdleCallback ?? ((act) => setTimeout(() => act({ timeRemaining: () => 8 }), 20));
  idle((left) => {
    while (place < rows.length && left.timeRemaining() > 1) hayOf(rows[place++]);
    if (place < rows.length) prepareSearch(place);
  });
}

function emptyFilter() {
  return { words: "", state: "", run: "", change: "", how: "", level: "", finish: "", groups: {}, order: "" };
}

function filtered(rows, wanted) {
  const words = wanted.words.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = Object.entries(wanted.groups).filter(([, value]) => value !== "");
  const runs = wanted.run === "" ? null : Number(wanted.run);
  const found = rows.filter(
    (row) => fits(row, wanted, groups, runs) && words.every((word) => hayOf(row).includes(word)),
  );
  const flipsFirst = (wanted.order || (page.first.runs.length > 1 ? "flips" : "data")) === "flips";
  const rank = (row) => (row.change < 0 ? 0 : row.change > 0 ? 1 : 2);
  return flipsFirst ? found.sort((one, other) => rank(one) - rank(other) || one.place - other.place) : found;
}

function fits(row, wanted, groups, run) {
  if (!groups.every(([heading, value]) => row.groups[heading] === value)) return false;
  if (wanted.change !== "" && !changed(row.change, wanted.change)) return false;
  if (!wanted.state && !wanted.how && !wanted.level && !wanted.finish) return run === null || row.runs[run].length > 0;
  return row.runs.some(
    (answers, place) => (run === null || run === place) && answers.some((one) => answerFits(one, wanted)),
  );
}

function answerFits(one, wanted) {
  if (wanted.how && one.how !== wanted.how) return false;
  if (wanted.level && one.level !== wanted.level) return false;
  if (wanted.finish && one.finish !== wanted.finish) return false;
  if (!wanted.state) return true;
  if (wanted.state === "disagrees") return disagrees(one);
  return one.state === wanted.state;
}

function changed(change, wanted) {
  return wanted === "flipped"
    ? change !== 0
    : wanted === "better"
      ? change > 0
      : wanted === "worse"
        ? change < 0
        : change === 0;
}

// How often each value of something comes, the most frequent first.
function tallied(rows, valuesOf) {
  const times = new Map();
  for (const row of rows) for (const value of new Set(valuesOf(row))) times.set(value, (times.get(value) ?? 0) + 1);
  return [...times].sort((one, other) => other[1] - one[1]);
}
