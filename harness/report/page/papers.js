// What papers print beside accuracy: ceiling, chance, macro averages, confidence, several answers, letters, more groups.

const estimate = (part) => (part && part.value !== null ? `${percent(part.value)} (${between(part)})` : "\u2013");
const area = (part) =>
  part.value === null ? "\u2013" : `${part.value.toFixed(3)} (${part.low.toFixed(3)} to ${part.high.toFixed(3)})`;

function paperFigures(task) {
  const rows = new Map();
  const runs = shownRuns(task);
  runs.forEach(({ run, place }) => {
    for (const [name, text] of figureLines(run)) rows.set(name, { ...rows.get(name), [place]: text });
  });
  if (!rows.size) return null;
  const titles = runs.map(({ place }) => (task.runs.length > 1 ? runName(place) : "Value"));
  const lines = [...rows].map(([name, cells]) => [seen(name), ...runs.map(({ place }) => cells[place] ?? "\u2013")]);
  const note =
    "In percent (areas and errors from 0 to 1), with 95 % intervals. A macro average gives each group the same weight. Chance-corrected accuracy is 0 " +
    "for guesses. AUROC: how often a correct answer is more confident than a wrong one. AURC: the mean share of errors " +
    "among the most confident answers.";
  return card("Figures that papers print", note, table(["Figure", ...titles], lines));
}

function figureLines(run) {
  const lines = [];
  if (run.ceiling && run.ceiling.ceiling < 1)
    lines.push(["official ceiling", `${percent(run.ceiling.ceiling)} (${plural(run.ceiling.n, "question")})`]);
  if (run.chance_corrected) {
    lines.push(["chance level", percent(run.chance_corrected.chance)]);
    lines.push(["chance-corrected, official", estimate(run.chance_corrected.official)]);
    lines.push(["chance-corrected, strict", estimate(run.chance_corrected.strict)]);
  }
  for (const [heading, mean] of Object.entries(run.macro ?? {}))
    lines.push([`macro average over ${mean.groups} of ${heading}, official`, estimate(mean.official)]);
  for (const name of run.confidence ? ["auroc", "aurc", "ece"] : [])
    lines.push([`${name.toUpperCase()} of forced answers`, area(run.confidence[name])]);
  for (const [k, part] of Object.entries(run.pass_at ?? {})) lines.push([`pass@${k}`, estimate(part)]);
  for (const [k, part] of Object.entries(run.majority_at ?? {}))
    if (k !== "1") lines.push([`majority@${k} (${percent(part.ties)} % ties, as wrong)`, estimate(part)]);
  return lines;
}

function letters(task) {
  const parts = shownRuns(task).flatMap(({ run, place }) =>
    (run.by_letter ?? []).map((part) => [
      el("h3", { class: `${runClass(place)}` }, letterTitle(task, part, place)),
      table(["Letter", "Correct, %", "Chosen, %", "Recall, %", "95 % interval", "Unread"], letterLines(part)),
      part.recall_sd === null
        ? null
        : el(
            "p",
            { class: "note" },
            `RStd ${percent(part.recall_sd)} points; ${percent(part.recall_sd_by_chance)} by chance alone.`,
          ),
    ]),
  );
  const note =
    "How often each letter is the correct one, is chosen, and is chosen where it is correct (recall). RStd is the " +
    "standard deviation of the recalls: much more than by chance means that the position of an option matters.";
  return parts.length ? card("Letter and position bias", note, parts) : null;
}

function letterTitle(task, part, place) {
  const of = `${plural(part.options, "option")}, ${plural(part.n, "answer")}`;
  return task.runs.length > 1 ? `${runName(place)}: ${of}` : of;
}

function letterLines(part) {
  return Object.entries(part.letters).map(([name, one]) => [
    name,
    percent(one.right / part.n),
    percent(one.chosen / part.n),
    percent(one.recall.value),
    between(one.recall),
    count(one.unread),
  ]);
}

// Headings that the benchmark's script prints no table of, such as MMSU's 47 tasks.
function otherGroups(task) {
  const drawn = new Set(tableHeadings(task));
  const headings = [...new Set(task.runs.flatMap((run) => Object.keys(run.by_group ?? {})))].filter(
    (heading) => !drawn.has(heading),
  );
  if (!headings.length) return null;
  const parts = headings.map((heading) =>
    el("details", {}, el("summary", {}, `By ${seen(heading)}`), otherTable(task, heading)),
  );
  return card("More groups", "Official scores with their 95 % intervals, and the number of answers.", parts);
}

function otherTable(task, heading) {
  const runs = shownRuns(task);
  const values = [...new Set(runs.flatMap(({ run }) => Object.keys(run.by_group?.[heading] ?? {})))].sort();
  const titles = runs.flatMap(({ place }) => [
    task.runs.length > 1 ? `${runName(place)}, %` : "Official, %",
    "95 % interval",
    "n",
  ]);
  const cells = ({ run }, value) => {
    const part = run.by_group?.[heading]?.[value]?.official;
    return part ? [percent(part.accuracy), between(part), count(part.n)] : ["\u2013", "", "0"];
  };
  const lines = values.map((value) => [words(value), ...runs.flatMap((one) => cells(one, value))]);
  return table([seen(heading), ...titles], lines);
}
