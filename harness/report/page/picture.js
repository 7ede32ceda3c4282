// A card as one SVG that opens anywhere: real text, boxes and lines, no HTML inside, with the colours of the page.

const FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, sans-serif";
const MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
// What the page's style gives to a part of a chart, and what it is where nothing is given.
const PAINTED = {
  fill: "rgb(0, 0, 0)",
  stroke: "none",
  "stroke-width": "1px",
  "stroke-dasharray": "none",
  opacity: "1",
  "font-size": "14px",
  "text-anchor": "start",
};
const EDGE = 12;
let measure = null;

// The SVG of an element as an element, with a line that says of what it is a part.
function pictureOf(section, caption) {
  const box = section.getBoundingClientRect();
  const drawing = { left: box.left - EDGE, top: box.top - EDGE, right: box.right, bottom: box.bottom, shapes: [] };
  drawBox(section, drawing);
  drawInside(section, drawing);
  const width = Math.ceil(drawing.right - drawing.left + EDGE),
    height = Math.ceil(drawing.bottom - drawing.top + EDGE + 18);
  const style = getComputedStyle(document.body);
  const under = svg("text", { x: EDGE, y: height - 9, fill: styleOf("--soft"), "font-size": 11 }, seen(caption));
  return svg(
    "svg",
    { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, "font-family": FONTS, "font-size": 14 },
    svg("title", {}, seen(caption)),
    svg("rect", { width, height, fill: style.backgroundColor }),
    drawing.shapes,
    under,
  );
}

const styleOf = (name) => {
  const probe = el("i", { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
};

function drawInside(element, drawing) {
  for (const node of element.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) drawText(node, element, drawing);
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".save") || !node.checkVisibility()) continue;
    if (node.namespaceURI === SVG) drawChart(node, drawing);
    else {
      drawBox(node, drawing);
      drawInside(node, drawing);
    }
  }
}

function take(rect, drawing) {
  drawing.right = Math.max(drawing.right, rect.right);
  drawing.bottom = Math.max(drawing.bottom, rect.bottom);
  return { x: rect.left - drawing.left, y: rect.top - drawing.top, width: rect.width, height: rect.height };
}

const unseen = (colour) => colour === "transparent" || /[,/] ?0\)$/.test(colour);

function drawBox(element, drawing) {
  const style = getComputedStyle(element),
    rect = element.getBoundingClientRect();
  if (!rect.width || !rect.height) return;
  const sides = ["Top", "Right", "Bottom", "Left"].map((side) => ({
    width: Number.parseFloat(style[`border${side}Width`]),
    colour: style[`border${side}Color`],
  }));
  const drawn = sides.filter((side) => side.width && !unseen(side.colour));
  if (unseen(style.backgroundColor) && !drawn.length) return;
  const { x, y, width, height } = take(rect, drawing);
  const even = drawn.length === 4 && new Set(drawn.map((side) => `${side.width} ${side.colour}`)).size === 1;
  const inset = even ? drawn[0].width / 2 : 0;
  drawing.shapes.push(
    svg("rect", {
      x: x + inset,
      y: y + inset,
      width: width - 2 * inset,
      height: height - 2 * inset,
      rx: Number.parseFloat(style.borderTopLeftRadius) || null,
      fill: unseen(style.backgroundColor) ? "none" : style.backgroundColor,
      stroke: even ? drawn[0].colour : null,
      "stroke-width": even ? drawn[0].width : null,
    }),
  );
  if (even) return;
  const ends = [
    [x, y, x + width, y],
    [x + width, y, x + width, y + height],
    [x, y + height, x + width, y + height],
    [x, y, x, y + height],
  ];
  sides.forEach((side, place) => {
    if (!side.width || unseen(side.colour)) return;
    const [x1, y1, x2, y2] = ends[place];
    drawing.shapes.push(svg("line", { x1, y1, x2, y2, stroke: side.colour, "stroke-width": side.width }));
  });
}

// Each line of a text as it was broken on the page.
function drawText(node, parent, drawing) {
  if (!node.data.trim()) return;
  const style = getComputedStyle(parent);
  for (const { text, rect } of linesOf(node)) {
    const { x, y, width, height } = take(rect, drawing);
    measure ??= document.createElement("canvas").getContext("2d");
    measure.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = measure.measureText(text);
    drawing.shapes.push(
      svg(
        "text",
        {
          x: round(x),
          y: round(y + (height * up) / (up + down)),
          fill: style.color,
          "font-size": style.fontSize,
          "font-weight": style.fontWeight === "400" ? null : style.fontWeight,
          "font-family": style.fontFamily.includes("mono") ? MONO : null,
          "text-decoration": style.textDecorationLine === "none" ? null : style.textDecorationLine,
          textLength: text.length > 1 ? round(width) : null,
        },
        seen(text),
      ),
    );
  }
}

const round = (number) => Math.round(100 * number) / 100;

function linesOf(node) {
  const lines = [],
    range = document.createRange();
  for (const found of node.data.matchAll(/\s*\S+/g)) {
    const word = found[0].trimStart();
    range.setStart(node, found.index + found[0].length - word.length);
    range.setEnd(node, found.index + found[0].length);
    const rects = [...range.getClientRects()].filter((rect) => rect.width);
    if (!rects.length) continue;
    const [rect] = rects,
      last = lines.at(-1);
    const end = { right: rects.at(-1).right, bottom: rects.at(-1).bottom };
    if (last && rects.length === 1 && Math.abs(last.rect.top - rect.top) < 2) {
      last.text += ` ${word}`;
      last.rect = new DOMRect(last.rect.left, last.rect.top, end.right - last.rect.left, last.rect.height);
    } else lines.push({ text: word, rect: new DOMRect(rect.left, rect.top, rect.width, rect.height) });
  }
  return lines;
}

// A chart is SVG already: what the page's style paints is written onto its parts.
function drawChart(chart, drawing) {
  const copy = chart.cloneNode(true);
  const { x, y, width, height } = take(chart.getBoundingClientRect(), drawing);
  const originals = [chart, ...chart.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, place) => {
    const style = getComputedStyle(originals[place]);
    part.removeAttribute("class");
    for (const [name, usual] of Object.entries(PAINTED)) {
      const value = style.getPropertyValue(name);
      if (place && value !== usual) part.setAttribute(name, value);
    }
  });
  for (const name of ["role", "aria-label"]) copy.removeAttribute(name);
  for (const [name, value] of Object.entries({ x, y, width, height, overflow: "visible" })) copy.setAttribute(name, value);
  drawing.shapes.push(copy);
}
