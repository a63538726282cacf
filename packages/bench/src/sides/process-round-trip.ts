import {
  createPipe,
  createProcessSubstrate,
  MemoryObject,
  pageSize,
  ResourceLedger,
  viewOf,
  type Doorbells,
  type Substrate,
} from "../internals.js";
import type { Figures } from "../figures.js";
import { operations, sample, sampleAsync, type Plan } from "./sampling.js";
import { twoProcesses, type Shared } from "./two-processes.js";
import type { WorkersParameters } from "./two-workers.js";

/** Two processes answer each other by one shared word each, which is a doorbell of the process substrate. */
export interface ProcessRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  readonly wait: "spin" | "park" | "async";
}

const PING = 0;
/** On another cache line. */
const PONG = 32;
const ledger = new ResourceLedger();

// What sleeps in the event loop does not keep the process alive.
const alive = setInterval(() => {}, 1e6);
await twoProcesses<ProcessRoundTripParameters>(import.meta.url, prepare, follow);
clearInterval(alive);

function prepare({ plan, wait }: ProcessRoundTripParameters): Shared {
  const object = MemoryObject.create(ledger, { name: "round-trip", length: pageSize() });
  const pipes = [createPipe().writer, createPipe().writer];
  return { descriptors: [object.fd, ...pipes], lead: () => lead(substrateOf(object.fd, pipes), plan, wait) };
}

async function lead(memory: Substrate, plan: Plan, wait: ProcessRoundTripParameters["wait"]): Promise<Figures> {
  if (wait === "async") {
    return sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) {
        send(memory, PING, i + 1);
        await received(memory, PONG, i + 1);
      }
    });
  }
  const receive = wait === "park" ? park : spin;
  return sample(plan, (first, count) => {
    for (let i = first; i < first + count; i++) {
      if (wait === "spin") memory.store(PING, i + 1);
      else send(memory, PING, i + 1);
      receive(memory, PONG, i + 1);
    }
  });
}

async function follow(descriptors: readonly number[], { plan, wait }: ProcessRoundTripParameters): Promise<void> {
  const [fd, ...pipes] = descriptors as [number, ...number[]];
  const memory = substrateOf(fd, pipes);
  for (let i = 0; i < operations(plan); i++) {
    if (wait === "async") await received(memory, PING, i + 1);
    else if (wait === "park") park(memory, PING, i + 1);
    else spin(memory, PING, i + 1);
    if (wait === "spin") memory.store(PONG, i + 1);
    else send(memory, PONG, i + 1);
  }
}

function substrateOf(fd: number, pipes: readonly number[]): Substrate {
  const entry = ledger.map({ fd, length: pageSize(), isWritable: true });
  const doorbells: Doorbells = { slots: 2, bell: PING, sleepers: 8, stride: PONG, pipeOf: (slot) => pipes[slot]! };
  return createProcessSubstrate({ memory: viewOf(ledger.addressOf(entry), pageSize()), doorbells });
}

function send(memory: Substrate, word: number, value: number): void {
  memory.store(word, value);
  memory.wake(word);
}

function spin(memory: Substrate, word: number, value: number): void {
  while (memory.load(word) !== value);
}

function park(memory: Substrate, word: number, value: number): void {
  while (memory.load(word) !== value) memory.park(word, value - 1, Infinity);
}

async function received(memory: Substrate, word: number, value: number): Promise<void> {
  while (memory.load(word) !== value) await memory.parkAsync(word, value - 1);
}
