// One question: what was asked, what there is to hear, and what each run said, the words that were read marked.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LONG = 20000;

function rowOf(task, question) {
  const groups = Object.fromEntries(groupsOf(task, question));
  const [id, options, gold] = [task.ids[question], task.options[question], task.golds[question]];
  return { id, place: question, question: task.questions[question], options, gold, groups };
}

let showing = 0;

function showDetail(question) {
  const detail = byId("detail"),
    task = page.tasks[page.task],
    row = rowOf(task, question);
  const later = { own: ++showing, jobs: [] };
  const beside = el("div", { class: "extras" });
  const answers = el("div", {});
  detail.scrollTop = 0;
  put(
    detail,
    detailHead(row),
    row.question === null
      ? el("p", { class: "note" }, "The question text was not found: make the report again with --data-dir.")
      : row.question
        ? el("h2", { class: "question" }, words(row.question))
        : el("p", { class: "note" }, "The question is in its clip alone."),
    optionsOf(task, row),
    soundOf(row),
    hasMany() ? runTable(task, question, answers) : null,
    answers,
    beside,
  );
  fillAnswers(task, question, answers, later);
  const about = page.first.tasks[page.task];
  later.jobs.push(
    extrasOf(page.task, question).then((extra) => {
      if (later.own !== showing) return;
      put(beside, promptsOf(about, extra));
      const reference = referenceCard(extra.reference);
      if (reference) answers.firstChild.append(reference);
    }),
  );
  untilThere(later);
}

// What is still being unpacked is said to whoever cannot see it come.
function untilThere(later) {
  const detail = byId("detail");
  detail.setAttribute("aria-busy", "true");
  Promise.all(later.jobs).then(() => later.own === showing && detail.setAttribute("aria-busy", "false"));
}

function fillAnswers(task, question, place, later) {
  const runs = hasMany() ? openedRuns(task, question) : task.runs.map((_, run) => run);
  put(
    place,
    el(
      "div",
      { class: `answers n-${runs.length}` },
      runs.map((run) => answersOf(task, question, run, later)),
    ),
  );
}

// Of many runs: those that were opened; else the one that is filtered by, or the baseline and one that differs.
function openedRuns(task, question) {
  if (page.opened) return [...page.opened].sort((one, other) => one - other);
  if (page.filter.run !== "") return [Number(page.filter.run)];
  const own = task.runs[page.base].states[question];
  const differs = task.runs.findIndex((run) => run.states[question] !== own);
  return [page.base, differs < 0 ? page.beside : differs].sort((one, other) => one - other);
}

// All runs of a question, a line each: what each said, and a button that shows it in full.
function runTable(task, question, answers) {
  const lines = task.runs.map((run, number) => {
    const first = run.begin[question];
    const there = first < run.begin[question + 1];
    const open = el(
      "button",
      {
        type: "button",
        class: `open-run ${runClass(number)}`,
        "aria-pressed": String(openedRuns(task, question).includes(number)),
        on: { click: () => toggleRun(task, question, number, answers) },
      },
      fullName(number),
    );
    const choice = there ? choiceOf(task, run, first) : null;
    const mean = (name, shown) => {
      const value = meanOf(task, name, number, question);
      return Number.isNaN(value) ? "\u2013" : shown(value);
    };
    return [
      open,
      [glyphOf(STATES[run.states[question]]), " ", STATES[run.states[question]]],
      choice === null ? "\u2013" : words(choice.slice(0, 200)),
      mean("seconds", (value) => figure(value, 3)),
      mean("tokens", (value) => count(Math.round(value))),
      mean("chain", (value) => count(Math.round(value))),
      mean("rubric", (value) => percent(value, 0)),
    ];
  });
  const judged = lines.some((line) => line.at(-1) !== "\u2013");
  const titles = ["Run", "Verdict", "Choice", "Seconds", "Tokens", "Reasoning, characters", "Rubric, %"];
  const cut = judged ? titles.length : titles.length - 1;
  return table(titles.slice(0, cut), lines.map((line) => line.slice(0, cut)), { class: "runs" });
}

function toggleRun(task, question, run, answers) {
  const opened = new Set(openedRuns(task, question));
  if (opened.has(run)) opened.delete(run);
  else opened.add(run);
  page.opened = opened;
  const buttons = byId("detail").querySelectorAll(".open-run");
  buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(opened.has(place))));
  const later = { own: ++showing, jobs: [] };
  const reference = answers.querySelector(".reference");
  fillAnswers(task, question, answers, later);
  if (reference) answers.firstChild.append(reference);
  untilThere(later);
}

function detailHead(row) {
  const step = (by) => () => select(page.selected + by, true);
  const back = el("button", { type: "button", class: "back", on: { click: closeDetail } }, "\u2190 List");
  const groups = Object.entries(row.groups).map(([heading, value]) =>
    el("span", { class: "chip", title: heading }, seen(value)),
  );
  return el(
    "div",
    { class: "detail-head" },
    el(
      "div",
      { class: "line" },
      back,
      el(
        "button",
        { type: "button", title: "Previous (k)", "aria-label": "Previous", on: { click: step(-1) } },
        "\u2191",
      ),
      el("button", { type: "button", title: "Next (j)", "aria-label": "Next", on: { click: step(1) } }, "\u2193"),
      el("span", { class: "id" }, words(row.id)),
      el("span", { class: "place" }, `${count(page.selected + 1)} of ${count(page.found.length)}`),
    ),
    el("div", { class: "chips" }, groups),
  );
}

function closeDetail() {
  byId("view-samples").classList.remove("open");
  byId("list").focus();
}

function optionsOf(task, row) {
  if (!row.options.length) return null;
  const chosen = task.runs.map((run) => chosenOptions(run, row.place));
  return el(
    "ol",
    { class: "options" },
    row.options.map((option, place) => {
      const right = row.gold !== null && option === row.gold;
      const runs = task.runs.map((_, run) => run).filter((run) => chosen[run].has(place + 1));
      return el(
        "li",
        { class: right ? "gold" : null },
        el("b", { class: "letter" }, LETTERS[place] ?? "\u2022"),
        words(option),
        right ? el("span", { class: "is-gold" }, "correct answer") : null,
        hasMany() && runs.length
          ? el("b", { class: "chip" }, plural(runs.length, "run"))
          : runs.map((run) => el("b", { class: `tag ${runClass(run)}` }, task.runs.length > 1 ? runName(run) : "chosen")),
      );
    }),
  );
}

function chosenOptions(run, question) {
  const chosen = new Set();
  for (let answer = run.begin[question]; answer < run.begin[question + 1]; answer++) chosen.add(run.choice[answer]);
  return chosen;
}

function answersOf(task, question, number, later) {
  const run = task.runs[number];
  const title = task.runs.length > 1 ? el("h3", { class: runClass(number) }, words(fullName(number))) : null;
  const [begin, end] = [run.begin[question], run.begin[question + 1]];
  if (begin === end)
    return el("div", { class: "said" }, title, el("p", { class: "note" }, "This run has no answer to this question."));
  const answers = Array.from({ length: end - begin }, (_, place) => begin + place);
  return el(
    "div",
    { class: "said" },
    title,
    answers.map((answer) => answerOf(task, number, answer, answers.length > 1, later)),
  );
}

function answerOf(task, number, answer, several, later) {
  const run = task.runs[number],
    state = STATES[run.state[answer]];
  const verdict = el(
    "div",
    { class: "verdict" },
    several ? el("span", { class: "note" }, `answer ${run.repeat[answer] + 1}`) : null,
    el("b", { class: `state ${state}` }, `${GLYPH[state]} ${state}`),
  );
  const place = el("div", { class: "answer" }, verdict);
  const job = textsOf(page.task, number, answer).then((text) => {
    if (later.own === showing) fillAnswer(task, run, answer, text, verdict, place);
  });
  later.jobs.push(job);
  return place;
}

function fillAnswer(task, run, answer, text, verdict, place) {
  if (text.error !== undefined) return place.append(el("p", { class: "error" }, words(text.error)));
  const choice = choiceOf(task, run, answer);
  verdict.append(el("span", {}, ...[choice === null ? unread(text) : words(choice, { class: "words choice" })].flat()));
  if (disagrees(run, answer))
    verdict.append(
      el("span", { class: "differs" }, `official script: ${run.official[answer] === 2 ? "right" : "wrong"}`),
    );
  for (const one of text.marks ?? []) verdict.append(el("span", { class: "note" }, markOf(one)));
  if (!run.counted[answer] && run.official[answer] !== 0)
    verdict.append(el("span", { class: "differs" }, "not counted by the official script"));
  return place.append(
    el("p", { class: "how" }, words(readHow(task, run, answer, text))),
    textOf(text),
    ...[sharesOf(text), ...(text.judged ?? []).map(judgedOf)].filter(Boolean),
  );
}

// A scorer of the task, and the mark that it gave.
function markOf([name, mark, waits]) {
  if (waits) return `${name}: waits for a second pass`;
  return mark === null ? `${name}: no answer` : `${name}: ${percent(mark, Number.isInteger(mark) ? 0 : 1)} %`;
}

function unread(one) {
  return one.aside ? ["set aside: ", words(one.aside, { class: "words choice" })] : "no answer was extracted";
}

function readHow(task, run, answer, { clip }) {
  const named = (name) => task.names[name][run[name][answer] - 1];
  const parts = [
    named("how") && `extracted: ${named("how")}`,
    named("level") && `evidence: ${named("level")}`,
    named("finish") && `finish reason: ${named("finish")}`,
    run.tokens[answer] && `${count(run.tokens[answer])} tokens`,
  ];
  if (run.seconds[answer]) parts.push(`${figure(run.seconds[answer])} s`);
  if (clip)
    parts.push(
      `heard ${figure(clip.seconds)} s at ${count(clip.rate)} Hz${clip.rule === "whole" ? "" : `, ${clip.rule}`}`,
    );
  return parts.filter(Boolean).join(" \u00b7 ");
}

// The text as it was written: the chain folded away or not, and the words of the answer marked in either.
function textOf(one) {
  const chain = one.pieces.filter((piece) => piece[0] === "chain"),
    said = one.pieces.filter((piece) => piece[0] === "said");
  const length = chain.reduce((sum, piece) => sum + piece[2].length, 0);
  const fold = el(
    "details",
    { class: "chain", open: true },
    el("summary", {}, `Reasoning, ${plural(length, "character")}`),
    body(chain),
  );
  return el(
    "div",
    {},
    length ? fold : null,
    said.some((piece) => piece[2].trim()) ? body(said) : null,
    one.pieces.length ? null : el("p", { class: "note" }, "The response is empty."),
  );
}

function body(pieces) {
  const place = el("div", { class: "response", dir: "auto" });
  let left = LONG;
  const all = pieces.reduce((sum, piece) => sum + piece[2].length, 0);
  const write = () =>
    put(
      place,
      pieces.map(([, marked, text]) => {
        const part = seen(text.slice(0, Math.max(0, left)));
        left -= text.length;
        return part === "" ? null : marked ? el("mark", {}, part) : document.createTextNode(part);
      }),
    );
  write();
  if (all <= LONG) return place;
  const more = el("button", { type: "button" }, `Show all ${count(all)} characters`);
  more.addEventListener("click", () => {
    left = Infinity;
    write();
    more.remove();
  });
  return el("div", {}, place, more);
}

function sharesOf(one) {
  if (!one.shares) return null;
  return el(
    "div",
    { class: "shares" },
    one.shares.map((share, place) => el("span", {}, el("b", {}, LETTERS[place]), ` ${percent(share)} %`)),
  );
}

function judgedOf(judged) {
  const met = judged.marks.reduce((sum, mark) => sum + mark.met, 0);
  const total = judged.scorer
    ? judged.scorer
    : `${figure(met, 3)} of ${plural(judged.marks.length, "criterion").replace("criterions", "criteria")} met`;
  return el(
    "details",
    { class: "judged", open: true },
    el("summary", {}, "Judge ", words(judged.judge), `: ${total} (${percent(met / judged.marks.length || 0, 0)} %)`),
    el(
      "ul",
      {},
      judged.marks.map((mark) =>
        el(
          "li",
          { class: mark.met >= 0.5 ? "met" : "unmet" },
          el("b", {}, `${percent(mark.met, 0)} % `),
          words(mark.name),
          mark.why ? [": ", words(mark.why)] : null,
        ),
      ),
    ),
  );
}

function foldChains() {
  const folds = [...byId("detail").querySelectorAll("details.chain")];
  const open = folds.some((fold) => fold.open);
  for (const fold of folds) fold.open = !open;
}
