import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { SteppedSubstrate } from "../../src/testing/index.js";
import type { Exceptions } from "./nonsense.js";
import type { PublicFunction } from "./surface.js";

/** What the functions of `dmabuf/testing` are called on and with, rightly. */

export class TestingWorld {
  readonly memory = createSharedSubstrate(new SharedArrayBuffer(64));
  readonly state = new Uint8Array();

  close(): void {}
}

export const RECEIVERS: Readonly<Record<string, (world: TestingWorld) => object>> = {
  SteppedSubstrate: ({ memory }) => new SteppedSubstrate(memory),
};

export const VALID: Readonly<Record<string, (world: TestingWorld) => readonly unknown[]>> = {
  "explore()": () => [{ words: 2, agents: [() => 1] }],
  "modelHost()": ({ memory }) => [memory, {}],
  "landmark()": ({ memory }) => [memory, "label"],
  "new SteppedSubstrate()": ({ memory }) => [memory],
  "SteppedSubstrate.begin()": () => [{}],
};

export const EXCEPTIONS: Exceptions = {};

/** Errors that only an exploration makes, and the operations on words, which a model counts and does nothing else with. */
export function isUntried({ owner, member }: PublicFunction): boolean {
  return owner === "ExplorationError" || owner === "AgentDeath" || (owner === "SteppedSubstrate" && WORDS.test(member));
}

const WORDS = /^(load|store|add|or|and|exchange|compareExchange|park|wake)/;
