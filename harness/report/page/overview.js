// The first view: scores with intervals, by group, and what was left unanswered.

function drawOverview() {
  const task = page.first.tasks[page.task];
  if (!task)
    return put(byId("view-overview"), el("p", { class: "note" }, "There is no evaluation in this folder yet."));
  put(
    byId("view-overview"),
    warnings(task),
    headline(task),
    task.compare ? comparison(task) : null,
    task.runs[0].tables.map((one, place) => groupCard(task, one.heading, place)),
    evidence(task),
    lengths(task),
    el("div", { class: "columns" }, paperFigures(task), letters(task)),
    otherGroups(task),
    el("div", { class: "columns" }, missing(task), readings(task)),
    el("div", { class: "columns" }, around(task), costs(task)),
  );
}

function warnings(task) {
  const confounders = (task.compare?.confounders ?? []).map(
    (one) =>
      `The runs differ in ${one.name}: ${one.before} vs ${one.after}. The difference in score is not due to the models alone.`,
  );
  const lines = [...confounders.map((text) => ["warn", text]), ...task.notes.map((text) => ["note", text])];
  task.runs.forEach((run, place) =>
    run.notes.forEach((text) => lines.push(["note", `${task.runs.length > 1 ? `${runName(place)}: ` : ""}${text}`])),
  );
  return lines.length
    ? el(
        "div",
        { class: "notes" },
        lines.map(([kind, text]) => el("p", { class: kind }, words(text))),
      )
    : null;
}

function headline(task) {
  return el(
    "div",
    { class: "headline" },
    task.runs.map((run, place) => {
      const label = task.runs.length > 1 ? `${runName(place)} \u00b7 ` : "";
      return el(
        "section",
        { class: `card score run-${RUNS[place]}` },
        el("h2", {}, label, words(page.first.runs[place].name)),
        scoreLine(run, "official", "official script", run.official.counted, place),
        scoreLine(run, "strict", "strict scoring", run.strict.n, place),
        el("div", { class: "counts" }, counts(run)),
      );
    }),
  );
}

function scoreLine(run, kind, label, n, place) {
  const part = run[kind],
    range = run.clustered?.[kind] ?? part;
  const shown =
    part.accuracy === null
      ? el("b", { class: "big none" }, "none")
      : el(
          "b",
          { class: kind === "official" ? "big" : "big second" },
          percent(part.accuracy, kind === "official" ? 2 : 1),
          el("small", {}, " %"),
        );
  const about = part.accuracy === null ? "no accuracy" : `${count(part.correct)} of ${count(n)}`;
  const under =
    part.accuracy === null ? "" : `95 % interval ${between(range)}${run.clustered?.[kind] ? ", by clip" : ""}`;
  return el(
    "div",
    { class: "score-line" },
    el("div", {}, el("span", { class: "kind" }, label), shown),
    el(
      "div",
      { class: "beside" },
      shareBar({ share: part.accuracy, low: range.low, high: range.high }, place),
      el("span", { class: "note" }, `${about}; ${under}`),
    ),
  );
}

function counts(run) {
  const cut = run.finish_reasons.length ?? 0;
  const all = [
    ["unanswered", run.unanswered, { state: "unanswered" }],
    ["failed", run.failed, { state: "failed" }],
    ["cut off", cut, { finish: "length" }],
    ["not asked", run.missing, null],
    ["not counted", run.dropped, null],
  ];
  return all
    .filter(([name, n]) => n || name === "unanswered" || name === "failed")
    .map(([name, n, filter]) =>
      filter && n
        ? el(
            "button",
            { type: "button", class: "count", on: { click: () => showOnly(filter) } },
            el("b", {}, count(n)),
            ` ${name}`,
          )
        : el("span", { class: "count" }, el("b", {}, count(n)), ` ${name}`),
    );
}

function comparison(task) {
  const one = task.compare;
  if (!one.n)
    return card(
      "Run 2 compared with run 1",
      null,
      el("p", { class: "warn" }, "No question is answered in both runs, so there is nothing to compare."),
    );
  const left = [
    ["only in run 1", one.only_before],
    ["only in run 2", one.only_after],
  ]
    .filter(([, n]) => n)
    .map(([name, n]) => `${plural(n, "question")} ${name}, left out. `);
  const button = (wanted, n, text) =>
    el(
      "button",
      { type: "button", class: "count", on: { click: () => showOnly({ change: wanted }) } },
      el("b", { class: wanted }, count(n)),
      ` ${text}`,
    );
  const sure = one.low > 0 || one.high < 0;
  return card(
    "Run 2 compared with run 1, question by question",
    `${count(one.n)} questions in common; official score. ${left.join("")}`,
    el(
      "div",
      { class: "difference" },
      el(
        "b",
        { class: `big ${sure ? (one.difference > 0 ? "better" : "worse") : ""}` },
        signed(one.difference),
        el("small", {}, " points"),
      ),
      el(
        "span",
        {},
        `95 % interval ${signed(one.low)} to ${signed(one.high)}; McNemar p = ${figure(one.p)}. `,
        sure ? "" : "This could be chance. ",
        `${plural(one.n, "question")} detect a difference of ${percent(one.minimum_detectable)} points with 80 % power.`,
      ),
    ),
    el(
      "div",
      { class: "counts" },
      button("better", one.better, "better in run 2"),
      button("worse", one.worse, "worse in run 2"),
      button("same", one.n - one.better - one.worse, "unchanged"),
    ),
  );
}

function groupCard(task, heading, place) {
  const values = [...new Set(task.runs.flatMap((run) => (run.tables[place]?.rows ?? []).map((row) => row.value)))];
  if (!values.length) return null;
  const rows = values.map((value) => groupRow(task, heading, value, place));
  const note = "Bars: official score with its 95 % interval; tick: strict score. Click a group to see its samples.";
  return card(`By ${seen(heading)}`, note, el("div", { class: "groups" }, rows));
}

function groupRow(task, heading, value, place) {
  const parts = task.runs
    .map((run) => (run.tables[place]?.rows ?? []).find((other) => other.value === value))
    .map((part, run) => [part, run])
    .filter(([part]) => part);
  const simple = task.headings.includes(heading);
  const change = task.compare?.groups.find((one) => one.heading === heading && one.value === value);
  const lines = parts.map(([part, run]) =>
    el(
      "div",
      { class: `group-bar run-${RUNS[run]}` },
      shareBar(part.official, run, part.strict.share),
      el("span", { class: "number" }, percent(part.official.share)),
      el("span", { class: "note" }, `${between(part.official)}`),
      el("span", { class: "n" }, `n ${count(part.official.n)}`),
    ),
  );
  const told =
    change && change.p_adjusted < 0.05
      ? el(
          "span",
          { class: change.difference > 0 ? "better" : "worse" },
          `${signed(change.difference)} points, adjusted p = ${figure(change.p_adjusted)}`,
        )
      : null;
  const name = simple
    ? el(
        "button",
        { type: "button", class: "name", on: { click: () => showOnly({ groups: { [heading]: value } }) } },
        seen(value),
      )
    : el("span", { class: "name" }, seen(value));
  return el("div", { class: "group" }, el("div", {}, name, told), el("div", { class: "group-bars" }, lines));
}

function lengths(task) {
  const series = task.runs.map((run, place) => ({ run: place, bins: run.lengths })).filter((one) => one.bins.length);
  const note = "Each point is an eighth of the answers that have reasoning, with the 95 % interval of their strict score.";
  if (series.length) return card("Accuracy by length of reasoning, %", note, lengthChart(series));
  return task.runs.some((run) => run.chains.n)
    ? card(
        "Accuracy by length of reasoning",
        null,
        el("p", { class: "note" }, "Too few answers with reasoning to say anything."),
      )
    : null;
}

function missing(task) {
  const parts = task.runs.map((run, place) => {
    const title = task.runs.length > 1 ? el("h3", { class: `run-${RUNS[place]}` }, runName(place)) : null;
    const lines = [
      ...run.unread.map((one) => [
        words(one.name),
        "no answer",
        link(one.n, { how: one.name, state: "unanswered" }),
      ]),
      ...run.errors.map((one) => [words(one.name), "failed", link(one.n, { state: "failed" })]),
      ...(run.missing ? [["", "not asked yet", count(run.missing)]] : []),
      ...(run.finish_reasons.length
        ? [["the answer reached the token limit", "cut off", link(run.finish_reasons.length, { finish: "length" })]]
        : []),
      ...Object.entries(run.dropped_why).map(([why, n]) => [words(why), "not counted by the script", count(n)]),
    ];
    return [
      title,
      lines.length
        ? table(["Reason", "State", "Answers"], lines)
        : el("p", { class: "note" }, "Every question is answered."),
    ];
  });
  return card("Unanswered questions", null, parts);
}

function link(n, filter) {
  return el("button", { type: "button", class: "link", on: { click: () => showOnly(filter) } }, count(n));
}

// The evidence of answers: a reader sees which level to trust, and what another threshold would count.
function evidence(task) {
  const runs = task.runs.map((run, place) => ({ run, place })).filter(({ run }) => run.levels.length);
  if (!runs.length) return null;
  const note =
    "How clearly a response names its option, the clearest level first. An option with weaker evidence than the run's " +
    "--min-evidence is set aside: it counts as unanswered, and its row shows how often it would have been correct.";
  const parts = runs.map(({ run, place }) => {
    const title = task.runs.length > 1 ? el("h3", { class: `run-${RUNS[place]}` }, runName(place)) : null;
    const lines = run.levels.map((one) => [
      one.level,
      one.counts ? "counted" : "set aside",
      link(one.n, { level: one.level, run: task.runs.length > 1 ? String(place) : "" }),
      count(one.correct),
      percent(one.share),
      one.share === null ? "" : el("div", { class: "level-bar" }, shareBar(one, place)),
    ]);
    return [title, table(["Evidence", "", "Answers", "Correct", "Correct, %", "95 % interval"], lines, { class: "levels" })];
  });
  return card("Evidence for the answers", note, parts);
}

function readings(task) {
  const names = [...new Set(task.runs.flatMap((run) => run.how.map((one) => one.name)))];
  if (!names.length) return card("How answers were extracted", null, el("p", { class: "note" }, "No answer was extracted."));
  const cells = (run, name) => {
    const one = run.how.find((other) => other.name === name);
    return [one ? link(one.n, { how: name }) : "\u2013", one && task.known ? percent(one.right / one.n, 0) : "\u2013"];
  };
  const titles = task.runs.flatMap((_, place) =>
    task.runs.length > 1 ? [runName(place), "correct, %"] : ["Answers", "Correct, %"],
  );
  return card(
    "How answers were extracted",
    null,
    table(
      ["Rule", ...titles],
      names.map((name) => [words(name), ...task.runs.flatMap((run) => cells(run, name))]),
    ),
  );
}
