// The bar above the list: words to search for, and what can be chosen.

function drawFilters() {
  const task = page.first.tasks[page.task],
    rows = page.tasks[page.task];
  const two = page.first.runs.length > 1;
  const named = (names) => names.map(([value, label]) => [value, label]);
  const counted = (found, name) => found.map(([value, times]) => [value, `${name(value)} (${count(times)})`]);
  const answers = (row) => row.runs.flat();
  const states = counted(
    tallied(rows, (row) => answers(row).map((one) => one.state)),
    (state) => state,
  ).concat([["disagrees", `official and strict differ (${count(rows.filter((row) => row.disagrees).length)})`]]);
  const selects = [
    choice("state", "any outcome", states),
    two ? choice("change", "any change", changes(rows)) : null,
    two
      ? choice(
          "run",
          "in either run",
          named([
            ["0", "in run 1"],
            ["1", "in run 2"],
          ]),
        )
      : null,
    ...task.headings.map((heading) =>
      choice(
        `group:${heading}`,
        `any ${heading}`,
        counted(
          tallied(rows, (row) => (heading in row.groups ? [row.groups[heading]] : [])),
          seen,
        ),
      ),
    ),
    choice(
      "how",
      "any rule of extraction",
      counted(
        tallied(rows, (row) =>
          answers(row)
            .map((one) => one.how)
            .filter(Boolean),
        ),
        seen,
      ),
    ),
    choice(
      "level",
      "any evidence",
      counted(
        tallied(rows, (row) =>
          answers(row)
            .map((one) => one.level)
            .filter(Boolean),
        ),
        seen,
      ),
    ),
    choice(
      "finish",
      "any finish reason",
      counted(
        tallied(rows, (row) =>
          answers(row)
            .map((one) => one.finish)
            .filter(Boolean),
        ),
        seen,
      ),
    ),
    two ? choice("order", "flips first", named([["data", "in data order"]])) : null,
  ];
  const search = el("input", {
    type: "search",
    id: "search",
    placeholder: "Search questions and answers  /",
    "aria-label": "Search",
    value: page.filter.words,
  });
  search.addEventListener("input", () => refilter({ words: search.value }));
  const clear = el("button", { type: "button", on: { click: clearFilters } }, "Clear");
  const more = el(
    "details",
    { class: "more" },
    el("summary", {}, "Filters"),
    el("div", { class: "selects" }, selects, clear),
  );
  more.open = window.matchMedia("(min-width: 760px)").matches;
  put(byId("filters"), search, el("output", { id: "found" }), more);
}

function changes(rows) {
  const times = (wanted) => rows.filter((row) => changed(row.change, wanted)).length;
  return [
    ["flipped", "flipped"],
    ["better", "better in run 2"],
    ["worse", "worse in run 2"],
    ["same", "unchanged"],
  ].map(([value, label]) => [value, `${label} (${count(times(value))})`]);
}

function choice(name, any, options) {
  if (options.length < (name.startsWith("group:") || name === "finish" ? 2 : 1)) return null;
  const [kind, heading] = name.startsWith("group:") ? ["group", name.slice(6)] : [name, null];
  const now = kind === "group" ? (page.filter.groups[heading] ?? "") : page.filter[kind];
  const select = el("select", { "aria-label": any, class: now ? "set" : null }, el("option", { value: "" }, any));
  for (const [value, label] of options) select.append(el("option", { value, selected: value === now }, label));
  select.addEventListener("change", () => {
    select.classList.toggle("set", select.value !== "");
    refilter(
      kind === "group" ? { groups: { ...page.filter.groups, [heading]: select.value } } : { [kind]: select.value },
    );
  });
  return select;
}

function refilter(change) {
  const before = page.found[page.selected];
  page.filter = { ...page.filter, ...change };
  const rows = page.tasks[page.task];
  page.found = filtered(rows, page.filter);
  page.selected = -1;
  byId("found").textContent =
    page.found.length === rows.length
      ? plural(rows.length, "question")
      : `${count(page.found.length)} of ${count(rows.length)}`;
  byId("list").scrollTop = 0;
  listRows();
  const again = page.found.indexOf(before);
  const wide = window.matchMedia("(min-width: 760px)").matches;
  if (page.found.length && (wide || again >= 0)) select(Math.max(0, again), false);
  else put(byId("detail"));
  remember();
}

function clearFilters() {
  page.filter = emptyFilter();
  drawFilters();
  refilter({});
}

// From a chart or a table to the samples behind it.
function showOnly(change) {
  page.filter = { ...emptyFilter(), ...change };
  show("samples");
  drawFilters();
  refilter({});
}
