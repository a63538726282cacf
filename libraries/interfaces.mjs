// Which interfaces of Node.js and of libraries take the bytes of which domain: node libraries/interfaces.mjs
import { Blob, Buffer } from "node:buffer";
import { createHash, randomFillSync, webcrypto } from "node:crypto";
import * as fs from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer as collect } from "node:stream/consumers";
import { CompressionStream, ReadableStream } from "node:stream/web";
import { isDeepStrictEqual } from "node:util";
import { deflateSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { createCanvas, ImageData } from "@napi-rs/canvas";
import { tableFromArrays, tableFromIPC, tableToIPC } from "apache-arrow";
import { Domain } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import fastify from "fastify";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import { WebSocket, WebSocketServer } from "ws";

const SIZE = 64 * 64 * 4;
const WRONG = "**wrong, without an error**";
const folder = fs.mkdtempSync(join(tmpdir(), "dmabuf-"));
const path = join(folder, "file");
const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
// One node: Identity, of four floats.
const MODEL = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggEYg8KAXkSCgoICAESBAoCCARCBAoAEA0=";
env.logLevel = "error";
const session = await InferenceSession.create(Buffer.from(MODEL, "base64"));
const batch = tableToIPC(tableFromArrays({ price: Float64Array.of(1, 2, 3) }));

/** What reads the bytes gives something that depends on all of them. */
const READERS = {
  "`fs.writeSync()`": (bytes) => (fs.writeFileSync(path, ""), fs.writeSync(fs.openSync(path, "w"), bytes), read()),
  "`fs.promises.writeFile()`": async (bytes) => (await fs.promises.writeFile(path, bytes), read()),
  "`createWriteStream().write()`": async (bytes) => (await ended(fs.createWriteStream(path), bytes), read()),
  "`socket.write()`": (bytes) => received((port) => ended(connect(port, "127.0.0.1"), bytes)),
  "the body of `fetch()`": (bytes) => posted((address) => fetch(address, { method: "POST", body: bytes })),
  "`createHash().update()`": (bytes) => createHash("sha256").update(bytes).digest(),
  "`crypto.subtle.digest()`": (bytes) => webcrypto.subtle.digest("SHA-256", bytes),
  "`zlib.deflateSync()`": (bytes) => deflateSync(bytes),
  "`CompressionStream`": (bytes) => compressed(bytes),
  "`TextDecoder.decode()`": (bytes) => new TextDecoder("latin1").decode(bytes),
  "`sharp(bytes, { raw })`": (bytes) =>
    sharp(bytes, { raw: { width: 64, height: 64, channels: 4 } })
      .png()
      .toBuffer(),
  "`new Tensor()` of onnxruntime-node": async (bytes) => (await session.run({ x: tensorOf(bytes) })).y.data,
  "`putImageData()` of @napi-rs/canvas": (bytes) => painted(bytes),
  "`tableFromIPC()` of Apache Arrow": (bytes) => (bytes.set(batch), tableFromIPC(bytes).toString()),
  "`bindBlob()` of DuckDB": (bytes) => queried(bytes),
  "`reply.send()` of Fastify": (bytes) => replied(bytes),
  "`send()` of ws": (bytes) => messaged(bytes),
};

/** What writes to the bytes. */
const WRITERS = {
  "`fs.readSync()`": (bytes) => (fs.writeFileSync(path, "x".repeat(SIZE)), fs.readSync(fs.openSync(path), bytes)),
  "`crypto.randomFillSync()`": (bytes) => randomFillSync(bytes),
  "`crypto.getRandomValues()`": (bytes) => webcrypto.getRandomValues(bytes),
  "`TextEncoder.encodeInto()`": (bytes) => new TextEncoder().encodeInto("x".repeat(SIZE), bytes),
  'reads of a `ReadableStream` ("byob")': (bytes) => streamed(bytes),
};

/** What keeps the bytes, or a copy; and what is there later. */
const KEEPERS = {
  "`Buffer.from(bytes.buffer)`": [(bytes) => Buffer.from(bytes.buffer), (buffer) => buffer],
  "`Buffer.from(bytes)`": [(bytes) => Buffer.from(bytes), (buffer) => buffer],
  "`new Blob([bytes])`": [(bytes) => new Blob([bytes]), (blob) => blob.arrayBuffer()],
  "`new Response(bytes)`": [(bytes) => new Response(bytes), (response) => response.arrayBuffer()],
  "`postMessage(bytes)`": [(bytes) => structuredClone(bytes), (bytes) => bytes],
};

const threads = Domain.create();
const processes = ProcessDomain.create();
const buffers = [threads, processes].map((domain) => domain.allocate(SIZE));
const row = (name, verdicts) => console.log("|", [name, ...verdicts].join(" | "), "|");

for (const [name, use] of Object.entries(READERS)) {
  const expected = await use(fill(new Uint8Array(SIZE)));
  const verdict = async (bytes) => (isDeepStrictEqual(await use(bytes), expected) ? "yes" : WRONG);
  row(name, await tried(verdict));
}
for (const [name, use] of Object.entries(WRITERS)) {
  const verdict = async (bytes, access, buffer) => {
    const before = Uint8Array.from(bytes);
    await use(bytes);
    access.close(); // its memory may have been transferred: the next access has it again
    const after = await buffer.access("read");
    const isWritten = !isDeepStrictEqual(Uint8Array.from(after.bytes), before);
    after.close();
    return isWritten ? "yes" : WRONG;
  };
  row(name, await tried(verdict));
}
for (const [name, [make, look]] of Object.entries(KEEPERS)) {
  const verdict = async (bytes) => {
    const before = Uint8Array.from(bytes);
    const made = await make(bytes);
    bytes.fill(1);
    const later = Uint8Array.from(new Uint8Array(await look(made)));
    if (isDeepStrictEqual(later, before)) return "yes, a copy";
    return isDeepStrictEqual(later, before.fill(1)) ? "yes, in place" : WRONG;
  };
  row(name, await tried(verdict));
}
threads.close();
processes.close();
fs.rmSync(folder, { recursive: true });
process.exit();

/** The verdict on the bytes of each domain. */
async function tried(verdict) {
  const verdicts = [];
  for (const buffer of buffers) {
    const access = await buffer.access("write");
    verdicts.push(await verdict(fill(access.bytes), access, buffer).catch(({ name }) => `no (\`${name}\`)`));
    access.close();
  }
  return verdicts;
}

function fill(bytes) {
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at & 3) === 3 ? 255 : (at * 7) % 251;
  return bytes;
}

function read() {
  return fs.readFileSync(path);
}

function ended(writable, bytes) {
  return new Promise((done, failed) => writable.on("error", failed).on("close", done).end(bytes));
}

/** What a server gets from a client. */
async function received(send) {
  const server = createSocketServer({ allowHalfOpen: false });
  const got = new Promise((done) => server.once("connection", (socket) => done(collect(socket))));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    await send(server.address().port);
    return await got;
  } finally {
    server.close();
  }
}

/** What a server gets as a request's body. */
async function posted(post) {
  const server = createServer(async (request, response) => response.end(await collect(request)));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    return await (await post(`http://127.0.0.1:${server.address().port}`)).arrayBuffer();
  } finally {
    server.close();
  }
}

async function replied(bytes) {
  const server = fastify();
  server.get("/", async (_request, reply) => reply.send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
  const { rawPayload } = await server.inject("/");
  return rawPayload;
}

async function messaged(bytes) {
  const server = new WebSocketServer({ port: 0 });
  const message = new Promise((got) => server.on("connection", (socket) => socket.on("message", got)));
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  await new Promise((opened) => socket.on("open", opened));
  socket.send(bytes);
  const got = await message;
  socket.terminate();
  server.close();
  return got;
}

async function compressed(bytes) {
  const stream = new CompressionStream("deflate");
  const [result] = await Promise.all([collect(stream.readable), writeAll(stream.writable.getWriter(), bytes)]);
  return result;
}

async function writeAll(writer, bytes) {
  await writer.write(bytes);
  await writer.close();
}

async function streamed(bytes) {
  const pull = (controller) => controller.enqueue(new Uint8Array(SIZE).fill(120));
  const reader = new ReadableStream({ type: "bytes", pull }).getReader({ mode: "byob" });
  await reader.read(bytes);
}

function tensorOf({ buffer, byteOffset }) {
  return new Tensor("float32", new Float32Array(buffer, byteOffset, 4), [4]);
}

function painted({ buffer, byteOffset, length }) {
  const canvas = createCanvas(64, 64);
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(buffer, byteOffset, length), 64, 64), 0, 0);
  return canvas.data();
}

async function queried(bytes) {
  const query = await duckdb.prepare("SELECT md5($1)");
  query.bindBlob(1, bytes);
  return (await query.runAndReadAll()).getRows();
}
