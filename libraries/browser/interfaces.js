// The page: tries interfaces with the bytes of a buffer, which is a SharedArrayBuffer.
import { Domain } from "dmabuf";

const SIDE = 64;
const SIZE = SIDE * SIDE * 4;
const WRONG = "**wrong, without an error**";
const PICTURE = { codedWidth: SIDE, codedHeight: SIDE, timestamp: 0 };
const gl = new OffscreenCanvas(SIDE, SIDE).getContext("webgl2");
const png = await pngOf(fill(new Uint8Array(SIZE)));

/** What reads the bytes gives something that depends on all of them. */
const READERS = {
  "`ImageDecoder`": (bytes) => decoded(bytes),
  "WebGL2 `texImage2D`": (bytes) => textured(bytes),
  "WebGL2 `bufferData`": (bytes) => uploaded(bytes),
  "`TextDecoder`": (bytes) => new TextDecoder("latin1").decode(bytes),
  "`crypto.subtle`": (bytes) => crypto.subtle.digest("SHA-256", bytes),
  "`CompressionStream`": (bytes) => compressed(bytes),
  "`XMLHttpRequest.send`": (bytes) => requested(bytes),
  "the body of `fetch`": async (bytes) => (await fetch("/", { method: "POST", body: bytes })).arrayBuffer(),
  "`WebSocket.send`": (bytes) => sent(bytes),
  "`putImageData` of an `ImageData`": (bytes) => painted(bytes),
  "`AudioBuffer.copyToChannel`": (bytes) => heard(bytes),
  "OPFS `FileSystemSyncAccessHandle.write`": (bytes) => inWorker(bytes, "write"),
};

/** What writes to the bytes, and always the same. */
const WRITERS = {
  "`VideoFrame.copyTo(bytes)` in its own format": (bytes) => grey("I420").copyTo(bytes),
  "`VideoFrame.copyTo(bytes)` as RGBA": (bytes) => grey("I420").copyTo(bytes, { format: "RGBA" }),
  "WebGL2 `readPixels`": (bytes) => (gl.clear(gl.COLOR_BUFFER_BIT), drawn(bytes)),
  "`TextEncoder.encodeInto`": (bytes) => new TextEncoder().encodeInto("x".repeat(SIZE), bytes),
  "OPFS `FileSystemSyncAccessHandle.read`": (bytes) => inWorker(bytes, "read"),
  "`crypto.getRandomValues`": (bytes) => crypto.getRandomValues(bytes).fill(1),
};

/** What keeps the bytes, or a copy; and what is there later. */
const KEEPERS = {
  "`new VideoFrame(bytes)` of I420": [(bytes) => new VideoFrame(bytes, { format: "I420", ...PICTURE }), copyOf],
  "`new VideoFrame(bytes)` of NV12": [(bytes) => new VideoFrame(bytes, { format: "NV12", ...PICTURE }), copyOf],
  "`new VideoFrame(bytes)` of RGBA": [(bytes) => new VideoFrame(bytes, { format: "RGBA", ...PICTURE }), copyOf],
  "`AudioData`": [(bytes) => audioOf(bytes), (audio) => samplesOf(audio)],
  "`EncodedVideoChunk`": [(data) => new EncodedVideoChunk({ type: "key", timestamp: 0, data }), chunkBytes],
  "`Blob`": [(bytes) => new Blob([bytes]), (blob) => blob.arrayBuffer()],
  "`Response`": [(bytes) => new Response(bytes), (response) => response.arrayBuffer()],
  IndexedDB: [(bytes) => stored(bytes), (bytes) => bytes],
  "`postMessage` to workers": [(bytes) => structuredClone(bytes), (bytes) => bytes],
};

const domain = Domain.create();
const buffer = domain.allocate(SIZE);
for (const [name, use] of Object.entries(READERS)) {
  const expected = String(plain(await use(fill(new Uint8Array(SIZE)))));
  await say(name, async (bytes) => (String(plain(await use(bytes))) === expected ? "yes" : WRONG));
}
for (const [name, use] of Object.entries(WRITERS)) {
  await use(new Uint8Array(SIZE)); // what cannot be done at all is an error of the page
  await say(name, async (bytes) => {
    const before = String(bytes);
    await use(bytes);
    return String(bytes) === before ? WRONG : "yes";
  });
}
for (const [name, [make, look]] of Object.entries(KEEPERS)) {
  await look(await make(fill(new Uint8Array(SIZE))));
  await say(name, async (bytes) => {
    const before = Uint8Array.from(bytes);
    const made = await make(bytes);
    bytes.fill(1);
    const later = plain(await look(made));
    if (String(later) === String(before.subarray(0, later.length))) return "copies";
    return later.every((byte) => byte === 1) ? "yes" : WRONG;
  });
}
globalThis.isOver = true;

async function say(name, verdict) {
  const access = await buffer.access("write");
  const found = await verdict(fill(access.bytes)).catch(() => "no");
  access.close();
  console.log("|", name, "|", found, "|");
}

function fill(bytes) {
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at & 3) === 3 ? 255 : (at * 7) % 251;
  return bytes;
}

/** In a form that can be compared. */
function plain(result) {
  if (result instanceof ArrayBuffer) return new Uint8Array(result);
  return ArrayBuffer.isView(result)
    ? new Uint8Array(result.buffer.slice(0), result.byteOffset, result.byteLength)
    : result;
}

async function pngOf({ buffer }) {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(buffer), SIDE, SIDE), 0, 0);
  return new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
}

async function decoded(bytes) {
  bytes.set(png);
  const decoder = new ImageDecoder({ type: "image/png", data: bytes.subarray(0, png.length) });
  const { image } = await decoder.decode();
  return copyOf(image);
}

async function copyOf(frame) {
  const copy = new Uint8Array(frame.allocationSize());
  await frame.copyTo(copy);
  frame.close();
  return copy;
}

function textured(bytes) {
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, SIDE, SIDE, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER,
    gl.COLOR_ATTACHMENT0,
    gl.TEXTURE_2D,
    gl.getParameter(gl.TEXTURE_BINDING_2D),
    0,
  );
  return drawn(new Uint8Array(SIZE));
}

function drawn(bytes) {
  gl.readPixels(0, 0, SIDE, SIDE, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  return bytes;
}

function uploaded(bytes) {
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
  const copy = new Uint8Array(SIZE);
  gl.getBufferSubData(gl.ARRAY_BUFFER, 0, copy);
  return copy;
}

async function compressed(bytes) {
  const { readable, writable } = new CompressionStream("deflate");
  const writer = writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  const [result] = await Promise.all([new Response(readable).arrayBuffer(), written]);
  return result;
}

function requested(bytes) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/");
    request.responseType = "arraybuffer";
    request.onload = () => done(request.response);
    request.onerror = failed;
    request.send(bytes);
  });
}

async function sent(bytes) {
  const socket = new WebSocket(location.origin.replace("http", "ws"));
  socket.binaryType = "arraybuffer";
  await new Promise((opened) => (socket.onopen = opened));
  const answer = new Promise((got) => (socket.onmessage = ({ data }) => got(data)));
  socket.send(bytes);
  return answer;
}

function painted({ buffer }) {
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  context.putImageData(new ImageData(new Uint8ClampedArray(buffer, 0, SIZE), SIDE, SIDE), 0, 0);
  return context.getImageData(0, 0, SIDE, SIDE).data;
}

function heard({ buffer }) {
  const audio = new AudioBuffer({ length: 64, sampleRate: 48_000 });
  audio.copyToChannel(new Float32Array(buffer, 0, 64), 0);
  return audio.getChannelData(0);
}

function audioOf(data) {
  const shape = { numberOfFrames: SIZE / 2, numberOfChannels: 1, sampleRate: 48_000, timestamp: 0 };
  return new AudioData({ format: "s16", ...shape, data });
}

function samplesOf(audio) {
  const copy = new Uint8Array(SIZE);
  audio.copyTo(copy, { planeIndex: 0 });
  return copy;
}

function chunkBytes(chunk) {
  const copy = new Uint8Array(chunk.byteLength);
  chunk.copyTo(copy);
  return copy;
}

function grey(format) {
  return new VideoFrame(new Uint8Array(SIZE).fill(100), { format, ...PICTURE });
}

async function stored(bytes) {
  const database = await asked(indexedDB.open("bytes"), (opening) => {
    opening.onupgradeneeded = () => opening.result.createObjectStore("bytes");
  });
  const store = () => database.transaction("bytes", "readwrite").objectStore("bytes");
  await asked(store().put(bytes, "bytes"));
  return asked(store().get("bytes"));
}

function asked(request, prepare) {
  prepare?.(request);
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = failed;
  });
}

/** Only a worker has files that it reads and writes at once. */
function inWorker(bytes, what) {
  const work = async ({ data: { bytes, what } }) => {
    try {
      const folder = await navigator.storage.getDirectory();
      const file = await folder.getFileHandle("bytes", { create: true });
      const handle = await file.createSyncAccessHandle();
      if (what === "read") handle.write(new Uint8Array(bytes.length).fill(120), { at: 0 });
      handle[what](bytes, { at: 0 });
      const there = new Uint8Array(bytes.length);
      handle.read(there, { at: 0 });
      handle.close();
      postMessage(there);
    } catch (error) {
      postMessage(error);
    }
  };
  const worker = new Worker(URL.createObjectURL(new Blob([`onmessage = ${work}`])));
  worker.postMessage({ bytes, what });
  return new Promise((done, failed) => {
    worker.onmessage = ({ data }) => (worker.terminate(), data instanceof Error ? failed(data) : done(data));
  });
}
