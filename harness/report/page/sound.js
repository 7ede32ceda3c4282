// A clip's player and its spectrogram. Only what is looked at is decoded.

const SIZE = 512;
let context = null;

function clipOf(row) {
  return page.clips[`${page.task}/${row.id}`] ?? null;
}

function soundOf(row) {
  const clip = clipOf(row);
  if (clip === null)
    return page.first.audio === "none" ? null : el("p", { class: "note" }, "Its clip is not in this report.");
  if (clip.missing) return el("p", { class: "note" }, "No clip: ", words(clip.missing));
  if (clip.link) return el("div", { class: "sound" }, el("audio", { controls: true, preload: "none", src: clip.link }));
  const data = byId(`clip-${clip.inside}`).textContent;
  const audio = el("audio", { controls: true, preload: "metadata", src: `data:audio/mpeg;base64,${data}` });
  const canvas = el("canvas", {
    class: "spectrogram",
    width: 900,
    height: 160,
    title: "Spectrogram; click to play from there",
  });
  const head = el("div", { class: "playhead" });
  const frame = el(
    "div",
    { class: "frame", hidden: true },
    canvas,
    head,
    el("span", { class: "hertz upper" }, "8 kHz"),
    el("span", { class: "hertz" }, "0"),
  );
  const draw = () =>
    spectrogram(data, canvas).then(
      () => {
        frame.hidden = false;
      },
      () => {
        frame.hidden = true;
      },
    );
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    if (audio.duration) audio.currentTime = (audio.duration * (event.clientX - box.left)) / box.width;
    audio.play();
  });
  follow(audio, head);
  setTimeout(() => audio.isConnected && draw(), 120); // whoever runs down the list does not wait for pictures
  return el("div", { class: "sound" }, audio, frame);
}

function follow(audio, head) {
  const step = () => {
    head.style.left = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
    if (!audio.paused && audio.isConnected) requestAnimationFrame(step);
  };
  for (const event of ["play", "seeked", "timeupdate"]) audio.addEventListener(event, step);
}

async function spectrogram(data, canvas) {
  const packed = atob(data),
    bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
  context ??= new OfflineAudioContext(1, 1, 16000);
  const sound = await context.decodeAudioData(bytes.buffer);
  paint(sound.getChannelData(0), canvas);
}

function paint(wave, canvas) {
  const columns = canvas.width,
    rows = canvas.height,
    half = SIZE / 2;
  const image = new ImageData(columns, rows),
    pen = canvas.getContext("2d");
  const window = Float64Array.from({ length: SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE));
  const real = new Float64Array(SIZE),
    imaginary = new Float64Array(SIZE);
  for (let column = 0; column < columns; column++) {
    const middle = Math.floor(((column + 0.5) / columns) * wave.length);
    for (let n = 0; n < SIZE; n++) real[n] = (wave[middle - half + n] ?? 0) * window[n];
    imaginary.fill(0);
    transform(real, imaginary);
    for (let row = 0; row < rows; row++) {
      const bin = Math.floor(((rows - 1 - row) * half) / rows);
      const power = (real[bin] ** 2 + imaginary[bin] ** 2) / (half * half);
      colour(image.data, 4 * (row * columns + column), (10 * Math.log10(power + 1e-10) + 80) / 75);
    }
  }
  pen.putImageData(image, 0, 0);
}

// Dark to light over violet and orange: as bright as loud, also for who sees no colours.
const SCALE = [
  [8, 8, 24],
  [62, 20, 92],
  [142, 41, 108],
  [216, 80, 66],
  [250, 158, 40],
  [252, 244, 176],
];

function colour(pixels, place, level) {
  const at = Math.max(0, Math.min(0.9999, level)) * (SCALE.length - 1),
    low = Math.floor(at);
  for (let part = 0; part < 3; part++)
    pixels[place + part] = SCALE[low][part] + (at - low) * (SCALE[low + 1][part] - SCALE[low][part]);
  pixels[place + 3] = 255;
}

// Fourier's transform in place, radix 2.
function transform(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [real[i], real[j]] = [real[j], real[i]];
  }
  for (let length = 2; length <= n; length *= 2) {
    const angle = (-2 * Math.PI) / length;
    for (let k = 0; k < length / 2; k++) {
      const c = Math.cos(angle * k),
        s = Math.sin(angle * k);
      for (let i = k; i < n; i += length) {
        const j = i + length / 2;
        const re = real[j] * c - imaginary[j] * s,
          im = real[j] * s + imaginary[j] * c;
        real[j] = real[i] - re;
        imaginary[j] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}

function playOrPause() {
  const audio = byId("detail").querySelector("audio");
  if (audio) audio.paused ? audio.play() : audio.pause();
}
