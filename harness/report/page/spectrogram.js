// A mel spectrogram: a short-time Fourier transform whose rows lie as far apart as they sound.

const SIZE = 1024;
const LOWEST = 60;
const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const hertzOf = (mels) => 700 * (10 ** (mels / 2595) - 1);

// Where a frequency lies between the lowest row, 0, and half the sampling rate, 1; and the way back.
function melShare(hertz, rate) {
  return (mel(hertz) - mel(LOWEST)) / (mel(rate / 2) - mel(LOWEST));
}

function hertzAt(share, rate) {
  return hertzOf(mel(LOWEST) + Math.max(0, Math.min(1, share)) * (mel(rate / 2) - mel(LOWEST)));
}

function paint(wave, canvas, rate) {
  const columns = canvas.width,
    rows = canvas.height,
    half = SIZE / 2;
  const image = new ImageData(columns, rows),
    pen = canvas.getContext("2d");
  const window = Float64Array.from({ length: SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE));
  const real = new Float64Array(SIZE),
    imaginary = new Float64Array(SIZE),
    power = new Float64Array(half + 1);
  const bands = melBands(rows, rate);
  for (let column = 0; column < columns; column++) {
    const middle = Math.floor(((column + 0.5) / columns) * wave.length);
    for (let n = 0; n < SIZE; n++) real[n] = (wave[middle - half + n] ?? 0) * window[n];
    imaginary.fill(0);
    transform(real, imaginary);
    for (let bin = 0; bin <= half; bin++) power[bin] = (real[bin] ** 2 + imaginary[bin] ** 2) / (half * half);
    for (let row = 0; row < rows; row++) {
      const level = 10 * Math.log10(bandPower(power, bands[rows - 1 - row]) + 1e-10);
      colour(image.data, 4 * (row * columns + column), (level + 80) / 75);
    }
  }
  pen.putImageData(image, 0, 0);
}

// From which bin to which each row reaches, from the lowest up.
function melBands(rows, rate) {
  const bin = (row) => (hertzAt(row / rows, rate) * SIZE) / rate;
  return Array.from({ length: rows }, (_, row) => [bin(row), bin(row + 1)]);
}

// The mean power of the bins in a band; where it is narrower than a bin, what lies between two of them.
function bandPower(power, [from, to]) {
  if (to - from < 1) {
    const at = (from + to) / 2,
      low = Math.floor(at);
    return power[low] + (at - low) * ((power[low + 1] ?? power[low]) - power[low]);
  }
  let sum = 0;
  const first = Math.round(from),
    last = Math.max(first + 1, Math.round(to));
  for (let bin = first; bin < last; bin++) sum += power[Math.min(bin, power.length - 1)];
  return sum / (last - first);
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
