import assert from "node:assert/strict";
import { test } from "node:test";
import { rawFormat } from "../../index.js";
import type { Peer } from "../peers.js";
import type { JsonValue } from "../../stream/metadata.js";
import { RemoteOffers } from "./offers.js";

test("of what another host tells wrongly nothing is kept offers.3", () => {
  const offers = new RemoteOffers(() => {});
  const peer = { id: "other", lost: new AbortController().signal } as Peer;
  const right = { slot: 0, generation: 1, name: "a", format: rawFormat(8), dataBytes: 0, buffers: 1, age: 0 };
  const wrong = [
    null,
    7,
    {},
    { slot: -1 },
    { generation: 0.5 },
    { name: "x".repeat(32) },
    { format: { kind: "raw", size: -1 } },
    { dataBytes: 2 ** 40 },
    { buffers: 33 },
    { age: "old" },
  ];
  for (const fields of wrong) {
    const is =
      typeof fields === "object" && fields !== null && Object.keys(fields).length > 0
        ? { ...right, ...fields }
        : fields;
    offers.hear(peer, { is } as unknown as JsonValue);
  }
  for (const body of [null, {}, { gone: 1 }, { ended: { slot: "0" } }]) offers.hear(peer, body);
  assert.deepEqual(offers.open, []);
  offers.hear(peer, { is: right } as unknown as JsonValue);
  assert.deepEqual(
    offers.of("a").map(({ format }) => format),
    [rawFormat(8)],
  );
});
