// A clip's player, and its spectrogram over seconds and Hz, in which one can seek. Only what is looked at is decoded.

const HEARD = 16000;
const HERTZ = [250, 500, 1000, 2000, 4000, 8000];
let context = null;

// Those of a question in their order; null in place of one that is not in the report.
function clipsOf(row) {
  const key = `${page.task}/${row.id}`,
    clips = [page.clips[key] ?? null];
  for (let number = 2; page.clips[`${key}\n${number}`]; number++) clips.push(page.clips[`${key}\n${number}`]);
  return clips;
}

function soundOf(row) {
  const clips = clipsOf(row);
  if (clips.length === 1) return soundOfClip(clips[0]);
  return clips.map((clip, place) => [el("b", { class: "kind" }, `Clip ${place + 1}`), soundOfClip(clip)]);
}

function soundOfClip(clip) {
  if (clip === null)
    return page.first.audio === "none" ? null : el("p", { class: "note" }, "Its clip is not in this report.");
  if (clip.missing) return el("p", { class: "note" }, "No clip: ", words(clip.missing));
  if (!clip.link) return player(`data:${clip.type};base64,${byId(`clip-${clip.inside}`).textContent}`);
  // A browser lets no page from disk read another file, so only what is served has a spectrogram.
  if (location.protocol === "file:")
    return el("div", { class: "sound" }, el("audio", { controls: true, preload: "none", src: clip.link }));
  return player(clip.link);
}

function player(source) {
  const audio = el("audio", { controls: true, preload: "metadata", src: source });
  const frame = spectrogramFrame(audio);
  // Whoever runs down the list does not wait for pictures.
  setTimeout(() => audio.isConnected && drawSpectrogram(source, frame).catch(() => {}), 120);
  return el("div", { class: "sound" }, audio, frame);
}

async function encodedBytes(source) {
  if (!source.startsWith("data:")) return (await fetch(source)).arrayBuffer();
  const packed = atob(source.slice(source.indexOf(",") + 1)),
    bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
  return bytes.buffer;
}

async function drawSpectrogram(source, frame) {
  context ??= new OfflineAudioContext(1, 1, HEARD);
  const sound = await context.decodeAudioData(await encodedBytes(source));
  paint(sound.getChannelData(0), frame.querySelector("canvas"), HEARD);
  frame.hidden = false;
  put(frame.querySelector(".seconds"), secondMarks(sound.duration));
}

// A slider over the seconds of the clip: a click, a drag or the arrow keys seek, and what lies under the pointer is read out.
function spectrogramFrame(audio) {
  const canvas = el("canvas", { class: "spectrogram", width: 900, height: 160 });
  const head = el("div", { class: "playhead" }),
    cursor = el("div", { class: "cursor", hidden: true }),
    read = el("span", { class: "readout" });
  const marks = HERTZ.map((hertz) => {
    const mark = el("span", { class: "hertz" }, hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`);
    mark.style.bottom = `${100 * melShare(hertz, HEARD)}%`;
    return mark;
  });
  const slider = el(
    "div",
    { class: "picture", role: "slider", tabindex: 0, "aria-label": "Position in the clip, over its mel spectrogram" },
    canvas,
    marks,
    cursor,
    head,
    read,
  );
  const frame = el("div", { class: "frame", hidden: true }, slider, el("div", { class: "seconds", "aria-hidden": true }));
  seekable(slider, audio);
  follow(audio, head, slider);
  slider.addEventListener("pointermove", (event) => {
    const box = slider.getBoundingClientRect();
    const hertz = hertzAt(1 - (event.clientY - box.top) / box.height, HEARD);
    cursor.hidden = false;
    cursor.style.left = `${event.clientX - box.left}px`;
    read.textContent = `${(secondAt(event, slider, audio) ?? 0).toFixed(2)} s, ${count(Math.round(hertz))} Hz`;
  });
  slider.addEventListener("pointerleave", () => {
    cursor.hidden = true;
    read.textContent = "";
  });
  return frame;
}

function secondAt(event, slider, audio) {
  const box = slider.getBoundingClientRect();
  const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  return Number.isFinite(audio.duration) ? share * audio.duration : null;
}

function seekable(slider, audio) {
  const seek = (second) => {
    if (second !== null) audio.currentTime = Math.max(0, Math.min(audio.duration || 0, second));
  };
  slider.addEventListener("pointerdown", (event) => {
    slider.setPointerCapture(event.pointerId);
    seek(secondAt(event, slider, audio));
  });
  slider.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) seek(secondAt(event, slider, audio));
  });
  slider.addEventListener("click", () => audio.play());
  slider.addEventListener("keydown", (event) => {
    const step = Math.max(0.1, (audio.duration || 0) / 50);
    const to = { ArrowLeft: audio.currentTime - step, ArrowRight: audio.currentTime + step, Home: 0, End: audio.duration };
    if (!(event.key in to) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    seek(to[event.key]);
  });
}

function follow(audio, head, slider) {
  const tell = () => {
    const now = audio.currentTime.toFixed(2),
      end = Number.isFinite(audio.duration) ? audio.duration.toFixed(2) : "0";
    const about = { valuemin: 0, valuemax: end, valuenow: now, valuetext: `${now} of ${end} seconds` };
    for (const [name, value] of Object.entries(about)) slider.setAttribute(`aria-${name}`, value);
  };
  const step = () => {
    head.style.left = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
    if (!audio.paused && audio.isConnected) requestAnimationFrame(step);
  };
  tell();
  for (const event of ["play", "seeking", "seeked", "timeupdate"]) audio.addEventListener(event, step);
  for (const event of ["loadedmetadata", "seeked", "timeupdate"]) audio.addEventListener(event, tell);
}

// Round seconds under the picture, ten at most.
function secondMarks(duration) {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60].find((one) => duration / one <= 10) ?? 120;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const marks = [];
  for (let place = 0; place * step <= duration * 1.0001; place++) {
    const mark = el("span", {}, `${(place * step).toFixed(digits)}${place ? "" : " s"}`);
    mark.style.left = `${(100 * place * step) / duration}%`;
    marks.push(mark);
  }
  return marks;
}

function playOrPause() {
  const every = [...byId("detail").querySelectorAll("audio")],
    audio = every.find((one) => !one.paused) ?? every[0];
  if (audio) audio.paused ? audio.play() : audio.pause();
}
