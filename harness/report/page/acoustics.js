// Where runs fail, by sound: the trend of each run along each measure, and accuracy by group.

function bySound(task) {
  const runs = shownRuns(task).filter(({ run }) => run.acoustics);
  if (!runs.length) return null;
  const names = Object.keys(runs[0].run.acoustics.measures);
  const note =
    "Trend of the strict score, in points from the clip with the lowest value to that with the highest, with its 95 % " +
    "interval; p is adjusted for the number of trends. A trend is no cause: noisy clips may have the harder questions.";
  const parts = names
    .filter((name) => runs.some(({ run }) => Object.keys(run.acoustics.measures[name].groups).length > 1))
    .map((name) => el("details", {}, el("summary", {}, `By ${name}`), soundGroups(task, runs, name)));
  return card("By sound", note, soundTrends(task, runs, names), parts);
}

function soundTrends(task, runs, names) {
  const changes = runs.filter(({ run }) => run.acoustic_change);
  const titles = [
    ...runs.map(({ place }) => (task.runs.length > 1 ? `${runName(place)}, points` : "Points")),
    ...changes.map(({ place }) => `${runName(place)} less ${runName(0).toLowerCase()}, points`),
  ];
  const lines = names.map((name) => [
    el("span", { title: runs[0].run.acoustics.measures[name].what }, name),
    ...runs.map(({ run }) => soundTrend(run.acoustics.measures[name].trend)),
    ...changes.map(({ run }) => soundTrend(run.acoustic_change.measures[name])),
  ]);
  return table(["Measure", ...titles], lines);
}

function soundTrend(trend) {
  if (!trend) return "\u2013";
  const sure = trend.p_adjusted < 0.05;
  const kind = sure ? (trend.slope > 0 ? "better" : "worse") : "";
  return [
    el("b", { class: kind }, signed(trend.slope)),
    ` (${signed(trend.low)} to ${signed(trend.high)}), adjusted p = ${figure(trend.p_adjusted, 2)}`,
  ];
}

function soundGroups(task, runs, name) {
  const values = [...new Set(runs.flatMap(({ run }) => Object.keys(run.acoustics.measures[name].groups)))];
  const cells = ({ run }, value) => {
    const part = run.acoustics.measures[name].groups[value]?.strict;
    return part ? [percent(part.accuracy), between(part), count(part.n)] : ["\u2013", "", "0"];
  };
  const choose = (value) =>
    el(
      "button",
      { type: "button", class: "link", on: { click: () => showOnly({ groups: { [name]: value } }) } },
      words(value),
    );
  const titles = runs.flatMap(({ place }) => [
    task.runs.length > 1 ? `${runName(place)}, %` : "Strict, %",
    "95 % interval",
    "n",
  ]);
  const lines = values.map((value) => [choose(value), ...runs.flatMap((one) => cells(one, value))]);
  return table([name, ...titles], lines);
}
