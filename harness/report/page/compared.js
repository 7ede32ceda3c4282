// Runs compared question by question with a baseline, which the reader chooses.

// The pairs that the baseline is part of, each seen from the baseline.
function pairsWithBase(task) {
  return task.pairs
    .filter((pair) => pair.before === page.base || pair.after === page.base)
    .map((pair) => {
      const turned = pair.after === page.base;
      const sign = turned ? -1 : 1;
      const [low, high] = turned ? [-pair.high, -pair.low] : [pair.low, pair.high];
      return {
        pair,
        other: turned ? pair.before : pair.after,
        n: pair.n,
        difference: sign * pair.difference,
        low,
        high,
        p: turned ? pair.p_after : pair.p_before,
        better: turned ? pair.worse : pair.better,
        worse: turned ? pair.better : pair.worse,
        onlyBase: turned ? pair.only_after : pair.only_before,
        onlyOther: turned ? pair.only_before : pair.only_after,
        detectable: pair.minimum_detectable,
        groups: pair.groups.map((one) => ({ ...one, difference: sign * one.difference })),
      };
    });
}

function comparison(task) {
  const pairs = pairsWithBase(task);
  if (!pairs.length) return null;
  const base = el("label", { class: "base" }, "Baseline ", runSelect("Baseline", page.base, setBase));
  return pairs.length === 1 ? compareTwo(pairs[0], base) : compareMany(pairs, base);
}

function compareTwo(one, base) {
  const [before, after] = [runName(page.base).toLowerCase(), runName(one.other).toLowerCase()];
  const title = `${runName(one.other)} compared with ${before}`;
  if (!one.n)
    return card(
      title,
      null,
      base,
      el("p", { class: "warn" }, "No question is answered in both runs, so there is nothing to compare."),
    );
  return card(
    `${title}, question by question`,
    `${count(one.n)} questions in common; official score. ${leftOut(one, before, after)}`,
    base,
    el(
      "div",
      { class: "difference" },
      el(
        "b",
        { class: `big ${isSure(one) ? (one.difference > 0 ? "better" : "worse") : ""}` },
        signed(one.difference),
        el("small", {}, " points"),
      ),
      el(
        "span",
        {},
        `95 % interval ${signed(one.low)} to ${signed(one.high)}; McNemar p = ${figure(one.p)}. `,
        isSure(one) ? "" : "This could be chance. ",
        `${plural(one.n, "question")} detect a difference of ${percent(one.detectable)} points with 80 % power.`,
      ),
    ),
    el(
      "div",
      { class: "counts" },
      changeButton("better", one.better, `better in ${after}`, {}),
      changeButton("worse", one.worse, `worse in ${after}`, {}),
      changeButton("same", one.n - one.better - one.worse, "unchanged", {}),
    ),
  );
}

const isSure = (one) => one.low > 0 || one.high < 0;

function leftOut(one, before, after) {
  return [
    [`only in ${before}`, one.onlyBase],
    [`only in ${after}`, one.onlyOther],
  ]
    .filter(([, n]) => n)
    .map(([name, n]) => `${plural(n, "question")} ${name}, left out. `)
    .join("");
}

function changeButton(wanted, n, text, more) {
  return el(
    "button",
    { type: "button", class: "count", on: { click: () => showOnly({ change: wanted, ...more }) } },
    el("b", { class: wanted }, count(n)),
    text ? ` ${text}` : null,
  );
}

function compareMany(pairs, base) {
  const lines = pairs.map((one) => {
    const only = { run: String(one.other) };
    return [
      runCell(one.other),
      el("b", { class: isSure(one) ? (one.difference > 0 ? "better" : "worse") : null }, one.n ? signed(one.difference) : "\u2013"),
      one.n ? `${signed(one.low)} to ${signed(one.high)}` : "",
      one.n ? figure(one.p) : "\u2013",
      changeButton("better", one.better, null, only),
      changeButton("worse", one.worse, null, only),
      [count(one.n), one.onlyBase + one.onlyOther ? el("span", { class: "note" }, ` (${count(one.onlyBase + one.onlyOther)} left out)`) : null],
    ];
  });
  const titles = ["Run", "Difference, points", "95 % interval", "Adjusted p", "Better", "Worse", "Questions in common"];
  return card(
    `Each run compared with ${runName(page.base).toLowerCase()}, question by question`,
    "Official score on the questions that both answered. Coloured where the interval excludes 0; McNemar p after Holm's correction for the number of runs.",
    base,
    table(titles, lines, { class: "compared" }),
  );
}
