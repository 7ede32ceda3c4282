// Which questions are listed, and in which order: loops over columns, so that many runs cost no more than few.

const FIELDS = ["state", "run", "change", "how", "level", "finish", "rubric", "sort"];
const RUBRICS = {
  none: ["not judged", (score) => Number.isNaN(score)],
  zero: ["no criterion met", (score) => score === 0],
  low: ["below half met", (score) => score > 0 && score < 0.5],
  half: ["half or more met", (score) => score >= 0.5 && score < 1],
  all: ["all criteria met", (score) => score >= 1],
};

function emptyFilter() {
  return { words: "", groups: {}, ...Object.fromEntries(FIELDS.map((name) => [name, ""])) };
}

function filtered(task, wanted, hits) {
  const groups = wantedGroups(task, wanted.groups);
  const fits = answerTest(task, wanted);
  const only = wanted.run === "" ? null : Number(wanted.run);
  const found = [];
  for (let place = 0; place < task.count; place++) {
    if (hits && !hits(place)) continue;
    if (!groups.every(({ column, value }) => column[place] === value)) continue;
    if (wanted.change && !changed(task, place, wanted.change, only)) continue;
    if (fits === null ? only === null || task.runs[only].states[place] !== NONE : anyFits(task, place, only, fits))
      found.push(place);
  }
  return sorted(task, found, wanted);
}

function wantedGroups(task, groups) {
  return Object.entries(groups)
    .filter(([, value]) => value !== "")
    .map(([heading, value]) => {
      const group = task.groups.find((one) => one.heading === heading);
      return group
        ? { column: group.column, value: group.values.indexOf(value) + 1 || -1 }
        : { column: [], value: -1 };
    });
}

function anyFits(task, place, only, fits) {
  const from = only ?? 0,
    to = only ?? task.runs.length - 1;
  for (let number = from; number <= to; number++) {
    const run = task.runs[number];
    for (let answer = run.begin[place]; answer < run.begin[place + 1]; answer++) if (fits(run, answer)) return true;
  }
  return false;
}

// What an answer has to meet; null where nothing is asked of it.
function answerTest(task, wanted) {
  const tests = [];
  for (const name of ["how", "level", "finish"]) {
    if (!wanted[name]) continue;
    const number = task.names[name].indexOf(wanted[name]) + 1;
    tests.push((run, answer) => number > 0 && run[name][answer] === number);
  }
  if (wanted.state === "disagrees") tests.push(disagrees);
  else if (wanted.state) {
    const state = STATES.indexOf(wanted.state);
    tests.push((run, answer) => run.state[answer] === state);
  }
  const rubric = RUBRICS[wanted.rubric]?.[1];
  if (rubric) tests.push((run, answer) => rubric(run.rubric[answer]));
  if (!tests.length) return null;
  return (run, answer) => tests.every((test) => test(run, answer));
}

function changed(task, place, wanted, only) {
  const one = only === null || only === page.base ? null : task.runs[only].change[place];
  const better = one === null ? task.better[place] > 0 : one > 0;
  const worse = one === null ? task.worse[place] > 0 : one < 0;
  if (wanted === "better") return better;
  if (wanted === "worse") return worse;
  return (better || worse) === (wanted === "flipped");
}

// A sign before the name of a column turns its order around.
function sorted(task, found, wanted) {
  const name = wanted.sort || (task.runs.length > 1 ? "flips" : "data");
  if (name === "data") return found;
  const down = name.startsWith("-");
  const keys = sortKeys(task, down ? name.slice(1) : name, wanted.run === "" ? null : Number(wanted.run));
  if (!keys) return found;
  const by = down ? -1 : 1;
  return found.sort((one, other) => {
    const [a, b] = [keys[one], keys[other]];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return one - other;
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
    return by * (a - b);
  });
}

function sortKeys(task, name, only) {
  if (name === "data") return task.every;
  if (name === "flips") return Float64Array.from(task.every, (place) => flipRank(task, place));
  if (name === "changes") return Float64Array.from(task.every, (place) => task.better[place] + task.worse[place]);
  if (name === "id") return ranks(task, "id", (place) => task.ids[place]);
  if (name.startsWith("group:")) {
    const group = task.groups.find((one) => one.heading === name.slice(6));
    return group ? ranks(task, name, (place) => group.values[group.column[place] - 1] ?? "") : null;
  }
  if (name.startsWith("verdict:")) return task.runs[Number(name.slice(8)) - 1]?.states ?? null;
  return ["seconds", "tokens", "chain", "rubric"].includes(name) ? meansOf(task, name, only) : null;
}

// What got worse first, the more runs the earlier; then what got better.
function flipRank(task, place) {
  if (task.worse[place]) return -task.worse[place] - 100000;
  return task.better[place] ? -task.better[place] : 1;
}

const collator = new Intl.Collator("en", { numeric: true });

function ranks(task, name, textOf) {
  task.ranks ??= {};
  if (!task.ranks[name]) {
    const texts = Array.from(task.every, textOf);
    const order = Array.from(task.every).sort((one, other) => collator.compare(texts[one], texts[other]));
    const keys = new Float64Array(task.count);
    order.forEach((place, rank) => {
      keys[place] = rank && texts[order[rank - 1]] === texts[place] ? keys[order[rank - 1]] : rank;
    });
    task.ranks[name] = keys;
  }
  return task.ranks[name];
}

// The mean of a column over the answers to each question, of one run or of all.
function meansOf(task, name, only) {
  const means = new Float64Array(task.count);
  for (let place = 0; place < task.count; place++) means[place] = meanOf(task, name, only, place);
  return means;
}

function meanOf(task, name, only, place) {
  let sum = 0,
    n = 0;
  for (let number = only ?? 0; number <= (only ?? task.runs.length - 1); number++) {
    const run = task.runs[number];
    for (let answer = run.begin[place]; answer < run.begin[place + 1]; answer++) {
      const value = run[name][answer];
      if (Number.isNaN(value)) continue;
      sum += value;
      n++;
    }
  }
  return n ? sum / n : NaN;
}
