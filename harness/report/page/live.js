// Of a page that `dtbench view` serves: what its runs write is taken in as it comes. A page from disk does none of this.

const live = { version: "", query: "", busy: false, again: false };

function followRuns() {
  if (!byId("served")) return;
  const { runs, version } = JSON.parse(byId("served").textContent);
  live.version = version;
  live.query = new URLSearchParams(runs.map((run) => ["run", run])).toString();
  const state = el("span", { id: "live", class: "note", role: "status" });
  document.querySelector(".tools").prepend(state, el("a", { class: "all-runs", href: "./" }, "All runs"));
  const events = new EventSource(`events?${live.query}&since=${version}`);
  events.onmessage = async () => {
    while (document.documentElement.dataset.ready !== "yes") await new Promise((ready) => setTimeout(ready, 50));
    takeIn(state);
  };
  events.onerror = () => put(state, "no connection to dtbench view");
  events.onopen = () => put(state);
}

async function takeIn(state) {
  const audio = [...byId("detail").querySelectorAll("audio")].find((one) => !one.paused);
  // Nobody's sound is cut off: what came meanwhile is taken in when it ends.
  if (audio) return void audio.addEventListener("pause", () => takeIn(state), { once: true });
  live.again = live.busy;
  if (live.busy) return;
  live.busy = true;
  try {
    const reply = await fetch(`change?${live.query}&since=${live.version}`);
    if (!reply.ok) return void put(state, await reply.text());
    const change = await reply.json();
    if (change.version === live.version) return;
    for (const [name, text] of Object.entries(change.parts)) replacePart(name, text);
    live.version = change.version;
    await drawAgain();
    put(state, `updated ${new Date().toLocaleTimeString("en-GB")}`);
  } finally {
    live.busy = false;
    if (live.again) takeIn(state);
  }
}

function replacePart(name, text) {
  parts.delete(name);
  const element = byId(name) ?? el("script", { type: "text/plain", id: name });
  element.textContent = text;
  if (!element.isConnected) document.body.append(element);
}

// The same view, filters, question and place as before, over the new data.
async function drawAgain() {
  const asked = readAddress();
  const [top, listTop, detailTop] = [window.scrollY, byId("list").scrollTop, byId("detail").scrollTop];
  const { activeElement: active } = document;
  const typed = active?.id === "search" ? active.selectionStart : null;
  page.first = JSON.parse(byId("first").textContent);
  await loadSamples();
  drawTop();
  drawOverview();
  drawSettings();
  if (page.first.training) drawTraining();
  openSamples(asked);
  prepareSearch();
  show(viewOf(asked));
  window.scrollTo(0, top);
  [byId("list").scrollTop, byId("detail").scrollTop] = [listTop, detailTop];
  if (typed !== null) {
    byId("search").focus();
    byId("search").setSelectionRange(typed, typed);
  }
}

followRuns();
