import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain } from "../test/agents.js";
import { rawFormat } from "./stream/format.js";

test("what was sent itself is refused with the call that gives its handle", (t) => {
  const domain = createDomain(t);
  const fence = domain.createTimeline().createFence();
  const things = [
    domain.allocate(1),
    fence,
    domain.createSyncFile(fence),
    domain.createSyncobj(),
    domain.createSoftwareTimeline(),
    domain.createStream({ name: "posted", format: rawFormat(64) }),
  ];
  const message = /what a method handle\(\) gives/;
  for (const thing of things) {
    // As it arrives: functions are not sent, and what is private is not.
    const arrived = JSON.parse(JSON.stringify(thing)) as never;
    assert.throws(() => domain.import(arrived), { code: "EINVAL", message });
    assert.throws(() => domain.import(thing as never), { code: "EINVAL", message });
  }
});

test("each handle is opened as what it is to, and is refused in another domain", (t) => {
  const [domain, other] = [createDomain(t), createDomain(t)];
  const fence = domain.createTimeline().createFence();
  const handles = [
    domain.allocate(1).handle(),
    fence.handle(),
    domain.createFenceArray([fence]).handle(),
    domain.createSyncFile(fence).handle(),
    domain.createSyncobj().handle(),
    domain.createUserFence().handle(),
    domain.createSoftwareTimeline().handle(),
    domain.createStream({ format: rawFormat(64) }).handle(),
  ].map((handle) => structuredClone({ ...handle }));
  const opened = handles.map((handle) => (domain.import(handle) as object).constructor.name);
  const kinds = [
    "DmaBuf",
    "Fence",
    "FenceArray",
    "SyncFile",
    "Syncobj",
    "UserFence",
    "SoftwareTimeline",
    "FrameStream",
  ];
  assert.deepEqual(opened, kinds);
  for (const handle of handles) {
    assert.throws(() => other.import(handle), { code: "EINVAL", message: /belongs to domain/ });
    assert.throws(() => domain.import({ ...handle, kind: "nothing" } as never), { code: "EINVAL" });
  }
});
