import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { rawFormat } from "../../src/index.js";
import { Domain, Guest } from "../../src/node/index.js";
import type { Exceptions } from "./nonsense.js";

/** What the functions of `dmabuf/node` are called on and with, rightly. */

const SIZES = { agents: 4, buffers: 16, timelines: 8, oneShots: 32, streams: 2, requests: 4, syncobjs: 4 };
let places = 0;

/** A domain of processes, with one process in it. */
export class ProcessWorld {
  readonly domain = Domain.create(SIZES);
  /** Where somebody can come in. */
  readonly where = `@dmabuf arguments ${process.pid} ${++places}`;

  /** The control segment, and how many descriptors and mappings of memory files the process has. */
  get state(): Uint8Array {
    const { memory, layout } = this.domain.agent;
    const words = Int32Array.from({ length: layout.words + 2 }, (_, i) => (i < layout.words ? memory.load(i) : 0));
    words[layout.words] = readdirSync("/proc/self/fd").length;
    words[layout.words + 1] = readFileSync("/proc/self/maps", "latin1").split("memfd:dmabuf").length;
    return Buffer.from(words.buffer);
  }

  close(): void {
    this.domain.close();
  }
}

export const RECEIVERS: Readonly<Record<string, (world: ProcessWorld) => object | Promise<object>>> = {
  Domain: ({ domain }) => domain,
  DescriptorDirectory: ({ domain }) => domain.descriptors,
  Follower: ({ domain }) => domain.follow("name"),
  Guest({ domain, where }) {
    domain.show(where, domain.createStream({ format: rawFormat(64) }));
    return Guest.visit(where);
  },
};

const NOW = { timeout: 0 };

export const VALID: Readonly<Record<string, (world: ProcessWorld) => readonly unknown[]>> = {
  "DescriptorDirectory.offer()": () => ["name", 0],
  "DescriptorDirectory.take()": () => ["name", NOW],
  "Domain.create()": () => [SIZES],
  "Domain.listen()": ({ where }) => [where, SIZES],
  "Domain.connect()": ({ domain, where }) => (domain.listen(where), [where, {}]),
  "Domain.inherit()": ({ domain }) => [domain.inviteProcess().descriptor, {}],
  "Domain.join()": ({ domain }) => [domain.invite(), {}],
  "Domain#listen()": ({ where }) => [where],
  "Domain.invite()": () => [{}],
  "Domain.createMemory()": () => [65_536],
  "Domain.createStream()": () => [{ format: rawFormat(64), buffers: 2 }],
  "Domain.findStream()": () => ["name", NOW],
  "Follower.next()": () => [NOW],
  "Domain.follow()": () => ["name", {}],
  "Domain.show()": ({ domain, where }) => [where, domain.createStream({ format: rawFormat(64) }), {}],
  "Guest.visit()": ({ domain, where }) => (
    domain.show(where, domain.createStream({ format: rawFormat(64) })),
    [where, {}]
  ),
  "Guest.frames()": () => [{}],
  "Guest.next()": () => [{ signal: AbortSignal.abort() }],
};

export const EXCEPTIONS: Exceptions = {};
