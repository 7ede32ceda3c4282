// The samples: columns of numbers, one entry an answer, looked at by plain loops. No object stands for an answer.

const page = {
  first: null,
  tasks: [],
  clips: {},
  task: 0,
  view: "overview",
  found: [],
  selected: -1,
  filter: null,
  base: 0,
  beside: 0,
  opened: null,
};
const GLYPH = {
  right: "\u2713",
  wrong: "\u2717",
  unanswered: "\u2205",
  failed: "!",
  answered: "\u25cf",
  mixed: "\u00bd",
  none: "\u00b7",
};
const OTHER = 65536;
let STATES = [];
let RIGHT = -1;
let MIXED = -1;
let NONE = -1;

async function loadSamples() {
  const { header, column } = await unpackedColumns("samples");
  page.clips = header.clips;
  STATES = [...header.states, "mixed", "none"];
  [RIGHT, MIXED, NONE] = ["right", "mixed", "none"].map((state) => STATES.indexOf(state));
  page.tasks = header.tasks.map((task, place) => readTask(task, column, place));
  page.filter = emptyFilter();
}

function readTask(task, column, number) {
  const count = task.ids.length;
  const read = { ...task, number, count, every: Uint32Array.from({ length: count }, (_, place) => place) };
  read.groups = task.groups.map((group) => ({ ...group, column: column(group.column) }));
  read.runs = task.runs.map((run) => {
    const columns = Object.entries(run).map(([name, place]) => [name, place?.kind ? column(place) : place]);
    return byQuestion(Object.fromEntries(columns), count);
  });
  compareWithBase(read);
  return read;
}

// Of each question: where its answers begin, what became of it, and the mean of its official marks.
function byQuestion(run, count) {
  const { question, state, official, mark } = run;
  const begin = new Uint32Array(count + 1);
  for (const place of question) begin[place + 1]++;
  for (let place = 0; place < count; place++) begin[place + 1] += begin[place];
  const states = new Uint8Array(count).fill(NONE),
    share = new Float32Array(count).fill(NaN);
  for (let place = 0; place < count; place++) {
    let given = 0,
      correct = 0;
    for (let answer = begin[place]; answer < begin[place + 1]; answer++) {
      const one = state[answer];
      states[place] = states[place] === NONE || states[place] === one ? one : MIXED;
      if (STATES[one] === "failed" || official[answer] === 0) continue;
      given++;
      if (!Number.isNaN(mark[answer])) correct += mark[answer];
    }
    if (given) share[place] = correct / given;
  }
  return { ...run, begin, states, share, change: new Int8Array(count) };
}

// Which verdicts are others than the baseline's: of each run, and how many of them are better and worse.
function compareWithBase(task) {
  const base = task.runs[page.base]?.share;
  task.better = new Uint16Array(task.count);
  task.worse = new Uint16Array(task.count);
  for (const run of task.runs) {
    for (let place = 0; place < task.count; place++) {
      const by = Math.sign(run.share[place] - base[place]) || 0;
      run.change[place] = by;
      if (by > 0) task.better[place]++;
      else if (by < 0) task.worse[place]++;
    }
  }
}

// Whether the benchmark's script and the strict score judge an answer differently.
function disagrees(run, answer) {
  return run.official[answer] !== 0 && (run.official[answer] === 2) !== (run.state[answer] === RIGHT);
}

function groupsOf(task, place) {
  return task.groups
    .filter(({ column }) => column[place])
    .map(({ heading, values, column }) => [heading, values[column[place] - 1]]);
}

function choiceOf(task, run, answer) {
  const number = run.choice[answer];
  if (!number) return null;
  return number < OTHER ? task.options[run.question[answer]][number - 1] : task.names.other[number - OTHER - 1];
}

// How often each value of a column comes, questions counted, the most frequent first.
function tallied(task, name) {
  const names = task.names[name];
  const times = new Uint32Array(names.length + 1),
    last = new Int32Array(names.length + 1).fill(-1);
  for (let place = 0; place < task.count; place++) {
    for (const run of task.runs) {
      for (let answer = run.begin[place]; answer < run.begin[place + 1]; answer++) {
        const value = run[name][answer];
        if (last[value] !== place) times[value]++;
        last[value] = place;
      }
    }
  }
  return ranked(names, times);
}

function ranked(names, times) {
  return names
    .map((value, place) => [value, times[place + 1]])
    .filter(([, n]) => n)
    .sort((one, other) => other[1] - one[1]);
}
