/**
 * Every public function refuses nonsense in its own words: each argument and each option in turn is replaced by each of a
 * list of nonsense. What functions there are is read from the declarations of the entries (see `test/arguments/`), so that
 * a new one is among them, or fails for being unknown.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import * as core from "../src/index.js";
import { EXCEPTIONS, RECEIVERS, VALID, World } from "./arguments/core.js";
import { publicFunctions, type PublicFunction } from "./arguments/surface.js";
import { tryAll, type Plan } from "./arguments/try-all.js";

const LONG = { timeout: 120_000 };

let warnings = 0;
const emitWarning = process.emitWarning.bind(process);
before(() => {
  process.emitWarning = () => void warnings++;
});
after(() => {
  process.emitWarning = emitWarning;
});

const known = new Set<string>();

describe("dmabuf refuses nonsense in its own words, and changes nothing:", () => {
  const plan: Plan<World> = {
    world: () => new World(),
    async receiver(fn, world) {
      if (fn.kind === "function") return core;
      if (fn.kind !== "method" && fn.kind !== "setter") return core[fn.owner as keyof typeof core] as object;
      const make = RECEIVERS[fn.owner];
      assert.ok(make, `It is not known how to make a ${fn.owner}: say so in the table`);
      return make(world);
    },
    valid: (fn, world, receiver) => validOf(fn)?.(world, receiver as never),
    exceptions: EXCEPTIONS,
    state: (world) => world.state,
    warnings: () => warnings,
  };
  testAll(publicFunctions("index", known), plan);
});

function validOf({ kind, owner, member, id }: PublicFunction): (typeof VALID)[string] | undefined {
  return (kind === "method" ? VALID[`${owner}#${member}()`] : undefined) ?? VALID[id];
}

function testAll<W extends { close(): void }>(functions: readonly PublicFunction[], plan: Plan<W>): void {
  assert.ok(functions.length > 0);
  for (const fn of functions) {
    test(fn.id, LONG, async () => assert.deepEqual(await tryAll(fn, plan), []));
  }
}
