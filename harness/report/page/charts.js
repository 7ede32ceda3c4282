// Charts in SVG by hand: shares with intervals, and lines.

// A share from 0 to 1 as a bar, its interval as a whisker, the strict share as a tick, chance as a line through all
// bars. Widths in percent: no resizing.
function shareBar(part, run, tick, chance) {
  const at = (share) => `${(100 * share).toFixed(2)}%`;
  const drawn = svg("svg", {
    class: `bar ${runClass(run)}`,
    width: "100%",
    height: 14,
    role: "img",
    "aria-label": told(part),
  });
  drawn.append(svg("rect", { class: "track", x: 0, y: 3, width: "100%", height: 8, rx: 2 }));
  if (known(chance))
    drawn.append(svg("line", { class: "chance", x1: at(chance), x2: at(chance), y1: -3, y2: 17 }));
  if (part.share === null || part.share === undefined) return drawn;
  drawn.append(svg("rect", { class: "share", x: 0, y: 3, width: at(part.share), height: 8, rx: 2 }));
  if (part.low !== null && part.low !== undefined) {
    drawn.append(svg("line", { class: "whisker", x1: at(part.low), x2: at(part.high), y1: 7, y2: 7 }));
    for (const end of [part.low, part.high]) {
      drawn.append(svg("line", { class: "whisker", x1: at(end), x2: at(end), y1: 3.5, y2: 10.5 }));
    }
  }
  if (tick !== null && tick !== undefined) {
    drawn.append(svg("line", { class: "tick", x1: at(tick), x2: at(tick), y1: 0, y2: 14 }));
  }
  return drawn;
}

// The axis under bars, with the place of chance where it is known.
function barAxis(chance) {
  const axis = el("div", { class: "bar-axis", "aria-hidden": true });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) axis.append(axisMark(share, `${100 * share}`, "mark"));
  if (known(chance)) axis.append(axisMark(chance, "chance", "mark chance-mark"));
  return axis;
}

function axisMark(share, text, className) {
  const mark = el("span", { class: className }, text);
  mark.style.left = `${100 * share}%`;
  return mark;
}

function told(part) {
  return `${percent(part.share)} percent, interval ${between(part) || "none"}`;
}

// Draws again whenever the place for it changes its width.
function drawn(draw, className) {
  const place = el("div", { class: className });
  let last = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width && width !== last) put(place, draw((last = width)));
  }).observe(place);
  return place;
}

// How right answers are by the length of their chain: a point with its interval for each part of the chains.
function lengthChart(series) {
  return drawn((width) => {
    const height = 210,
      left = 34,
      right = 8,
      top = 10,
      bottom = 34;
    const y = (share) => top + (height - top - bottom) * (1 - share);
    const lengths = series.flatMap((one) => one.bins.flatMap((bin) => [bin.from, bin.to]));
    const low = Math.log(Math.max(1, Math.min(...lengths))),
      high = Math.log(Math.max(...lengths) + 1);
    const x = (length) => left + ((width - left - right) * (Math.log(Math.max(1, length)) - low)) / (high - low || 1);
    const chart = svg("svg", {
      width,
      height,
      class: "chart",
      role: "img",
      "aria-label": "Accuracy by length of reasoning",
    });
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(share), y2: y(share) }));
      chart.append(svg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, `${100 * share}`));
    }
    for (const length of decades(Math.exp(low), Math.exp(high), width < 420 ? 3 : 8)) {
      chart.append(svg("text", { x: x(length), y: height - 16, "text-anchor": "middle" }, count(length)));
    }
    chart.append(
      svg("text", { x: width - right, y: height - 2, "text-anchor": "end", class: "axis" }, "characters of reasoning"),
    );
    series.forEach((one) => chart.append(lengthPoints(one, x, y)));
    return chart;
  }, "chart-place");
}

function lengthPoints(one, x, y) {
  const middle = (bin) => x(Math.sqrt(Math.max(1, bin.from) * Math.max(1, bin.to))) + 3 * one.run;
  const group = svg("g", { class: `${runClass(one.run)}` });
  const path = one.bins.map((bin, place) => `${place ? "L" : "M"}${middle(bin)},${y(bin.accuracy)}`).join("");
  group.append(svg("path", { class: "line faint", d: path }));
  for (const bin of one.bins) {
    group.append(
      svg("line", { class: "span", x1: x(bin.from), x2: x(bin.to), y1: y(bin.accuracy), y2: y(bin.accuracy) }),
    );
    group.append(svg("line", { class: "whisker", x1: middle(bin), x2: middle(bin), y1: y(bin.low), y2: y(bin.high) }));
    const words = `${count(bin.from)} to ${count(bin.to)} characters: ${percent(bin.accuracy)} % of ${bin.n} (${between(bin)})`;
    group.append(
      svg("circle", { class: "point", cx: middle(bin), cy: y(bin.accuracy), r: 3.5 }, svg("title", {}, words)),
    );
  }
  return group;
}

// Round lengths between two, at most so many.
function decades(low, high, most) {
  const found = [];
  for (let ten = 1; ten <= high; ten *= 10) {
    for (const times of [1, 2, 5]) if (ten * times >= low && ten * times <= high) found.push(ten * times);
  }
  const step = Math.ceil(found.length / most);
  return found.filter((_, place) => place % step === 0);
}

// A metric over the steps of stages that follow each other; faint as logged, strong as smoothed.
function curve(name, stages, read) {
  return drawn((width) => {
    const height = 130,
      left = 50,
      right = 4,
      top = 8,
      bottom = 16;
    const all = stages.flatMap((stage) => stage.points);
    const values = all.map((point) => point[1]);
    let least = Math.min(...values),
      most = Math.max(...values);
    if (least === most) [least, most] = [least - 0.5, most + 0.5];
    const last = stages.at(-1).end || 1,
      first = stages[0].begin;
    const x = (step) => left + ((width - left - right) * (step - first)) / (last - first || 1);
    const y = (value) => top + ((height - top - bottom) * (most - value)) / (most - least);
    const chart = svg("svg", { width, height, class: "chart run-a", role: "img", "aria-label": `${name} over steps` });
    for (const value of [least, most]) {
      chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    }
    stages.forEach((stage, place) => {
      if (place)
        chart.append(
          svg("line", { class: "stage", x1: x(stage.begin), x2: x(stage.begin), y1: 0, y2: height - bottom }),
        );
      if (!stage.points.length) return;
      chart.append(svg("path", { class: "line faint", d: path(stage.points, x, y) }));
      chart.append(svg("path", { class: "line", d: path(smoothed(stage.points), x, y) }));
    });
    chart.append(svg("text", { x: left - 6, y: y(most) + 4, "text-anchor": "end" }, figure(most, 3)));
    chart.append(svg("text", { x: left - 6, y: y(least) + 4, "text-anchor": "end" }, figure(least, 3)));
    chart.append(
      svg("text", { x: width - right, y: height - 3, "text-anchor": "end", class: "axis" }, `step ${figure(last)}`),
    );
    return pointed(chart, all, x, y, height - bottom, read);
  }, "chart-place");
}

function path(points, x, y) {
  return points
    .map(([step, value], place) => `${place ? "L" : "M"}${x(step).toFixed(1)},${y(value).toFixed(1)}`)
    .join("");
}

// Means over neighbours on both sides, so that nothing lags behind.
function smoothed(points) {
  const reach = Math.round(points.length / 25);
  return points.map(([step], place) => {
    const near = points.slice(Math.max(0, place - reach), place + reach + 1);
    return [step, near.reduce((sum, point) => sum + point[1], 0) / near.length];
  });
}

// Reads out the point nearest to the pointer.
function pointed(chart, points, x, y, height, read) {
  const line = svg("line", { class: "pointer", y1: 0, y2: height }),
    dot = svg("circle", { class: "point", r: 3 });
  const show = (event) => {
    const at = event.clientX - chart.getBoundingClientRect().left;
    const nearest = points.reduce((best, point) =>
      Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best,
    );
    for (const name of ["x1", "x2"]) line.setAttribute(name, x(nearest[0]));
    dot.setAttribute("cx", x(nearest[0]));
    dot.setAttribute("cy", y(nearest[1]));
    chart.append(line, dot);
    read(nearest);
  };
  chart.addEventListener("pointermove", show);
  chart.addEventListener("pointerleave", () => {
    line.remove();
    dot.remove();
    read(null);
  });
  return chart;
}
