// Searching: questions at once; answers as well where all of them fit into memory, else part by part, with what was
// found so far on the screen.

const KEPT = 48_000_000;
const TOGETHER = 6;
const AGAIN = 400;
const hay = new Map();
let searching = 0;

function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 31);
}

function charactersOf(task) {
  return task.runs.reduce((sum, run) => sum + run.characters, 0);
}

const fitsInMemory = () => page.tasks.reduce((sum, task) => sum + charactersOf(task), 0) <= KEPT;

function questionHay(task) {
  task.hay ??= task.ids.map((id, place) =>
    [id, task.questions[place] ?? "", ...task.options[place], task.golds[place] ?? ""].join("\n").toLowerCase(),
  );
  return task.hay;
}

function jobsOf(task) {
  return task.runs.flatMap((run, number) => run.parts.map((begin, part) => ({ run, number, part, begin })));
}

const hayName = (task, { number, part }) => `text-${task.number}-${number}-${part}`;

async function answerHay(task, job) {
  const id = hayName(task, job);
  if (hay.has(id)) return hay.get(id);
  const list = JSON.parse(new TextDecoder().decode(await unpackedBytes(id)));
  const lower = list.map((one) => (one.pieces ? one.pieces.map((piece) => piece[2]).join("") : one.error).toLowerCase());
  if (fitsInMemory()) hay.set(id, lower);
  return lower;
}

// Calls `show` with a test of questions and the share that was looked through, at least once, at the end with 1.
async function searchAll(task, text, show) {
  const own = ++searching;
  const words = wordsOf(text);
  const all = 2 ** words.length - 1;
  const found = new Uint32Array(task.count);
  const look = (place, one) => {
    for (let word = 0; word < words.length; word++)
      if (!(found[place] & (1 << word)) && one.includes(words[word])) found[place] |= 1 << word;
  };
  questionHay(task).forEach((one, place) => look(place, one));
  const hits = (place) => found[place] === all;
  const jobs = jobsOf(task);
  const missing = jobs.some((job) => !hay.has(hayName(task, job)));
  if (missing) show(hits, 0);
  let since = performance.now();
  for (let done = 0; done < jobs.length; done += TOGETHER) {
    const group = jobs.slice(done, done + TOGETHER);
    const texts = missing ? await Promise.all(group.map((job) => answerHay(task, job))) : group.map((job) => hay.get(hayName(task, job)));
    if (own !== searching) return;
    group.forEach((job, place) =>
      texts[place].forEach((one, answer) => {
        const question = job.run.question[job.begin + answer];
        if (found[question] !== all) look(question, one);
      }),
    );
    if (!missing || performance.now() - since < AGAIN) continue;
    show(hits, done / jobs.length);
    await new Promise((ready) => setTimeout(ready));
    if (own !== searching) return;
    since = performance.now();
  }
  show(hits, 1);
}

function stopSearching() {
  searching++;
}

// While nobody waits, answers that fit into memory are put in lower case.
async function prepareSearch() {
  if (!fitsInMemory()) return;
  const idle = window.requestIdleCallback ?? ((act) => setTimeout(act, 20));
  for (const task of page.tasks) {
    questionHay(task);
    for (const job of jobsOf(task)) {
      await new Promise((ready) => idle(ready));
      await answerHay(task, job);
    }
  }
}
