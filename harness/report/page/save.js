// What can be taken out of the page: a card as SVG or PNG, a table as CSV or on the clipboard. It works from disk.

const SCALE_OF_PNG = 2;

// The card with its menu.
function savable(section, title) {
  (section.querySelector(".card-head") ?? section).append(saving(section, title));
  return section;
}

// A menu for a card; what is saved is read off the page at that moment, as wide and as coloured as it is seen.
function saving(section, title) {
  const said = el("span", { role: "status" });
  const act = (label, run) =>
    el("button", { type: "button", on: { click: () => run().then((done) => put(said, done), failed) } }, label);
  const failed = (error) => put(said, `Not saved: ${error.message}`);
  const tables = () => tablesOf(section);
  const menu = el("details", { class: "save" }, el("summary", { "aria-label": `Save ${title}` }, "Save"));
  menu.append(
    el(
      "div",
      { class: "save-menu" },
      act("SVG", async () => saved(title, "svg", new Blob([svgText(section, title)], { type: "image/svg+xml" }))),
      act("PNG", async () => saved(title, "png", await pngOf(section, title))),
    ),
  );
  menu.addEventListener("toggle", () => {
    if (!menu.open || menu.dataset.whole) return;
    menu.dataset.whole = "yes"; // only now is it known whether the card has a table
    if (tables().length)
      menu.lastChild.append(
        act("CSV", async () => saved(title, "csv", new Blob([`\ufeff${csvOf(tables())}`], { type: "text/csv" }))),
        act("Copy table", async () => copied(tsvOf(tables()))),
      );
    menu.lastChild.append(said);
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.firstChild.focus();
  });
  return menu;
}

function captionOf(title) {
  const task = page.first.tasks[page.task];
  return [title, page.first.title, task?.title].filter(Boolean).join(" \u00b7 ");
}

function svgText(section, title) {
  return new XMLSerializer().serializeToString(pictureOf(section, captionOf(title)));
}

async function pngOf(section, title) {
  const text = svgText(section, title);
  const bytes = new TextEncoder().encode(text);
  const data = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const image = new Image();
  image.src = `data:image/svg+xml;base64,${data}`;
  await image.decode();
  const canvas = el("canvas", { width: SCALE_OF_PNG * image.width, height: SCALE_OF_PNG * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) =>
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("it is too large for a picture")))),
  );
}

function saved(title, ending, blob) {
  const link = el("a", { download: `${fileName(title)}.${ending}`, href: URL.createObjectURL(blob) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  return `Saved ${link.download}`;
}

function fileName(title) {
  const task = page.first.tasks[page.task]?.name ?? "";
  const plain = `${task} ${title}`.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  return plain.replace(/^-+|-+$/g, "").slice(0, 80) || "dtbench";
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = el("textarea", { class: "aside", "aria-hidden": true });
    document.body.append(field);
    field.value = text;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("the browser gives no access to the clipboard");
  }
  return "Copied";
}

// The tables of a card as rows of texts; what a bar shows stands beside it as numbers.
function tablesOf(section) {
  const real = [...section.querySelectorAll("table")].map((one) =>
    [...one.rows].map((row) => [...row.cells].map((cell) => cellText(cell))),
  );
  const groups = [...section.querySelectorAll(".groups")].map(groupLines);
  return [...real, ...groups].filter((lines) => lines.length);
}

function cellText(cell) {
  const chart = cell.querySelector("svg[aria-label]"),
    walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT),
    texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode.data.trim());
  // Parts that stand below each other on the page are one text here.
  const text = texts.filter(Boolean).join(" ") || chart?.getAttribute("aria-label") || "";
  return text.replace(/\s+/g, " ").replace(/ [\u2191\u2193]$/, ""); // the arrow says how the page is sorted
}

function groupLines(groups) {
  const several = page.first.runs.length > 1;
  const lines = [...groups.querySelectorAll(".group")].flatMap((group) => {
    const name = group.querySelector(".name").textContent;
    return [...group.querySelectorAll(".group-bar")].map((bar) => [
      name,
      ...(several ? [runName(Number(bar.dataset.run))] : []),
      ...[".number", ".note", ".n"].map((part) => (bar.querySelector(part)?.textContent ?? "").replace(/^n /, "")),
    ]);
  });
  const titles = ["Group", ...(several ? ["Run"] : []), "Official score, %", "95 % interval", "n"];
  return lines.length ? [titles, ...lines] : [];
}

// A spreadsheet would calculate what begins like a formula: such a text gets an apostrophe, a number stays a number.
function harmless(text) {
  const plain = text.replace(/^\u2212(?=[\d.])/, "-");
  if (/^[+-]?[\d,]*\.?\d+(e[+-]?\d+)?$/i.test(plain)) return plain;
  return /^\s*[=+\-@\u2212\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/.test(text) ? `'${text}` : text;
}

function csvOf(tables) {
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return tables.map((lines) => lines.map((line) => `${line.map(harmless).map(cell).join(",")}\r\n`).join("")).join("\r\n");
}

function tsvOf(tables) {
  const cell = (text) => text.replace(/[\t\r\n]+/g, " ");
  return tables.map((lines) => lines.map((line) => line.map(cell).map(harmless).join("\t")).join("\n")).join("\n\n");
}
