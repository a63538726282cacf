// The page: tries interfaces with the bytes of a buffer, which is a SharedArrayBuffer.
import { Domain } from "dmabuf";

const SIDE = 64;
const SIZE = SIDE * SIDE * 4;
const WRONG = "**wrong, without an error**";
const PICTURE = { codedWidth: SIDE, codedHeight: SIDE, timestamp: 0 };
const LIMIT_MS = 10_000;
const ECHO = "({ data }) => port.postMessage(data)";
const gl = document.createElement("canvas").getContext("webgl2");
const gpu = await (await navigator.gpu?.requestAdapter())?.requestDevice();
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
  "`navigator.sendBeacon`": (bytes) => beaconed(bytes),
  "`RTCDataChannel.send`": (bytes) => channelled(bytes),
  "MSE `SourceBuffer.appendBuffer`": (bytes) => appended(bytes),
  "OPFS `FileSystemSyncAccessHandle.write`": (bytes) => inWorker(bytes, "write"),
  "OPFS `createWritable().write`": (bytes) => written(bytes),
  "WebGPU `writeBuffer`": (bytes) => inGpuBuffer(bytes),
  "WebGPU `writeTexture`": (bytes) => inGpuTexture(bytes),
  "`VideoEncoder.encode` of a `VideoFrame` of the bytes": (bytes) => encoded(bytes),
  "`createImageBitmap` of a `VideoFrame` of the bytes": (bytes) => bitmapped(bytes),
  "`MediaStreamTrackGenerator` of a `VideoFrame` of the bytes": (bytes) => throughTrack(bytes),
};

/** What writes to the bytes, and always the same. */
const WRITERS = {
  "`VideoFrame.copyTo(bytes)` in its own format": (bytes) => grey("I420").copyTo(bytes),
  "`VideoFrame.copyTo(bytes)` as RGBA": (bytes) => grey("I420").copyTo(bytes, { format: "RGBA" }),
  "WebGL2 `readPixels`": (bytes) => (gl.clear(gl.COLOR_BUFFER_BIT), drawn(bytes)),
  "`TextEncoder.encodeInto`": (bytes) => new TextEncoder().encodeInto("x".repeat(SIZE), bytes),
  "OPFS `FileSystemSyncAccessHandle.read`": (bytes) => inWorker(bytes, "read"),
  "`crypto.getRandomValues`": (bytes) => crypto.getRandomValues(bytes).fill(1),
  "`AnalyserNode.getByteTimeDomainData`": (bytes) => new AnalyserNode(sound()).getByteTimeDomainData(bytes),
};

/** What writes to the memory of a WebAssembly module, which is shared memory, too. */
const MODULE_WRITERS = {
  "`VideoFrame.copyTo` into a `WebAssembly.Memory`": (bytes) => grey("I420").copyTo(bytes),
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
  "`postMessage` to workers": [(bytes) => echoed(bytes), (bytes) => bytes],
  "`postMessage` to an AudioWorklet": [(bytes) => echoedBySound(bytes), (bytes) => bytes],
  "`structuredClone`": [(bytes) => structuredClone(bytes), (bytes) => bytes],
  "`BroadcastChannel`": [(bytes) => broadcast(bytes), (bytes) => bytes],
};

const domain = Domain.create();
const buffer = domain.allocate(SIZE);

/** What is tried of each interface: with bytes that are not shared, and with those of the buffer. */
const TRIALS = {
  ...trialsOf(READERS, (use) => {
    let expected;
    return {
      control: async () => (expected = String(plain(await use(fill(new Uint8Array(SIZE)))))),
      verdict: async (bytes) => (String(plain(await use(bytes))) === expected ? "yes" : WRONG),
    };
  }),
  ...trialsOf(WRITERS, (use) => ({
    control: async () => use(new Uint8Array(SIZE)),
    verdict: (bytes) => changed(bytes, use),
  })),
  ...trialsOf(MODULE_WRITERS, (use) => ({
    control: async () => use(new Uint8Array(SIZE)),
    verdict: () => {
      const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
      return changed(new Uint8Array(buffer, 0, SIZE), use);
    },
  })),
  ...trialsOf(KEEPERS, ([make, look]) => ({
    control: async () => look(await make(fill(new Uint8Array(SIZE)))),
    verdict: async (bytes) => {
      const before = Uint8Array.from(bytes);
      const made = await make(bytes);
      if (made === null) return WRONG;
      bytes.fill(1);
      const later = plain(await look(made));
      if (String(later) === String(before.subarray(0, later.length))) return "copies";
      return later.every((byte) => byte === 1) ? "yes" : WRONG;
    },
  })),
};
globalThis.names = Object.keys(TRIALS);

/** What becomes of the bytes, if the interface does with bytes of another kind what it is for. */
globalThis.tryInterface = async (name) => {
  const { control, verdict } = TRIALS[name];
  const error = await limited(control()).then(
    () => undefined,
    (error) => error,
  );
  if (error !== undefined) return "absent";
  const access = await buffer.access("write");
  const found = await limited(verdict(fill(access.bytes))).catch(() => "no");
  access.close();
  return found;
};

function trialsOf(interfaces, trialOf) {
  return Object.fromEntries(Object.entries(interfaces).map(([name, use]) => [name, trialOf(use)]));
}

/** Not all errors are told. */
async function limited(work) {
  const tooLong = new Promise((_, failed) => setTimeout(() => failed(new Error("no answer")), LIMIT_MS));
  return Promise.race([work, tooLong]);
}

async function changed(bytes, use) {
  const before = String(bytes);
  await use(bytes);
  return String(bytes) === before ? WRONG : "yes";
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
      handle.truncate(0); // nothing is left of what was tried before
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

async function written(bytes) {
  const folder = await navigator.storage.getDirectory();
  const file = await folder.getFileHandle("written", { create: true });
  const stream = await file.createWritable();
  await stream.write(bytes).catch(async (error) => {
    await stream.abort();
    throw error;
  });
  await stream.close();
  return (await file.getFile()).arrayBuffer();
}

async function beaconed(bytes) {
  // One of its own: the answer is not what another beacon has brought.
  const address = `/beacon/${crypto.randomUUID()}`;
  if (!navigator.sendBeacon(address, bytes)) throw new Error("too long");
  return (await fetch(address)).arrayBuffer();
}

/** Between two connections of this page. */
async function channelled(bytes) {
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  here.onicecandidate = ({ candidate }) => candidate && there.addIceCandidate(candidate);
  there.onicecandidate = ({ candidate }) => candidate && here.addIceCandidate(candidate);
  const channel = here.createDataChannel("bytes");
  const answer = new Promise((got) => {
    there.ondatachannel = ({ channel }) => {
      channel.binaryType = "arraybuffer";
      channel.onmessage = ({ data }) => got(data);
    };
  });
  await here.setLocalDescription();
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription();
  await here.setRemoteDescription(there.localDescription);
  await new Promise((opened) => (channel.onopen = opened));
  try {
    channel.send(bytes);
    return await answer;
  } finally {
    here.close();
    there.close();
  }
}

/** The bytes are no video; what counts is that they are taken, and then looked at. */
async function appended(bytes) {
  const source = new MediaSource();
  const video = document.createElement("video");
  video.src = URL.createObjectURL(source);
  await new Promise((opened) => (source.onsourceopen = opened));
  const target = source.addSourceBuffer('video/webm; codecs="vp8"');
  const end = new Promise((ended) => (target.onupdateend = ended));
  target.appendBuffer(bytes);
  return (await end).type;
}

async function inGpuBuffer(bytes) {
  const target = gpu.createBuffer({ size: SIZE, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  gpu.queue.writeBuffer(target, 0, bytes);
  return fromGpu((encoder, copy) => encoder.copyBufferToBuffer(target, 0, copy, 0, SIZE));
}

async function inGpuTexture(bytes) {
  const usage = GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC;
  const texture = gpu.createTexture({ size: [SIDE, SIDE], format: "rgba8unorm", usage });
  gpu.queue.writeTexture({ texture }, bytes, { bytesPerRow: SIDE * 4 }, [SIDE, SIDE]);
  return fromGpu((encoder, buffer) =>
    encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow: SIDE * 4 }, [SIDE, SIDE]),
  );
}

async function fromGpu(copying) {
  const copy = gpu.createBuffer({ size: SIZE, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = gpu.createCommandEncoder();
  copying(encoder, copy);
  gpu.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  return copy.getMappedRange().slice();
}

async function encoded(bytes) {
  const frame = new VideoFrame(bytes, { format: "I420", ...PICTURE });
  const chunk = new Promise((output, error) => {
    const encoder = new VideoEncoder({ output, error });
    encoder.configure({ codec: "vp8", width: SIDE, height: SIDE });
    encoder.encode(frame, { keyFrame: true });
    encoder.flush().then(() => encoder.close(), error);
  });
  return chunkBytes(await chunk);
}

async function bitmapped(bytes) {
  const frame = new VideoFrame(bytes, { format: "I420", ...PICTURE });
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  context.drawImage(await createImageBitmap(frame), 0, 0);
  return context.getImageData(0, 0, SIDE, SIDE).data;
}

async function throughTrack(bytes) {
  const frame = new VideoFrame(bytes, { format: "I420", ...PICTURE });
  const generator = new MediaStreamTrackGenerator({ kind: "video" });
  const { readable } = new MediaStreamTrackProcessor({ track: generator });
  const reading = readable.getReader().read();
  await generator.writable.getWriter().write(frame);
  const { value } = await reading;
  generator.stop();
  return copyOf(value);
}

function sound() {
  return new OfflineAudioContext(1, 128, 48_000);
}

function scriptOf(text) {
  return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}

function echoed(bytes) {
  const worker = new Worker(scriptOf(`const port = globalThis; onmessage = ${ECHO};`));
  worker.postMessage(bytes);
  return new Promise((done) => (worker.onmessage = ({ data }) => (worker.terminate(), done(data))));
}

async function echoedBySound(bytes) {
  const context = sound();
  await context.audioWorklet.addModule(
    scriptOf(`registerProcessor("echo", class extends AudioWorkletProcessor {
      constructor() { super(); const { port } = this; port.onmessage = ${ECHO}; }
      process() { return true; }
    });`),
  );
  const { port } = new AudioWorkletNode(context, "echo");
  port.postMessage(bytes);
  return new Promise((done) => (port.onmessage = ({ data }) => done(data)));
}

function broadcast(bytes) {
  const [here, there] = [new BroadcastChannel("bytes"), new BroadcastChannel("bytes")];
  const answer = new Promise((done, failed) => {
    there.onmessage = ({ data }) => done(data);
    there.onmessageerror = failed;
  });
  here.postMessage(bytes);
  return answer.finally(() => [here, there].forEach((channel) => channel.close()));
}
