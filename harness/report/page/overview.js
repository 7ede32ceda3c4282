// The first view: scores with intervals, by group, and what was left unanswered.

function drawOverview() {
  const task = page.first.tasks[page.task];
  if (!task)
    return put(byId("view-overview"), el("p", { class: "note" }, "There is no evaluation in this folder yet."));
  put(
    byId("view-overview"),
    warnings(task),
    hasMany() ? null : headline(task),
    matrix(task),
    comparison(task),
    historyCard(task),
    besideCard(task),
    tableHeadings(task).map((heading) => groupCard(task, heading)),
    evidence(task),
    lengths(task),
    el("div", { class: "columns" }, paperFigures(task), letters(task)),
    otherGroups(task),
    bySound(task),
    el("div", { class: "columns" }, missing(task), readings(task)),
    el("div", { class: "columns" }, around(task), costs(task)),
  );
}

function tableHeadings(task) {
  return [...new Set(task.runs.flatMap((run) => run.tables.map((one) => one.heading)))];
}

function tableRow(run, heading, value) {
  return run.tables.find((one) => one.heading === heading)?.rows.find((row) => row.value === value);
}

// Of many runs, the one whose details stand beside the baseline's.
function besideCard(task) {
  if (!hasMany()) return null;
  const choose = (run) => {
    page.beside = run;
    drawOverview();
  };
  return card(
    "Details",
    "What follows shows the baseline and one more run.",
    el("div", { class: "counts" }, runName(page.base), " beside ", runSelect("Details of", page.beside, choose)),
  );
}

const SHOWN_NOTES = 8;

function warnings(task) {
  const confounders = pairsWithBase(task).flatMap(({ pair, other }) =>
    pair.confounders.map((one) => {
      const who = task.runs.length > 2 ? `${runName(pair.before)} and ${runName(pair.after).toLowerCase()} differ` : "The runs differ";
      return [
        "warn",
        `${who} in ${one.name}: ${one.before} vs ${one.after}. The difference in score is not due to the models alone.`,
        other,
      ];
    }),
  );
  const lines = [...confounders, ...[...page.first.notes, ...task.notes].map((text) => ["note", text])];
  task.runs.forEach((run, place) =>
    run.notes.forEach((text) => lines.push(["note", `${task.runs.length > 1 ? `${runName(place)}: ` : ""}${text}`])),
  );
  const shown = lines.map(([kind, text]) => el("p", { class: kind }, words(text)));
  const more = shown.splice(shown.length > SHOWN_NOTES + 1 ? SHOWN_NOTES : shown.length);
  if (!shown.length) return null;
  return el(
    "div",
    { class: "notes" },
    shown,
    more.length ? el("details", {}, el("summary", {}, `${count(more.length)} more notes`), more) : null,
  );
}

function headline(task) {
  return el(
    "div",
    { class: "headline" },
    task.runs.map((run, place) => {
      const label = task.runs.length > 1 ? `${runName(place)} \u00b7 ` : "";
      const { official, strict } = run;
      const alike = scoresAgree(run);
      const section = el(
        "section",
        { class: `card score ${runClass(place)}` },
        el("h2", {}, label, words(page.first.runs[place].name)),
        scoreLine(run, "official", alike ? "accuracy" : "official script", official.counted, place),
        alike ? null : scoreLine(run, "strict", "strict scoring", strict.n, place),
        official.accuracy === null ? null : el("div", { class: "score-axis" }, barAxis(run.chance_corrected?.chance)),
        alike
          ? official.accuracy === null
            ? null
            : el("p", { class: "note" }, "The official script and strict scoring give the same score.")
          : el("p", { class: "note" }, "Strict scoring counts every question and guesses nothing."),
        scorersOf(run),
        el("div", { class: "counts" }, counts(run, place)),
      );
      return savable(section, `Score of ${fullName(place)}`);
    }),
  );
}

// The mean mark of each scorer of a task that names several, or whose marks wait.
function scorersOf(run) {
  const each = Object.entries(run.scorers ?? {});
  if (each.length < 2 && each.every(([, one]) => !one.waiting)) return null;
  const rows = each.map(([name, one]) => [
    words(name),
    one.mean === null ? "\u2013" : percent(one.mean, 2),
    one.mean === null ? "\u2013" : between(one),
    count(one.n),
    one.waiting ? count(one.waiting) : "\u2013",
  ]);
  return table(["Scorer", "Mean mark, %", "95 % interval", "Answers", "Waiting"], rows, { class: "scorers" });
}

// Two scores that are one are shown once.
function scoresAgree({ official, strict }) {
  return official.correct === strict.correct && official.counted === strict.n && official.accuracy === strict.accuracy;
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
          percent(part.accuracy, 2),
          el("small", {}, " %"),
        );
  const partly = part.accuracy !== null && Math.abs(part.correct - part.accuracy * n) > 1e-6;
  const fully = partly ? " fully right" : "";
  const about = part.accuracy === null ? "no accuracy" : `${count(part.correct)} of ${count(n)}${fully}`;
  const under =
    part.accuracy === null ? "" : `95 % interval ${between(range)}${run.clustered?.[kind] ? ", by clip" : ""}`;
  return el(
    "div",
    { class: "score-line" },
    el("div", {}, el("span", { class: "kind" }, label), shown),
    el(
      "div",
      { class: "beside" },
      shareBar({ share: part.accuracy, low: range.low, high: range.high }, place, null, run.chance_corrected?.chance),
      el("span", { class: "note" }, `${about}; ${under}`),
    ),
  );
}

function counts(run, place) {
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
            { type: "button", class: "count", on: { click: () => showOnly(page.first.runs.length > 1 ? { ...filter, run: String(place) } : filter) } },
            el("b", {}, count(n)),
            ` ${name}`,
          )
        : el("span", { class: "count" }, el("b", {}, count(n)), ` ${name}`),
    );
}

function groupCard(task, heading) {
  const runs = shownRuns(task);
  const rowsOf = (run) => run.tables.find((one) => one.heading === heading)?.rows ?? [];
  const counted = (row) => row.official.n || row.strict.n;
  const values = [...new Set(runs.flatMap(({ run }) => rowsOf(run).filter(counted).map((row) => row.value)))];
  if (!values.length) return null;
  const chance = runs[0].run.chance_corrected?.chance;
  const ticks = runs.some(({ run }) => rowsOf(run).some((row) => row.strict.share !== row.official.share));
  const note =
    `Bars: official score with its 95 % interval${ticks ? "; tick: strict score where it differs" : ""}` +
    `${known(chance) ? `; line: chance, ${percent(chance)} %` : ""}. Click a group to see its samples.`;
  return card(
    `By ${seen(heading)}`,
    note,
    el("div", { class: "groups" }, values.map((value) => groupRow(task, runs, heading, value, chance))),
    el("div", { class: "group axis-row" }, el("div", {}), el("div", { class: "group-bar" }, barAxis(chance))),
  );
}

function groupRow(task, runs, heading, value, chance) {
  const parts = runs
    .map(({ run, place }) => ({ part: tableRow(run, heading, value), place }))
    .filter(({ part }) => part);
  const simple = task.headings.includes(heading);
  const lines = parts.map(({ part, place }) =>
    el(
      "div",
      { class: `group-bar ${runClass(place)}`, "data-run": place },
      shareBar(part.official, place, part.strict.share === part.official.share ? null : part.strict.share, chance),
      el("span", { class: "number" }, percent(part.official.share)),
      el("span", { class: "note" }, `${between(part.official)}`),
      el("span", { class: "n" }, `n ${count(part.official.n)}`),
    ),
  );
  const told = pairsWithBase(task)
    .filter(({ other }) => parts.some(({ place }) => place === other))
    .map(({ groups, other }) => {
      const change = groups.find((one) => one.heading === heading && one.value === value);
      if (!change) return null;
      const who = task.runs.length > 2 ? `${runName(other)}: ` : "";
      return el(
        "span",
        { class: change.difference > 0 ? "better" : "worse" },
        `${who}${signed(change.difference)} points, adjusted p = ${figure(change.p_adjusted)} `,
      );
    });
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
  const series = shownRuns(task)
    .map(({ run, place }) => ({ run: place, bins: run.lengths }))
    .filter((one) => one.bins.length);
  const note = "Each point is an eighth of the answers that have reasoning, with the 95 % interval of their strict score.";
  if (series.length) return card("Accuracy by length of reasoning, %", note, lengthChart(series));
  return shownRuns(task).some(({ run }) => run.chains.n)
    ? card(
        "Accuracy by length of reasoning",
        null,
        el("p", { class: "note" }, "Too few answers with reasoning to say anything."),
      )
    : null;
}

function missing(task) {
  const parts = shownRuns(task).map(({ run, place }) => {
    const only = task.runs.length > 1 ? { run: String(place) } : {};
    const lines = [
      ...run.unread.map((one) => [
        words(one.name),
        "no answer",
        link(one.n, { how: one.name, state: "unanswered", ...only }),
      ]),
      ...run.errors.map((one) => [words(one.name), "failed", link(one.n, { state: "failed", ...only })]),
      ...(run.missing ? [["", "not asked yet", count(run.missing)]] : []),
      ...(run.finish_reasons.length
        ? [["the answer reached the token limit", "cut off", link(run.finish_reasons.length, { finish: "length", ...only })]]
        : []),
      ...Object.entries(run.dropped_why).map(([why, n]) => [words(why), "not counted by the script", count(n)]),
    ];
    return [
      runTitle(task, place),
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
  const runs = shownRuns(task).filter(({ run }) => run.levels.length);
  if (!runs.length) return null;
  const note =
    "How clearly a response names its option, the clearest level first. An option with weaker evidence than the run's " +
    "--min-evidence is set aside: it counts as unanswered, and its row shows how often it would have been correct.";
  const parts = runs.map(({ run, place }) => {
    const lines = run.levels.map((one) => [
      one.level,
      one.counts ? "counted" : "set aside",
      link(one.n, { level: one.level, run: task.runs.length > 1 ? String(place) : "" }),
      count(one.correct),
      percent(one.share),
      one.share === null ? "" : el("div", { class: "level-bar" }, shareBar(one, place)),
    ]);
    return [runTitle(task, place), table(["Evidence", "Use", "Answers", "Correct", "Correct, %", "95 % interval"], lines, { class: "levels" })];
  });
  return card("Evidence for the answers", note, parts);
}

function readings(task) {
  const runs = shownRuns(task);
  const names = [...new Set(runs.flatMap(({ run }) => run.how.map((one) => one.name)))];
  if (!names.length) return card("How answers were extracted", null, el("p", { class: "note" }, "No answer was extracted."));
  const cells = ({ run, place }, name) => {
    const one = run.how.find((other) => other.name === name);
    const only = task.runs.length > 1 ? { how: name, run: String(place) } : { how: name };
    return [one ? link(one.n, only) : "\u2013", one && task.known ? percent(one.right / one.n, 0) : "\u2013"];
  };
  const titles = runs.flatMap(({ place }) =>
    task.runs.length > 1 ? [runName(place), "correct, %"] : ["Answers", "Correct, %"],
  );
  return card(
    "How answers were extracted",
    null,
    table(
      ["Rule", ...titles],
      names.map((name) => [words(name), ...runs.flatMap((one) => cells(one, name))]),
    ),
  );
}
