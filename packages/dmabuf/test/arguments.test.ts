/**
 * Every public function refuses nonsense in its own words: each argument and each option in turn is replaced by each of a
 * list of nonsense. What functions there are is read from the declarations of the entries (see `test/arguments/`), so that
 * a new one is among them, or fails for being unknown. The rules are arguments.1 to arguments.4. And what a function is
 * called on and what it gives lead to nothing of the library's own machinery.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import * as testing from "../src/testing/index.js";
import * as core from "../src/index.js";
import * as linux from "../src/linux/index.js";
import * as hosts from "../src/hosts/index.js";
import * as node from "../src/node/index.js";
import * as lean from "../src/streams.js";
import * as opentelemetry from "../src/opentelemetry/index.js";
import * as web from "../src/web/index.js";
import * as recording from "../src/web/recording.js";
import * as worklet from "../src/web/worklet.js";
import { EXCEPTIONS, OF_ANY_DOMAIN, RECEIVERS, VALID, World } from "./arguments/core.js";
import * as devices from "./arguments/linux.js";
import * as models from "./arguments/testing.js";
import { TestingWorld } from "./arguments/testing.js";
import * as processes from "./arguments/node.js";
import { ProcessWorld } from "./arguments/node.js";
import * as otherHosts from "./arguments/hosts.js";
import { HostsWorld } from "./arguments/hosts.js";
import type { Exceptions } from "./arguments/nonsense.js";
import * as telemetry from "./arguments/opentelemetry.js";
import * as recordings from "./arguments/recording.js";
import * as pages from "./arguments/web.js";
import * as worklets from "./arguments/worklet.js";
import * as streams from "./arguments/streams.js";
import { StreamsWorld } from "./arguments/streams.js";
import { innerThings } from "./arguments/reach.js";
import { publicFunctions, publicTypes, type PublicFunction } from "./arguments/surface.js";
import { tryAll, tryForeign, type Plan } from "./arguments/try-all.js";

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
const types = publicTypes([
  "index",
  "node/index",
  "linux/index",
  "testing/index",
  "streams",
  "web/index",
  "web/recording",
  "web/worklet",
  "opentelemetry/index",
  "hosts/index",
]);

function leadsTo(object: unknown): string[] {
  const inner = innerThings(object, (name) => types.has(name)).filter(
    // An invitation is the control segment on its way to another thread.
    ({ path, what }) => !(/^the control segment$|^Memory$/.test(what) && /^(\.invitation)?\.control$/.test(path)),
  );
  return inner.map(({ path, what }) => `leads to ${what} at ${path}`);
}

describe("dmabuf refuses nonsense in its own words, and changes nothing:", () => {
  testAll("index", core, () => new World(), { RECEIVERS, VALID, EXCEPTIONS, OF_ANY_DOMAIN });
});

describe("dmabuf/streams refuses nonsense in its own words, and changes nothing:", () => {
  // Its domain is another one than that of `dmabuf`: nothing is known of it.
  testAll("streams", lean, () => new StreamsWorld(), streams, new Set());
});

describe("dmabuf/web refuses nonsense in its own words, and changes nothing:", () => {
  testAll("web/index", web, () => new World(), pages);
});

describe("dmabuf/web/recording refuses nonsense in its own words, and changes nothing:", () => {
  testAll("web/recording", recording, () => new World(), recordings);
});

describe("dmabuf/web/worklet refuses nonsense in its own words, and changes nothing:", () => {
  testAll("web/worklet", worklet, () => new World(), worklets);
});

describe("dmabuf/opentelemetry refuses nonsense in its own words, and changes nothing:", () => {
  testAll("opentelemetry/index", opentelemetry, () => new World(), telemetry);
});

describe(
  "dmabuf/node refuses nonsense in its own words, and changes nothing:",
  { skip: !node.capabilities().processes },
  () => {
    testAll("node/index", node, () => new ProcessWorld(), processes);
  },
);

describe(
  "dmabuf/hosts refuses nonsense in its own words, and changes nothing:",
  { skip: !node.capabilities().processes },
  () => {
    testAll("hosts/index", hosts, () => new HostsWorld(), otherHosts);
  },
);

describe(
  "dmabuf/linux refuses nonsense in its own words, and changes nothing:",
  { skip: process.platform !== "linux" },
  () => {
    testAll("linux/index", linux, () => new World(), devices);
  },
);

describe("dmabuf/testing refuses nonsense in its own words:", () => {
  testAll("testing/index", testing, () => new TestingWorld(), models);
});

test("what a program gets is looked through: fields, getters, lists, maps, and memory", () => {
  class Inner {}
  class Public {
    readonly list = [new Map([[1, { deep: new Inner() }]])];
    get inherited(): Inner {
      return new Inner();
    }
  }
  class Derived extends Public {
    readonly view = new Uint8Array(new Uint32Array([0x66756264]).buffer);
  }
  const found = innerThings({ object: new Derived() }, (name) => name === "Public");
  assert.deepEqual(found.map(({ path, what }) => `${path}: ${what}`).sort(), [
    ".object.inherited: Inner",
    ".object.list.0.values().0.deep: Inner",
    ".object.view.buffer: the control segment",
  ]);
});

/** What is known of an entry's functions. */
interface Table<W> {
  readonly RECEIVERS: Readonly<Record<string, (world: W) => object | Promise<object>>>;
  readonly VALID: Readonly<Record<string, (world: W, receiver: never) => readonly unknown[]>>;
  readonly EXCEPTIONS: Exceptions;
  /** What may be of another domain than the rest. Default: no such thing is tried. */
  readonly OF_ANY_DOMAIN?: ReadonlySet<string>;
  /** Whether a function is not tried here, and why: see there. */
  readonly isUntried?: (fn: PublicFunction) => boolean;
}

interface AnyWorld {
  readonly state: Uint8Array;
  close(): void;
}

function testAll<W extends AnyWorld>(
  entry: string,
  module: object,
  world: () => W,
  table: Table<W>,
  shown: Set<string> = known,
): void {
  const plan: Plan<W> = {
    world,
    async receiver({ kind, owner }, made) {
      if (kind === "function") return module;
      if (kind !== "method" && kind !== "setter") return module[owner as keyof typeof module];
      const make = table.RECEIVERS[owner];
      assert.ok(make, `It is not known how to make a ${owner}: say so in the table`);
      return make(made);
    },
    valid({ kind, owner, member, id }, made, receiver) {
      const own = kind === "method" ? table.VALID[`${owner}#${member}()`] : undefined;
      return (own ?? table.VALID[id])?.(made, receiver as never);
    },
    exceptions: table.EXCEPTIONS,
    state: ({ state }) => state,
    warnings: () => warnings,
    leadsTo,
  };
  const functions = publicFunctions(entry, shown);
  assert.ok(functions.length > 0);
  for (const fn of functions) {
    if (table.isUntried?.(fn)) continue;
    test(fn.id, LONG, async () => {
      assert.deepEqual(await tryAll(fn, plan), []);
      if (table.OF_ANY_DOMAIN !== undefined) assert.deepEqual(await tryForeign(fn, plan, table.OF_ANY_DOMAIN), []);
    });
  }
}
