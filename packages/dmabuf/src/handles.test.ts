import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain } from "../test/agents.js";
import { rawFormat } from "./stream/format.js";

test("what was sent itself is refused with the call that gives its handle", (t) => {
  const domain = createDomain(t);
  const fence = domain.createTimeline().createFence();
  const things: [unknown, (thing: never) => unknown, RegExp][] = [
    [domain.allocate(1), (thing) => domain.import(thing), /handle\(\) of the DmaBuf gives/],
    [fence, (thing) => domain.importFence(thing), /a handle to a fence, which fence\.handle\(\) gives/],
    [
      domain.createSyncFile(fence),
      (thing) => domain.importSyncFile(thing),
      /a handle to a sync file, which its handle\(\) gives/,
    ],
    [domain.createSyncobj(), (thing) => domain.openSyncobj(thing), /a handle to a syncobj, which its handle\(\) gives/],
    [
      domain.createSoftwareTimeline(),
      (thing) => domain.openSoftwareTimeline(thing),
      /a handle to a software timeline, which its handle\(\) gives/,
    ],
    [
      domain.createStream({ name: "posted", format: rawFormat(64) }),
      (thing) => domain.openStream(thing),
      /handle\(\) of the FrameStream gives/,
    ],
  ];
  for (const [thing, take, message] of things) {
    // As it arrives: functions are not sent, and what is private is not.
    const arrived = JSON.parse(JSON.stringify(thing)) as never;
    assert.throws(() => take(arrived), { code: "EINVAL", message });
    assert.throws(() => take(thing as never), { code: "EINVAL", message });
  }
});
