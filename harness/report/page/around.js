// What else there is to a run: does it listen, does the order of options decide, what judges say, what it cost.

function around(task) {
  const parts = shownRuns(task).flatMap(({ run, place }) => {
    const own = ["vs_plain", "audio_ablation", "order_sensitivity", "order_averaged"]
      .filter((kind) => run[kind])
      .map((kind) => ({ where: "this run", kind, found: run[kind] }));
    const lines = [...own, ...run.related].map(beside).filter(Boolean).concat(run.judges.map(judge));
    if (run.robustness?.length) lines.push(robustness(run.robustness));
    if (run.repeats) lines.push(repeats(run.repeats));
    if (run.forced?.calibration) lines.push(calibrated(run.forced.calibration));
    return lines.length && task.runs.length > 1
      ? [el("h3", { class: `${runClass(place)}` }, runName(place)), ...lines]
      : lines;
  });
  return parts.length ? card("Listening, order, judges", null, parts) : null;
}

function line(title, text, more) {
  return el(
    "div",
    { class: "fact" },
    el("b", {}, seen(title)),
    el("p", {}, text),
    more ? el("p", { class: "note" }, more) : null,
  );
}

function beside({ where, kind, found }) {
  if (kind === "audio_ablation" && found.gap) {
    const { gap, same_choice: same, audio } = found;
    const worse = audio?.includes(":");
    return line(
      `Listening (${where})`,
      `${signed(gap.gap)} points ${worse ? `are lost with ${audio}` : "come from the clip"}, interval ${signed(gap.low)} to ${signed(gap.high)}`,
      same
        ? `${percent(same.accuracy)} % of the answers are the same${worse ? "" : " without it"}; ${count(found.n)} questions`
        : "",
    );
  }
  if (kind === "order_sensitivity" && found.moved) {
    return line(
      `Option order (${found.orders} orders)`,
      `${percent(found.moved.accuracy)} % of ${count(found.n)} answers change with the order, interval ${between(found.moved)}`,
      `correct in every order ${percent(found.right_in_all)} %, in some ${percent(found.right_in_some)} %`,
    );
  }
  if (kind === "order_averaged" && found.strict)
    return line("Averaged over option orders", `${percent(found.strict.accuracy)} % correct, interval ${between(found.strict)}`);
  if (kind === "vs_plain" && found.gap) {
    const differ = found.differ ? `${percent(found.differ.accuracy)} % of the answers differ; ` : "";
    return line(
      `Answer style (${where})`,
      `${signed(found.gap.gap)} points compared with the plain run, interval ${signed(found.gap.low)} to ${signed(found.gap.high)}`,
      `${differ}${count(found.n)} questions`,
    );
  }
  return null;
}

function robustness(ways) {
  const titles = ["What moves the score", "n", "Plain", "This", "Difference", "Interval", "Flips", "Consistency", "Correctness"];
  const share = (value) => (value === null ? "\u2013" : percent(value));
  const rows = ways.map((one) => [
    seen(one.runs > 1 ? `${one.form} (${one.runs} runs)` : one.form),
    count(one.n),
    share(one.plain),
    share(one.accuracy),
    one.gap ? signed(one.gap.gap) : "\u2013",
    one.gap ? `${signed(one.gap.low)} to ${signed(one.gap.high)}` : "\u2013",
    one.flips ? percent(one.flips.accuracy) : "\u2013",
    share(one.consistency),
    share(one.correctness),
  ]);
  return table(titles, rows);
}

function judge({ where, summary }) {
  if (summary.kinds)
    return line(
      `Judge's calibration (${where})`,
      `${percent(summary.marks.accuracy)} % of ${count(summary.marks.n)} known marks were reproduced, interval ${between(summary.marks)}`,
    );
  const score = summary.scorer ? summary.score : summary.rubrics;
  const range =
    score === null
      ? `between ${summary.between?.[0]} and ${summary.between?.[1]}: ${plural(summary.unscored, "answer")} could not be scored`
      : `${score} (95 % interval ${summary.low} to ${summary.high})`;
  const agree = summary.agreement ? `; two calls agree on ${percent(summary.agreement.pairs)} % of marks` : "";
  return line(
    `${summary.scorer ? `Marks of ${summary.scorer}` : "Rubrics"} (${where})`,
    range,
    `${plural(summary.calls, "call")} per answer, ${plural(summary.n, summary.scorer ? "answer" : "question")}${agree}`,
  );
}

function repeats(told) {
  const passes = Object.entries(told.pass)
    .map(([at, share]) => `pass@${at} ${percent(share)} %`)
    .join(", ");
  return line(
    `${told.k} answers per question`,
    `majority ${percent(told.majority.accuracy)} %; ${passes}`,
    `standard deviation of the mean ${(100 * told.strict.sd).toFixed(2)} points`,
  );
}

function calibrated(told) {
  return line(
    "Calibration of forced answers",
    `expected calibration error ${percent(told.ece)} points (${percent(told.ece_by_chance)} by chance alone), Brier ${figure(told.brier)}`,
    `mean confidence ${percent(told.confidence)} %, accuracy ${percent(told.accuracy)} %, ${plural(told.n, "answer")}`,
  );
}

function costs(task) {
  const rows = [
    ["seconds per response, mean", (run) => (run.seconds.mean === null ? "\u2013" : figure(run.seconds.mean))],
    [
      "median, 95th percentile",
      (run) => (run.seconds.median === null ? "\u2013" : `${figure(run.seconds.median)}, ${figure(run.seconds.p95)}`),
    ],
    ["input, output tokens", (run) => `${count(run.tokens.in)}, ${count(run.tokens.out)}`],
    [
      "answers with reasoning, mean characters",
      (run) => (run.chains.n ? `${count(run.chains.n)}, ${count(Math.round(run.chains.mean))}` : "none"),
    ],
    ["requests", (run) => count(run.attempts)],
    [
      "clips",
      (run) =>
        Object.entries(run.clips)
          .map(([rule, n]) => `${count(n)} ${rule}`)
          .join(", ") || "none",
    ],
  ];
  const runs = shownRuns(task);
  const titles = ["Of a run", ...runs.map(({ place }) => (task.runs.length > 1 ? runName(place) : "Value"))];
  return card(
    "Cost",
    null,
    table(
      titles,
      rows.map(([name, of]) => [name, ...runs.map(({ run }) => of(run))]),
    ),
  );
}

function drawSettings() {
  const runs = page.first.runs,
    training = page.first.training;
  const all = runs.map((run) => new Map(run.settings));
  const names = [...new Set(all.flatMap((one) => [...one.keys()]))];
  const lines = names.map((name) => {
    const values = all.map((one) => one.get(name) ?? "\u2013");
    const differs = values.some((value) => value !== values[0]);
    return [
      el("span", { class: differs ? "differs" : null }, seen(name)),
      ...values.map((value) => words(value.slice(0, 2000))),
    ];
  });
  put(
    byId("view-settings"),
    training
      ? card(
          "Recipe",
          null,
          table(
            ["Setting", "Value"],
            training.recipe.map(([name, value]) => [seen(name), words(value)]),
          ),
        )
      : null,
    runs.length
      ? card(
          "Settings",
          runs.length > 1 ? "Differences are highlighted." : null,
          table(
            [
              "Setting",
              ...runs.map((run, place) => (runs.length > 1 ? `${runName(place)}  ${seen(run.path)}` : seen(run.path))),
            ],
            lines,
            { class: "settings" },
          ),
        )
      : null,
    el("p", { class: "note" }, `Made ${page.first.made} by dtbench ${page.first.dtbench}.`),
  );
}
