// Elements out of values. Nothing here or elsewhere reads text as HTML: what a model wrote can only ever be text.

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
// Signs that turn the direction of the text around them, or that nothing shows.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || (value === false && !name.startsWith("aria-"))) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function put(node, ...children) {
  node.replaceChildren(...children.flat(3).filter(Boolean));
  return node;
}

function seen(text) {
  return String(text)
    .replace(/\r\n/g, "\n")
    .replace(UNSEEN, (sign) => `\u27e8U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}

function words(text, props) {
  return el("span", { dir: "auto", class: "words", ...props }, seen(text));
}

const known = (value) => value !== null && value !== undefined;
const whole = new Intl.NumberFormat("en-US");
const count = (number) => (number === null || number === undefined ? "\u2013" : whole.format(number));
const percent = (share, digits = 1) =>
  share === null || share === undefined ? "\u2013" : (100 * share).toFixed(digits);
const signed = (share, digits = 1) => (share >= 0 ? "+" : "\u2212") + Math.abs(100 * share).toFixed(digits);
const between = (part) =>
  part.low === null || part.low === undefined ? "" : `${percent(part.low)} to ${percent(part.high)}`;

function figure(number, digits = 4) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 100000 || size < 0.001) return number.toExponential(2);
  return String(Number(number.toPrecision(digits)));
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function card(title, note, ...children) {
  const head = el("div", { class: "card-head" }, el("h2", {}, title), note ? el("p", { class: "note" }, note) : null);
  return savable(el("section", { class: "card" }, head, children), title);
}

// What has to be scrolled sideways can be reached by keys.
function wide(...children) {
  const node = el("div", { class: "wide", tabindex: 0 }, ...children);
  new ResizeObserver(() => {
    if (node.scrollWidth > node.clientWidth) node.tabIndex = 0;
    else node.removeAttribute("tabindex");
  }).observe(node);
  return node;
}

function table(titles, lines, props) {
  const head = el(
    "tr",
    {},
    titles.map((title) => el("th", { scope: "col" }, title)),
  );
  const body = lines.map((cells) =>
    el(
      "tr",
      {},
      cells.map((cell) => el("td", {}, cell)),
    ),
  );
  return wide(el("table", props, el("thead", {}, head), el("tbody", {}, body)));
}
