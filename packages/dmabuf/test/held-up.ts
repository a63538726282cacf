import type { Domain } from "../src/threads.js";
import { exported, never, streamOf } from "./waiting.js";

/** The terms of the call that is held up. */
interface Terms {
  readonly timeout: number;
}

/** What holds a call up, and what its message names. */
export const HELD_UP: [
  what: string,
  names: RegExp,
  start: (domain: Domain, other: Domain, terms: Terms) => Promise<unknown>,
][] = [
  [
    "access() under an own access",
    /it waits for this thread \("main"\)(;|$)/,
    (domain, _other, terms) => {
      const buffer = domain.allocate(1);
      buffer.accessSync("read");
      return buffer.access("write", terms);
    },
  ],
  [
    "access() behind another agent's",
    /it waits for agent "other"(;|$)/,
    (domain, other, terms) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).accessSync("write");
      return buffer.access("read", terms);
    },
  ],
  [
    "access() of a writer behind readers",
    /it waits for this thread \("main"\) and agent "other"(;|$)/,
    (domain, other, terms) => {
      const buffer = domain.allocate(1);
      buffer.accessSync("read");
      other.import(buffer.handle()).accessSync("read");
      return buffer.access("write", terms);
    },
  ],
  [
    "access() behind work",
    /it waits for agent "other"(;|$)/,
    (domain, other, terms) => {
      const buffer = domain.allocate(1);
      const theirs = other.import(buffer.handle());
      using _lock = theirs.reservation.lockSync();
      theirs.reservation.reserveFences(1);
      theirs.reservation.addFence(other.createTimeline().createFence(), "write");
      return buffer.access("read", terms);
    },
  ],
  [
    "lock()",
    /it waits for agent "other"(;|$)/,
    (domain, other, terms) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).reservation.lockSync();
      return buffer.reservation.lock(undefined, terms);
    },
  ],
  [
    "move()",
    /it waits for agent "other"(;|$)/,
    (domain, other, terms) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).accessSync("read");
      return buffer.move([{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }], terms);
    },
  ],
  [
    "submit()",
    /it waits for agent "other"(;|$)/,
    (domain, other, terms) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).accessSync("read");
      return domain.createQueue({ run() {} }).submit({ writes: [buffer] }, terms);
    },
  ],
  [
    "loan()",
    /it waits for this thread \("main"\)(;|$)/,
    async (domain, _other, terms) => {
      const stream = streamOf(domain);
      stream.frames();
      (await stream.loan())!.publish();
      return stream.loan(terms);
    },
  ],
  [
    "the answer of an exporter elsewhere",
    /agent "main" has not answered(;|$)/,
    (domain, other, terms) => {
      const buffer = other.import(exported(domain, { attach: never }).handle());
      return buffer.attach({}, terms);
    },
  ],
];
