// What is packed in the page: columns of numbers for all answers, and texts that are unpacked when they are looked at.

const KINDS = { B: Uint8Array, I: Uint32Array, f: Float32Array };
const MOST_PARTS = 120;
const parts = new Map();

async function unpackedBytes(id) {
  const element = await elementOf(id);
  const packed = atob(element.textContent);
  const bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// A large page is looked at while its last parts are still being read.
async function elementOf(id) {
  while (!byId(id) && document.readyState === "loading") await new Promise((ready) => setTimeout(ready, 20));
  return byId(id);
}

async function unpackedColumns(id) {
  const buffer = await unpackedBytes(id);
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const column = ({ at, n, kind }) => new KINDS[kind](buffer, 4 + length + at, n);
  return { header, column };
}

// A part of the texts, as a list; the last ones that were looked at stay unpacked.
function unpackedPart(id) {
  const known = parts.get(id);
  parts.delete(id);
  const part = known ?? { list: null, ready: null };
  part.ready ??= unpackedBytes(id).then((buffer) => (part.list = JSON.parse(new TextDecoder().decode(buffer))));
  parts.set(id, part);
  if (parts.size > MOST_PARTS) parts.delete(parts.keys().next().value);
  return part;
}

// The last place of an ordered list that is not beyond a number.
function partOf(begins, number) {
  let low = 0,
    high = begins.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (begins[middle] <= number) low = middle;
    else high = middle - 1;
  }
  return low;
}

async function textsOf(task, run, answer) {
  const { parts: begins } = page.tasks[task].runs[run];
  const part = partOf(begins, answer);
  const list = await unpackedPart(`text-${task}-${run}-${part}`).ready;
  return list[answer - begins[part]];
}

async function extrasOf(task, question) {
  const { extras } = page.tasks[task];
  if (!extras.length) return {};
  const part = partOf(extras, question);
  const list = await unpackedPart(`extra-${task}-${part}`).ready;
  return list[question - extras[part]];
}
