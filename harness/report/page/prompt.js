// What stands beside an answer: the prompt as it was sent, and what a person says on how to get to the right answer.

function promptsOf(about, extra) {
  const shared = about.prompts.map((prompt, number) => {
    const runs = about.prompt_of.map((own, run) => (own === number ? run : -1)).filter((run) => run >= 0);
    return { ...prompt, runs, words: extra.prompts?.[number] ?? null };
  });
  return el(
    "details",
    { class: "prompt" },
    el("summary", {}, "Prompt as sent"),
    shared.map((prompt) => [
      about.prompts.length > 1 ? el("h3", {}, prompt.runs.map(runName).join(", ")) : null,
      prompt.system ? message("system", prompt.system) : null,
      prompt.examples ? el("p", { class: "note" }, `Before it: ${prompt.examples} of the task's examples with their answers.`) : null,
      message("user", prompt.words ?? prompt.text, extra.clips ?? 1),
      prompt.words === null
        ? el("p", { class: "note" }, "These are the stored words; those of this question cannot be made again.")
        : null,
    ]),
  );
}

function clipMark(number, count) {
  return el("span", { class: "chip" }, count > 1 ? `audio clip ${number}` : "audio clip");
}

function message(role, text, clips = 0) {
  return el(
    "div",
    { class: "message" },
    el("span", { class: "role" }, role),
    el("div", { class: "response", dir: "auto" }, ...withClips(text, clips)),
  );
}

// As they are sent: a clip stands where the text has its mark, before the text where it has none.
function withClips(text, count) {
  const named = new Set(),
    parts = text.split(/(\{audio [1-9][0-9]*\})/).map((part) => {
      const number = Number(/^\{audio ([1-9][0-9]*)\}$/.exec(part)?.[1] ?? count + 1);
      if (number > count || named.has(number)) return seen(part);
      named.add(number);
      return clipMark(number, count);
    }),
    others = Array.from({ length: count }, (_, place) => place + 1).filter((number) => !named.has(number));
  return [...others.map((number) => [clipMark(number, count), " "]), ...parts];
}

function referenceCard(reference) {
  if (!reference) return null;
  const { chain, cue, criteria } = reference;
  return el(
    "section",
    { class: "reference" },
    el("h3", {}, "Reference"),
    chain ? [el("b", { class: "kind" }, "Reasoning of the item's author"), el("p", { class: "response" }, seen(chain))] : null,
    cue ? [el("b", { class: "kind" }, "Cue"), el("p", { class: "response" }, seen(cue))] : null,
    criteria
      ? [
          el("b", { class: "kind" }, "Criteria"),
          el(
            "ul",
            {},
            criteria.map((one) =>
              el(
                "li",
                {},
                el("b", {}, words(one.name)),
                one.point ? [": ", words(one.point)] : null,
                one.note ? el("span", { class: "note" }, " ", words(one.note)) : null,
              ),
            ),
          ),
        ]
      : null,
  );
}
