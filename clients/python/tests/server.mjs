/**
 * The other side of the Python client's tests: a process with a domain and one stream, which does what it is told by lines of
 * JSON, one after the other. It ends with its standard input.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { crc32 } from "node:zlib";
import { audioFormat, imageFormat, rawFormat, tensorFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const FORMATS = { image: imageFormat, tensor: tensorFormat, audio: audioFormat, raw: rawFormat };

let domain;
let stream;
let consumer;
let frame;
let viewers;
let contributors;

const COMMANDS = {
  /** Opens the stream, instead of the former one. `format` is a call, as `{"image": ["NV12", 64, 48]}`. */
  open({ name = "camera", format, consume, look, fill, lookOptions, fillOptions, ...options }) {
    const [[kind, values]] = Object.entries(format);
    domain?.close();
    consumer = frame = viewers = contributors = undefined;
    domain = ProcessDomain.create();
    stream = domain.createStream({ name, format: FORMATS[kind](...values), ...options });
    if (consume) consumer = stream.frames({ policy: consume });
    if (look) viewers = domain.serveViewers(look, stream, lookOptions);
    if (fill) contributors = domain.serveContributors(fill, stream, fillOptions);
    return { format: stream.format };
  },
  /** Publishes a frame of the bytes seed, seed + 1, … */
  async produce({ seed, publish = {}, timeout = 10_000 }) {
    const loan = await stream.loan({ timeout });
    const { bytes } = loan;
    for (let i = 0; i < bytes.length; i++) bytes[i] = seed + i;
    return { sequence: loan.publish(publish) };
  },
  /** Takes the next frame, and gives it back unless it is to be kept. */
  async next({ timeout = 10_000, keep = false }) {
    frame = await consumer.next({ timeout });
    if (frame === undefined) return { frame: null };
    const { sequence, timestamp, data, picture, bytes } = frame;
    const taken = {
      sequence,
      timestamp,
      data,
      picture,
      bytes: [...bytes.subarray(0, 64)],
      crc: crc32(bytes),
      length: bytes.length,
    };
    if (!keep) frame.close();
    return { frame: taken };
  },
  look() {
    return { crc: crc32(frame.bytes) };
  },
  release() {
    frame.close();
    return {};
  },
  counts() {
    return { viewers: viewers?.viewers, contributors: contributors?.contributors };
  },
  end() {
    stream.end();
    return {};
  },
  fail({ code }) {
    stream.fail(code);
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...fields } = JSON.parse(line);
  let answer;
  try {
    answer = await COMMANDS[name](fields);
  } catch (error) {
    answer = { error: { code: error.code ?? error.name, message: error.message } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
domain?.close();
