// The bar above the list: words to search for, what can be chosen, and the order.

function drawFilters() {
  const task = page.tasks[page.task];
  const several = task.runs.length > 1;
  const counted = (found, name) => found.map(([value, times]) => [value, `${name(value)} (${count(times)})`]);
  const selects = [
    choice("state", "any outcome", stateChoices(task)),
    several ? choice("change", "any change", changeChoices(task)) : null,
    several ? choice("run", "in any run", task.runs.map((_, run) => [String(run), `in ${fullName(run)}`])) : null,
    ...task.groups.map((group) =>
      choice(`group:${group.heading}`, `any ${group.heading}`, counted(groupCounts(task, group), seen)),
    ),
    choice("rubric", "any rubric score", rubricChoices(task)),
    choice("how", "any rule of extraction", counted(tallied(task, "how"), seen)),
    choice("level", "any evidence", counted(tallied(task, "level"), seen)),
    choice("finish", "any finish reason", counted(tallied(task, "finish"), seen)),
    sortBar(task),
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
    el("summary", {}, "Filters and order"),
    el("div", { class: "selects" }, selects, clear),
  );
  more.open = window.matchMedia("(min-width: 760px)").matches;
  put(byId("filters"), search, el("output", { id: "found", "aria-busy": "false" }), more);
}

function stateChoices(task) {
  const times = new Uint32Array(STATES.length + 1);
  let differ = 0;
  for (let place = 0; place < task.count; place++) {
    const here = new Set();
    let apart = false;
    for (const run of task.runs) {
      for (let answer = run.begin[place]; answer < run.begin[place + 1]; answer++) {
        here.add(run.state[answer]);
        apart ||= disagrees(run, answer);
      }
    }
    for (const state of here) times[state + 1]++;
    if (apart) differ++;
  }
  const states = ranked(STATES, times).map(([state, n]) => [state, `${state} (${count(n)})`]);
  return states.concat([["disagrees", `official and strict differ (${count(differ)})`]]);
}

function groupCounts(task, group) {
  const times = new Uint32Array(group.values.length + 1);
  for (const value of group.column) times[value]++;
  return ranked(group.values, times);
}

function changeChoices(task) {
  const after = task.runs.length === 2 ? runName(page.base === 0 ? 1 : 0).toLowerCase() : "any run";
  const labels = { flipped: "flipped", better: `better in ${after}`, worse: `worse in ${after}`, same: "unchanged" };
  return Object.entries(labels).map(([value, label]) => {
    const n = task.every.reduce((sum, place) => sum + changed(task, place, value, null), 0);
    return [value, `${label} (${count(n)})`];
  });
}

function rubricChoices(task) {
  if (!task.runs.some((run) => run.rubric.some((score) => !Number.isNaN(score)))) return [];
  return Object.entries(RUBRICS).map(([value, [label]]) => [value, label]);
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

function sortChoices(task) {
  const several = task.runs.length > 1;
  const judged = rubricChoices(task).length > 0;
  return [
    several ? ["flips", "what changed first"] : null,
    ["data", "data order"],
    ["id", "id"],
    several ? ["changes", "runs with another verdict"] : null,
    ...task.runs.map((_, run) => [`verdict:${run + 1}`, several ? `verdict of ${fullName(run)}` : "verdict"]),
    ["seconds", "seconds"],
    ["tokens", "output tokens"],
    ["chain", "length of reasoning"],
    judged ? ["rubric", "rubric score"] : null,
    ...task.groups.map(({ heading }) => [`group:${heading}`, seen(heading)]),
  ].filter(Boolean);
}

function sortBar(task) {
  const fallback = task.runs.length > 1 ? "flips" : "data";
  const now = page.filter.sort || fallback;
  const name = now.replace("-", "");
  const select = el(
    "select",
    { "aria-label": "Order" },
    sortChoices(task).map(([value, label]) => el("option", { value, selected: value === name }, `by ${label}`)),
  );
  const turn = el("button", { type: "button", "aria-label": "Turn the order around", title: "Turn the order around" });
  const show = () => put(turn, page.filter.sort.startsWith("-") ? "\u2193" : "\u2191");
  select.addEventListener("change", () => {
    refilter({ sort: select.value === fallback ? "" : select.value });
    show();
  });
  turn.addEventListener("click", () => {
    const sort = page.filter.sort || fallback;
    refilter({ sort: sort.startsWith("-") ? sort.slice(1) : `-${sort}` });
    show();
  });
  show();
  return el("span", { class: "order" }, select, turn);
}

function refilter(change) {
  const before = page.found[page.selected] ?? page.sought;
  page.filter = { ...page.filter, ...change };
  const task = page.tasks[page.task];
  if (!wordsOf(page.filter.words).length) {
    stopSearching();
    return showFound(task, filtered(task, page.filter, null), before, 1);
  }
  searchAll(task, page.filter.words, (hits, done) => showFound(task, filtered(task, page.filter, hits), before, done));
}

function showFound(task, found, before, done) {
  page.found = found;
  page.selected = -1;
  const output = byId("found");
  const text = found.length === task.count ? plural(task.count, "question") : `${count(found.length)} of ${count(task.count)}`;
  output.textContent = done < 1 ? `${text}, searching: ${percent(done, 0)} %` : text;
  output.setAttribute("aria-busy", String(done < 1));
  byId("list").scrollTop = 0;
  listRows();
  const again = found.indexOf(before);
  const wide = window.matchMedia("(min-width: 760px)").matches;
  if (found.length && (wide || again >= 0)) select(Math.max(0, again), again >= 0 && before === page.sought);
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
