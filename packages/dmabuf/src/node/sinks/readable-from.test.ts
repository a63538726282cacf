import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer, get, request, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable, type Duplex, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, describe, test } from "node:test";
import { createServer as createTlsServer, connect as connectTls, type ConnectionOptions } from "node:tls";
import * as zlib from "node:zlib";
import { copiedBytes, Domain, rawFormat, type FrameStream } from "../../index.js";
import { capabilities, ProcessDomain, readableFrom } from "../index.js";

const LIMIT = { timeout: 30_000 };
const folder = mkdtempSync(join(tmpdir(), "dmabuf-sinks-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

/** Frames that are smaller than what a sink keeps, and frames that are larger. */
const KINDS = [
  { kind: "threads, small frames", create: () => Domain.create(), size: 1000, frames: 1000 },
  { kind: "processes, large frames", create: () => ProcessDomain.create(), size: 300_000, frames: 25 },
];

async function produce(stream: FrameStream, frames: number): Promise<void> {
  for (let n = 0; n < frames; n++) {
    using loan = await stream.loan();
    if (loan === undefined) return;
    loan.bytes.fill(n % 251);
    loan.publish();
  }
  stream.end();
}

/** The frames of which some byte is not right. */
function wrongFrames(got: Uint8Array, size: number, frames: number): number[] {
  assert.equal(got.length, size * frames);
  return Array.from({ length: frames }, (_, n) => n).filter((n) =>
    got.subarray(n * size, (n + 1) * size).some((byte) => byte !== n % 251),
  );
}

/** Reads late, so that the sink is full again and again, and keeps copies. */
async function slowly(readable: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of readable) {
    parts.push(Buffer.from(chunk));
    if (parts.length % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Buffer.concat(parts);
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** What the other end of a connection gets. */
async function throughSocket(server: Server, event: string, open: (port: number) => Socket, frames: Readable) {
  const got = new Promise<Buffer>((resolve) => server.on(event, (socket: Socket) => resolve(slowly(socket))));
  const sink = open(await portOf(server));
  try {
    await pipeline(frames, sink);
    return await got;
  } finally {
    sink.destroy();
    server.close();
  }
}

async function throughFile(frames: Readable, ...through: Writable[]): Promise<Buffer> {
  const path = file("written");
  await pipeline([frames, ...(through as Duplex[]), createWriteStream(path)]);
  return readFileSync(path);
}

/** What newer versions of Node.js have. */
interface Zstd {
  readonly createZstdCompress: () => Duplex;
  readonly zstdDecompressSync: (bytes: Uint8Array) => Buffer;
}

function zstd(): Sinks {
  if (!("createZstdCompress" in zlib)) return {};
  const { createZstdCompress, zstdDecompressSync } = zlib as unknown as Zstd;
  return { zstd: async (frames) => zstdDecompressSync(await throughFile(frames, createZstdCompress())) };
}

const PSK = Buffer.alloc(16, 1);
const TLS = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;

/** Each gives the bytes that came out at the other end. */
type Sinks = Readonly<Record<string, (frames: Readable) => Promise<Uint8Array>>>;

/** Those that are written to in place. */
const IN_PLACE: Sinks = {
  "a file": (frames) => throughFile(frames),
  "the pipe of a child process": async (frames) => {
    const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
    const got = slowly(child.stdout);
    await pipeline(frames, child.stdin);
    return got;
  },
  "a socket": (frames) => throughSocket(createServer(), "connection", (port) => connect(port), frames),
  "a socket with TLS": (frames) => {
    const server = createTlsServer({ ...TLS, pskCallback: () => PSK });
    const options: ConnectionOptions = { ...TLS, pskCallback: () => ({ psk: PSK, identity: "one" }) };
    const open = (port: number): Socket => connectTls({ ...options, port, checkServerIdentity: () => undefined });
    return throughSocket(server, "secureConnection", open, frames);
  },
  "an HTTP response": async (frames) => {
    const server = createHttpServer((_, response) => void pipeline(frames, response));
    const [response] = (await once(get({ port: await portOf(server), agent: false }), "response")) as [Readable];
    server.close();
    return slowly(response);
  },
  "an HTTP request": async (frames) => {
    const server = createHttpServer();
    const got = once(server, "request").then((both) => {
      const [message, response] = both as [IncomingMessage, ServerResponse];
      message.on("end", () => response.end());
      return slowly(message);
    });
    await pipeline(frames, request({ port: await portOf(server), method: "POST", agent: false }));
    server.close();
    return got;
  },
  "an HTTP/2 response": async (frames) => {
    const server = createHttp2Server((_, response) => void pipeline(frames, response));
    const session = connectHttp2(`http://127.0.0.1:${await portOf(server)}`);
    const got = await slowly(session.request({ ":path": "/" }).end());
    session.close();
    server.close();
    return got;
  },
  gzip: async (frames) => zlib.gunzipSync(await throughFile(frames, zlib.createGzip({ level: 0 }))),
  deflate: async (frames) => zlib.inflateSync(await throughFile(frames, zlib.createDeflate())),
  "raw deflate": async (frames) => zlib.inflateRawSync(await throughFile(frames, zlib.createDeflateRaw())),
  brotli: async (frames) => {
    const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 };
    return zlib.brotliDecompressSync(await throughFile(frames, zlib.createBrotliCompress({ params })));
  },
  ...zstd(),
  cipher: async (frames) => {
    const written = await throughFile(frames, createCipheriv("aes-128-ctr", PSK, PSK));
    return createDecipheriv("aes-128-ctr", PSK, PSK).update(written);
  },
};

/** What a program writes to its output, which is a file or a pipe. */
const TO_OUTPUT = `
  const { Domain, rawFormat, copiedBytes } = await import(${JSON.stringify(new URL("../../index.js", import.meta.url))});
  const { readableFrom } = await import(${JSON.stringify(new URL("../index.js", import.meta.url))});
  const { pipeline } = await import("node:stream/promises");
  const domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(1000), buffers: 2 });
  const written = pipeline(readableFrom(stream.frames()), process.stdout);
  for (let n = 0; n < 300; n++) {
    const loan = await stream.loan();
    loan.bytes.fill(n % 251);
    loan.publish();
  }
  stream.end();
  await written;
  domain.close();
  process.exitCode = copiedBytes();`;

for (const output of ["a file", "a pipe"] as const) {
  test(`in place: the output of the process, ${output} (takes-in-place.1)`, LIMIT, () => {
    const path = file("output");
    const stdout = output === "a pipe" ? "pipe" : openSync(path, "w");
    const run = spawnSync(process.execPath, ["--input-type=module", "--eval", TO_OUTPUT], {
      stdio: ["ignore", stdout, "inherit"],
    });
    assert.equal(run.status, 0);
    assert.deepEqual(wrongFrames(output === "a pipe" ? run.stdout : readFileSync(path), 1000, 300), []);
  });
}

test("in place: a hash (takes-in-place.1)", LIMIT, async () => {
  using domain = Domain.create();
  using stream = domain.createStream({ format: rawFormat(1000), buffers: 2 });
  const [hash, expected, before] = [createHash("sha256"), createHash("sha256"), copiedBytes()];
  await Promise.all([produce(stream, 300), pipeline(readableFrom(stream.frames()), hash)]);
  for (let n = 0; n < 300; n++) expected.update(Buffer.alloc(1000, n % 251));
  assert.deepEqual(hash.digest("hex"), expected.digest("hex"));
  assert.equal(copiedBytes(), before);
});

/** Those that get copies. */
const COPIED: Sinks = {
  "a Transform": (frames) => throughFile(frames, new PassThrough()),
  "a Writable that keeps the chunks": async (frames) => {
    const kept: Uint8Array[] = [];
    await pipeline(frames, keeper(kept));
    return Buffer.concat(kept);
  },
  "a Writable of the web": async (frames) => {
    await pipeline(frames, Writable.fromWeb(Writable.toWeb(createWriteStream(file("web")))));
    return readFileSync(file("web"));
  },
  "for await": async (frames) => {
    const kept: Uint8Array[] = [];
    for await (const chunk of frames) kept.push(chunk as Uint8Array);
    return Buffer.concat(kept);
  },
  "two sinks": async (frames) => {
    const kept: Uint8Array[] = [];
    const [one, two] = [createWriteStream(file("one")), keeper(kept)];
    frames.pipe(one);
    frames.pipe(two);
    await Promise.all([once(one, "close"), once(two, "close")]);
    assert.deepEqual(readFileSync(file("one")), Buffer.concat(kept));
    return Buffer.concat(kept);
  },
  "a response whose write is another one": async (frames) => {
    const server = createHttpServer((_, response) => void pipeline(frames, wrapped(response)));
    const [response] = (await once(get({ port: await portOf(server), agent: false }), "response")) as [Readable];
    server.close();
    return slowly(response);
  },
};

function keeper(kept: Uint8Array[]): Writable {
  return new Writable({ write: (chunk: Uint8Array, _, callback) => (kept.push(chunk), callback()) });
}

/** As compressing middleware does it: the callback is lost. */
function wrapped(response: ServerResponse): ServerResponse {
  const write = response.write.bind(response) as (chunk: unknown) => boolean;
  return Object.assign(response, { write: (chunk: unknown) => write(chunk) });
}

for (const { kind, create, size, frames } of KINDS) {
  const skip = kind.startsWith("processes") && !capabilities().processes;
  describe(`every byte is right, by two buffers (${kind})`, { skip }, () => {
    const through = async (write: (frames: Readable) => Promise<Uint8Array>, copy?: boolean) => {
      using domain = create();
      using stream = domain.createStream({ format: rawFormat(size), buffers: 2 });
      const readable = readableFrom(stream.frames(), copy === undefined ? {} : { copy });
      const before = copiedBytes();
      const produced = produce(stream, frames);
      const got = await write(readable);
      await produced;
      assert.equal(stream.consumers, 0, "the consumer has left");
      return { wrong: wrongFrames(got, size, frames), copied: (copiedBytes() - before) / size };
    };
    for (const [name, write] of Object.entries(IN_PLACE)) {
      test(`in place: ${name} (takes-in-place.1)`, LIMIT, async () => {
        assert.deepEqual(await through(write), { wrong: [], copied: 0 });
      });
    }
    for (const [name, write] of Object.entries(COPIED)) {
      test(`copied: ${name} (takes-in-place.1, takes-in-place.2)`, LIMIT, async () => {
        assert.deepEqual(await through(write), { wrong: [], copied: frames });
      });
    }
    test("copied, because the program has asked for it", LIMIT, async () => {
      assert.deepEqual(await through(IN_PLACE["a file"]!, true), { wrong: [], copied: frames });
    });
    test("torn, if a program says of a sink that keeps chunks that it takes them", LIMIT, async () => {
      const { wrong, copied } = await through(COPIED["a Writable that keeps the chunks"]!, false).catch(() => {
        // The kept views of a process are empty, so that bytes are missing.
        return { wrong: [0], copied: 0 };
      });
      assert.ok(wrong.length > 0);
      assert.equal(copied, 0);
    });
  });
}
