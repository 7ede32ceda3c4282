// One question: what was asked, what there is to hear, and what each run said, the words that were read marked.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LONG = 20000;

function showDetail(row) {
  const detail = byId("detail");
  detail.scrollTop = 0;
  put(
    detail,
    detailHead(row),
    row.question === null
      ? el("p", { class: "note" }, "The question text was not found: make the report again with --data-dir.")
      : el("p", { class: "question" }, words(row.question)),
    optionsOf(row),
    soundOf(row),
    el(
      "div",
      { class: `answers n-${row.runs.length}` },
      row.runs.map((answers, run) => answersOf(row, answers, run)),
    ),
  );
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

function optionsOf(row) {
  if (!row.options.length) return null;
  return el(
    "ol",
    { class: "options" },
    row.options.map((option, place) => {
      const right = row.gold !== null && option === row.gold;
      const chosen = row.runs
        .map((answers, run) => (answers.some((one) => one.choice === option) ? run : -1))
        .filter((run) => run >= 0);
      const tags = chosen.map((run) =>
        el("b", { class: `tag run-${RUNS[run]}` }, row.runs.length > 1 ? runName(run) : "chosen"),
      );
      return el(
        "li",
        { class: right ? "gold" : null },
        el("b", { class: "letter" }, LETTERS[place] ?? "\u2022"),
        words(option),
        right ? el("span", { class: "is-gold" }, "correct answer") : null,
        tags,
      );
    }),
  );
}

function answersOf(row, answers, run) {
  const title =
    page.first.runs.length > 1
      ? el("h3", { class: `run-${RUNS[run]}` }, `${runName(run)} \u00b7 `, words(page.first.runs[run].name))
      : null;
  if (!answers.length)
    return el("div", { class: "said" }, title, el("p", { class: "note" }, "This run has no answer to this question."));
  return el(
    "div",
    { class: "said" },
    title,
    answers.map((one) => answerOf(one, answers.length > 1)),
  );
}

function answerOf(one, several) {
  const verdict = el(
    "div",
    { class: "verdict" },
    several ? el("span", { class: "note" }, `answer ${one.repeat + 1}`) : null,
    el("b", { class: `state ${one.state}` }, `${GLYPH[one.state]} ${one.state}`),
  );
  if (one.state === "failed")
    return el("div", { class: "answer" }, verdict, el("p", { class: "error" }, words(one.error)));
  verdict.append(
    el("span", {}, one.choice === null ? unread(one) : words(one.choice, { class: "words choice" })),
  );
  if (disagrees(one))
    verdict.append(el("span", { class: "differs" }, `official script: ${one.official ? "right" : "wrong"}`));
  if (!one.counted) verdict.append(el("span", { class: "differs" }, "not counted by the official script"));
  return el(
    "div",
    { class: "answer" },
    verdict,
    el("p", { class: "how" }, words(readHow(one))),
    textOf(one),
    sharesOf(one),
    (one.judged ?? []).map(judgedOf),
  );
}

function unread(one) {
  return one.aside ? ["set aside: ", words(one.aside, { class: "words choice" })] : "no answer was extracted";
}

function readHow(one) {
  const parts = [
    one.how && `extracted: ${one.how}`,
    one.level && `evidence: ${one.level}`,
    one.finish && `finish reason: ${one.finish}`,
    one.tokens && `${count(one.tokens)} tokens`,
  ];
  if (one.seconds) parts.push(`${figure(one.seconds)} s`);
  if (one.clip)
    parts.push(
      `heard ${figure(one.clip.seconds)} s at ${count(one.clip.rate)} Hz${one.clip.rule === "whole" ? "" : `, ${one.clip.rule}`}`,
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
  return el(
    "details",
    { class: "judged" },
    el("summary", {}, "Judge ", words(judged.judge), `: ${judged.marks.map((mark) => figure(mark.met)).join(", ")}`),
    el(
      "ul",
      {},
      judged.marks.map((mark) =>
        el(
          "li",
          {},
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
