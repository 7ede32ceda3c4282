// What probes found inside the model: the lens, the weights and the states, each with its null.

const LENS_NAMES = {
  opening: "Opening tag",
  first: "First token",
  content: "Words for what is heard",
  answer: "Answer",
  direct: "Answer at once",
};

function drawProbes() {
  const { lens, weights, states } = page.first.probes;
  put(
    byId("view-inside"),
    lens ? lens.checkpoints.map((one) => lensCard(lens, one)) : null,
    weights ? weights.stages.map(weightCard) : null,
    states ? stateCard(states) : null,
  );
}

function lensCard(lens, one) {
  const note =
    `${count(lens.questions)} questions of ${seen(lens.task)}; on every checkpoint: ${seen(lens.text)}. Settled: the ` +
    "token is the likeliest from that layer up to the top; 0 is the embeddings. Chance: the probability of another " +
    "question's token. Hears to: the layer after which another clip no longer matters.";
  const lines = one.kinds.map((kind) => [
    LENS_NAMES[kind.kind] ?? seen(kind.kind),
    count(kind.tokens),
    estimated(kind.share, (share) => percent(share)),
    el("b", {}, estimated(kind.layer, (layer) => figure(layer, 3))),
    limitsOf(kind.layer),
    estimated(kind.probability, (value) => figure(value, 3)),
    kind.other ? estimated(kind.other, (value) => figure(value, 3)) : "\u2013",
    kind.hears === undefined || kind.hears === null ? "\u2013" : kind.ends === null ? "nothing" : count(kind.ends),
  ]);
  const titles = ["Token", "n", "Settled, %", "At layer", "95 % interval", "p at the top", "Chance", "Hears to"];
  const layers = one.kinds[0].entropies.map((_, layer) => [
    count(layer),
    ...one.kinds.map((kind) => `${figure(kind.probabilities[layer], 3)} (${figure(kind.entropies[layer], 3)})`),
  ]);
  return card(
    `${one.control ? "Lens of the control" : "Lens"}: ${seen(one.checkpoint)}`,
    note,
    table(titles, lines),
    el(
      "details",
      {},
      el("summary", {}, "Probability (entropy in bits) by layer"),
      table(["Layer", ...one.kinds.map((kind) => LENS_NAMES[kind.kind] ?? seen(kind.kind))], layers),
    ),
  );
}

function estimated(estimate, shown) {
  return known(estimate.value) ? shown(estimate.value) : "\u2013";
}

function limitsOf(estimate) {
  return known(estimate.low) ? `${figure(estimate.low, 3)} to ${figure(estimate.high, 3)}` : "";
}

function weightCard(stage) {
  const null_ = stage.random === null ? "" : ` Steps without a direction give an rms of ${figure(stage.random, 3)}.`;
  const beside = stage.kinds.some((kind) => known(kind.beside));
  const lines = stage.kinds.map((kind) => [
    seen(kind.name),
    figure(kind.rms, 3),
    ...(beside ? [known(kind.beside) ? figure(kind.beside, 3) : "\u2013"] : []),
    percent(kind.changed),
    known(kind.relative) ? figure(kind.relative, 3) : "\u2013",
    known(kind.rank) ? `${figure(kind.rank, 3)} / ${figure(kind.noise_rank, 3)}` : "\u2013",
    seen(kind.verdict),
  ]);
  return card(
    `${stage.control ? "Weights of the control" : "Weights"}: ${seen(stage.before)} \u2192 ${seen(stage.after)}`,
    `${seen(stage.changed)} A relative change mirrors the size of the weights.${null_}`,
    table(
      [
        "Kind",
        "rms of the change",
        ...(beside ? ["The control's"] : []),
        "Changed, %",
        "Relative",
        "Rank / of noise",
        "",
      ],
      lines,
    ),
  );
}

function stateCard(states) {
  const beside = states.swaps.some((swap) => swap.control);
  const lines = states.swaps.map((swap) => [
    seen(swap.part),
    swap.first === swap.last ? count(swap.first + 1) : `${count(swap.first + 1)} to ${count(swap.last + 1)}`,
    estimated(swap.text_share, (share) => percent(share)),
    limitsOf(swap.text_share),
    ...(beside ? [estimated(swap.control, (share) => percent(share)), limitsOf(swap.control)] : []),
    estimated(swap.accuracy_share, (share) => percent(share)),
  ]);
  return card(
    "States: weights of B in A",
    `${seen(states.verdict)} Share of what all of B changes; nothing swapped is 0 by definition.`,
    table(
      [
        "Part",
        "Layers",
        "Share of log-probability, %",
        "95 % interval",
        ...(beside ? ["The control's, %", "95 % interval"] : []),
        "Share of accuracy, %",
      ],
      lines,
    ),
  );
}
