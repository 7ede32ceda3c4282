// Three runs and more: a matrix of runs by groups with intervals, and the scores over the dates of the runs.

let matrixOrder = { column: -1, down: false };

function matrix(task) {
  if (task.runs.length < 3) return null;
  const columns = matrixColumns(task);
  const lines = matrixLines(task, columns);
  const spread = columns.some(({ of }) => task.runs.some((run) => of(run)?.strict));
  const note =
    "Official score in percent, 95 % interval below it; bold: the highest of a column; " +
    "\u25b2 \u25bc: differs from the baseline in the paired test of this group (adjusted p below 0.05)." +
    (spread ? " Strict score where it differs." : "");
  const place = wide();
  const draw = () => put(place, matrixTable(task, columns, lines, draw));
  draw();
  return card("Runs by groups", note, place);
}

function matrixColumns(task) {
  const all = { title: "All", of: allOf, heading: null, value: null };
  const groups = tableHeadings(task).flatMap((heading) => {
    const values = task.runs.flatMap((run) => run.tables.find((one) => one.heading === heading)?.rows ?? []);
    return [...new Set(values.map((row) => row.value))].map((value) => ({
      title: value,
      heading,
      value,
      of: (run) => groupOf(tableRow(run, heading, value)),
    }));
  });
  return [all, ...groups.filter(({ of }) => task.runs.some(of))];
}

function allOf(run) {
  const range = run.clustered?.official ?? run.official;
  const { accuracy, counted } = run.official;
  return accuracy === null ? null : { share: accuracy, low: range.low, high: range.high, n: counted, strict: strictOf(run) };
}

function strictOf(run) {
  return scoresAgree(run) || run.strict.accuracy === run.official.accuracy ? null : run.strict.accuracy;
}

function groupOf(row) {
  if (!row || row.official.share === null) return null;
  return { ...row.official, strict: row.strict.share === row.official.share ? null : row.strict.share };
}

function matrixLines(task, columns) {
  return task.runs.map((run, place) => ({ place, parts: columns.map(({ of }) => of(run)) }));
}

function matrixTable(task, columns, lines, draw) {
  const best = columns.map((_, column) => Math.max(...lines.map(({ parts }) => parts[column]?.share ?? -1)));
  const order = (column) => {
    matrixOrder = { column, down: matrixOrder.column === column ? !matrixOrder.down : column >= 0 };
    draw();
  };
  const head = [
    headCell("Run", -1, order),
    ...columns.map(({ title, heading }, column) => headCell(title, column, order, heading)),
    el("th", { scope: "col" }, "Unanswered"),
    el("th", { scope: "col" }, "Failed"),
  ];
  return el(
    "table",
    { class: "matrix" },
    el("thead", {}, el("tr", {}, head)),
    el(
      "tbody",
      {},
      inOrder(lines).map(({ place, parts }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, runCell(place)),
          parts.map((part, column) => matrixCell(task, place, columns[column], part, best[column])),
          el("td", {}, countCell(task.runs[place].unanswered, place, "unanswered")),
          el("td", {}, countCell(task.runs[place].failed, place, "failed")),
        ),
      ),
    ),
    el("tfoot", {}, chanceLine(task, columns.length + 2)),
  );
}

function headCell(title, column, order, heading) {
  const own = matrixOrder.column === column;
  const state = own ? (matrixOrder.down ? "descending" : "ascending") : "none";
  const button = el("button", { type: "button", class: "sort", on: { click: () => order(column) } }, seen(title));
  if (own) button.append(matrixOrder.down ? " \u2193" : " \u2191");
  return el("th", { scope: "col", "aria-sort": state, title: heading ? seen(heading) : null }, button);
}

function inOrder(lines) {
  const { column, down } = matrixOrder;
  const by = down ? -1 : 1;
  const key = ({ place, parts }) => (column < 0 ? place : (parts[column]?.share ?? -1));
  return [...lines].sort((one, other) => by * (key(one) - key(other)) || one.place - other.place);
}

function runCell(place) {
  const date = dateOf(place);
  return [
    el("span", { class: `dot ${runClass(place)}` }),
    words(fullName(place)),
    date || place === page.base
      ? el("span", { class: "note" }, [date, place === page.base ? "baseline" : ""].filter(Boolean).join(", "))
      : null,
  ];
}

function matrixCell(task, place, { heading, value }, part, best) {
  if (!part) return el("td", {}, "\u2013");
  const change = changeMark(task, place, heading, value);
  const filter = heading && task.headings.includes(heading) ? { groups: { [heading]: value } } : {};
  const number = el(
    "button",
    {
      type: "button",
      class: `cell-link ${part.share === best ? "best" : ""}`,
      title: `${count(part.n)} answers; show these samples`,
      on: { click: () => showOnly({ ...filter, run: String(place) }) },
    },
    percent(part.share),
  );
  return el(
    "td",
    {},
    number,
    change,
    el("span", { class: "note" }, between(part)),
    part.strict === null ? null : el("span", { class: "note" }, `strict ${percent(part.strict)}`),
  );
}

function countCell(n, place, state) {
  return n ? link(n, { state, run: String(place) }) : "0";
}

function changeMark(task, place, heading, value) {
  const found = pairsWithBase(task).find(({ other }) => other === place);
  if (!found) return null;
  const up = (by) =>
    el("b", { class: by > 0 ? "better" : "worse", title: `${signed(by)} points` }, by > 0 ? " \u25b2" : " \u25bc");
  if (heading === null) return found.p < 0.05 ? up(found.difference) : null;
  const change = found.groups.find((one) => one.heading === heading && one.value === value);
  return change ? up(change.difference) : null;
}

function chanceLine(task, columns) {
  const chance = task.runs[0].chance_corrected?.chance;
  if (!known(chance)) return null;
  return el("tr", {}, el("th", { scope: "row" }, "Chance"), el("td", {}, percent(chance)), columns > 1 ? el("td", { colspan: columns - 1 }) : null);
}

const HOUR = 3_600_000;

// Nightly runs, checkpoints: the score at each date.
function historyCard(task) {
  const points = task.runs
    .map((run, place) => ({ place, at: Date.parse(page.first.runs[place].start ?? ""), part: allOf(run) }))
    .filter(({ at, part }) => Number.isFinite(at) && part)
    .sort((one, other) => one.at - other.at);
  if (points.length < 3) return null;
  const note = "Official score of each run at its date, with its 95 % interval. Click a point to see its samples.";
  return card("History, %", note, historyChart(task, points));
}

function historyChart(task, points) {
  return drawn((width) => {
    const [height, left, right, top, bottom] = [190, 34, 14, 12, 30];
    const lowest = Math.min(...points.map(({ part }) => part.low ?? part.share)),
      highest = Math.max(...points.map(({ part }) => part.high ?? part.share));
    const from = Math.max(0, Math.floor(10 * lowest) / 10),
      to = Math.min(1, Math.ceil(10 * highest) / 10);
    const y = (share) => top + ((height - top - bottom) * (to - share)) / (to - from || 1);
    const [first, last] = [points[0].at, points.at(-1).at];
    // Runs that were begun together stand side by side.
    const apart = last - first >= HOUR;
    const shareOf = (place) => (apart ? (points[place].at - first) / (last - first) : place / (points.length - 1));
    const x = (place) => left + 8 + (width - left - right - 16) * shareOf(place);
    const chart = svg("svg", { width, height, class: "chart", role: "img", "aria-label": "Official score by date" });
    const step = to - from > 0.5 ? 20 : 10;
    for (let mark = Math.ceil((100 * from) / step) * step; mark <= 100 * to + 0.01; mark += step) {
      const share = mark / 100;
      chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(share), y2: y(share) }));
      chart.append(svg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share, 0)));
    }
    const chance = task.runs[0].chance_corrected?.chance;
    if (known(chance) && chance >= from && chance <= to)
      chart.append(svg("line", { class: "chance", x1: left, x2: width - right, y1: y(chance), y2: y(chance) }));
    const dates = [first, last].map((at) => new Date(at).toISOString().slice(0, 10));
    chart.append(svg("text", { x: x(0), y: height - 8 }, dates[0]));
    if (dates[1] !== dates[0])
      chart.append(svg("text", { x: x(points.length - 1), y: height - 8, "text-anchor": "end" }, dates[1]));
    const line = points.map(({ part }, place) => `${place ? "L" : "M"}${x(place).toFixed(1)},${y(part.share).toFixed(1)}`);
    chart.append(svg("path", { class: "line faint history", d: line.join("") }));
    points.forEach((point, place) => chart.append(historyPoint(point, x(place), y)));
    return chart;
  }, "chart-place");
}

function historyPoint({ place, part }, x, y) {
  const group = svg("g", { class: `${runClass(place)} history-point`, on: { click: () => showOnly({ run: String(place) }) } });
  if (known(part.low)) group.append(svg("line", { class: "whisker", x1: x, x2: x, y1: y(part.low), y2: y(part.high) }));
  const text = `${fullName(place)}, ${dateOf(place)}: ${percent(part.share, 2)} % (${between(part)})`;
  group.append(svg("circle", { class: "point", cx: x, cy: y(part.share), r: 4 }, svg("title", {}, text)));
  return group;
}
