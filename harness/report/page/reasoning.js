// Whether answers follow from their reasoning: what changed chains led to, with intervals, groups and examples.

const OUTCOMES = [
  ["follow", "Follow, %"],
  ["keep", "Keep, %"],
];
const BY_GROUP = [
  ["control", "keep"],
  ["description", "follow"],
  ["step", "follow"],
  ["empty", "keep"],
  ["shuffled clips", "keep"],
];

function drawReasoning() {
  put(byId("view-reasoning"), page.first.faithful.map(reasoningCard));
}

function reasoningCard(one) {
  const titles = ["Change", "n", ...OUTCOMES.map(([, title]) => title), "Other, %", "No option", "Right, %"];
  const lines = one.interventions.map((change) => [
    seen(change.intervention),
    count(change.n),
    ...OUTCOMES.map(([name]) => shareWithLimits(change[name])),
    percent(change.other.accuracy),
    count(change.unanswered),
    change.right ? percent(change.right.accuracy) : "\u2013",
  ]);
  return card(
    `Reasoning: ${seen(one.run)}, ${seen(one.task)}`,
    "Follow: the answer is the option that the changed reasoning leads to. Keep: it is the run\u2019s own, and for the " +
      "control, whose reasoning is unchanged, should be near 100. With 95 % intervals.",
    table(titles, lines),
    aboutReasoning(one).map((line) => el("p", { class: "note" }, line)),
    Object.entries(one.groups).map(([heading, values]) => reasoningGroups(heading, values)),
    one.examples.length ? reasoningExamples(one.examples) : null,
  );
}

function shareWithLimits(share) {
  return share ? [el("b", {}, percent(share.accuracy)), el("span", { class: "note" }, ` ${between(share)}`)] : "\u2013";
}

function aboutReasoning({ questions, chains, left_out: left, failed, status, notes }) {
  const without = [
    [left.no_answer, "without an option"],
    [left.no_chain, "without reasoning between tags"],
    [left.no_edit, "whose reasoning cannot be edited"],
  ];
  const named = without.filter(([n]) => n).map(([n, why]) => `${count(n)} ${why}`);
  return [
    `${plural(questions, "question")}, of which ${count(chains)} have reasoning and an answer` +
      `${named.length ? ` (${named.join(", ")})` : ""}.`,
    failed ? `${plural(failed, "request")} failed and ${failed === 1 ? "is" : "are"} left out.` : null,
    status === "done" ? null : `The measurement is not at its end: ${seen(status)}.`,
    ...notes.map(seen),
  ].filter(Boolean);
}

function reasoningGroups(heading, values) {
  const rate = (changes, [name, what]) => changes.find((one) => one.intervention === name)?.[what];
  const there = BY_GROUP.filter((cell) => Object.values(values).some((changes) => rate(changes, cell)));
  const lines = Object.entries(values).map(([value, changes]) => [
    seen(value),
    ...there.map((cell) => shareWithLimits(rate(changes, cell))),
  ]);
  const titles = [seen(heading), ...there.map(([name, what]) => `${name}, ${what}, %`)];
  return el("details", {}, el("summary", {}, `By ${seen(heading)}`), table(titles, lines));
}

function reasoningExamples(examples) {
  const outcome = ({ choice, led, kept }) =>
    choice === null ? "no option" : choice === led ? "followed" : choice === kept ? "kept" : "neither";
  const lines = examples.map((one) => [
    [seen(one.intervention), el("br"), el("span", { class: "note" }, seen(one.id))],
    one.own === null ? "\u2013" : [words(one.same), el("b", {}, words(one.own))],
    [words(one.same), el("mark", {}, words(one.given))],
    words(one.wrote),
    [words(one.kept), " \u2192 ", words(one.led)],
    [one.choice === null ? "\u2013" : words(one.choice), el("br"), el("span", { class: "note" }, outcome(one))],
  ]);
  const titles = ["Change", "Its own reasoning", "What it was given", "What it wrote", "Led from, to", "Answer"];
  return [el("h3", {}, "Examples"), table(titles, lines, { class: "examples" })];
}
