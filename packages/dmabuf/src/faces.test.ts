import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain } from "../test/agents.js";
import { Agent } from "./domain/agent.js";
import { Layout } from "./domain/layout.js";
import { checkSizes } from "./domain/sizes.js";

/** What a program could reach of an object: its properties and getters, and theirs, but nothing by a call. */
function* reached(root: object): Generator<{ readonly path: string; readonly value: object }> {
  const seen = new Set<object>();
  const open = [{ path: root.constructor.name, value: root }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next.value)) continue;
    seen.add(next.value);
    yield next;
    for (const [name, value] of propertiesOf(next.value)) {
      if (typeof value === "object" && value !== null) open.push({ path: `${next.path}.${String(name)}`, value });
    }
  }
}

function* propertiesOf(object: object): Generator<[PropertyKey, unknown]> {
  if (ArrayBuffer.isView(object)) return;
  for (let level: object | null = object; level !== null && level !== Object.prototype;) {
    for (const name of Reflect.ownKeys(level)) {
      let value: unknown;
      try {
        value = Reflect.get(level, name, object);
      } catch {
        continue;
      }
      yield [name, value];
    }
    level = Reflect.getPrototypeOf(level);
  }
}

test("no agent and no layout of shared memory is reached from what a domain makes of fences", (t) => {
  const domain = createDomain(t);
  const timeline = domain.createTimeline();
  const fences = [timeline.createFence(), domain.createFence({ driverName: "driver", timelineName: "line" })];
  const array = domain.createFenceArray(fences);
  const file = domain.createSyncFile(array);
  const syncobj = domain.createSyncobj();
  syncobj.addPoint(1, array);
  const things: object[] = [
    domain,
    timeline,
    domain.createSoftwareTimeline(),
    ...fences,
    array,
    domain.createFenceChain(fences[0], array, 1),
    domain.stubFence(),
    domain.fenceFrom(Promise.resolve()),
    fences[0]!.addCallback(() => {}),
    syncobj.onPoint(2, () => {}),
    array.handle(),
    file,
    file.handle(),
    syncobj,
    syncobj.handle(),
    ...[domain.createUserFence(), domain.allocate(8).memoryFence({ value: 1 })].flatMap((fence) => [
      fence,
      fence.handle(),
    ]),
  ];
  const found = things.flatMap((thing) =>
    [...reached(thing)]
      .filter(({ value }) => value instanceof Agent || value instanceof Layout)
      .map(({ path }) => path),
  );
  assert.deepEqual(found, []);
  // The walk finds what is there.
  const planted = { inner: [{ layout: new Layout(checkSizes({})) }] };
  assert.equal(
    [...reached(planted)].some(({ value }) => value instanceof Layout),
    true,
  );
});
