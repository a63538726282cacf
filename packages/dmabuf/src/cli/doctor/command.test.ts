import assert from "node:assert/strict";
import { test } from "node:test";
import { survey, type Finding } from "../../linux/index.js";
import { inWords } from "./command.js";

const FINDINGS: readonly Finding[] = [
  { name: "heap", use: "memory", state: "ok", since: "5.6", detail: "allocates" },
  { name: "udmabuf", use: "buffers", state: "forbidden", detail: "no right to it", advice: "Join the group." },
];

test("the doctor's text has a line for each finding, and advice for those that are not well", () => {
  const text = inWords({ system: "linux 6.1 on x64", node: "v20.19.0", findings: FINDINGS });
  assert.match(text, /linux 6\.1 on x64/);
  assert.match(text, /yes .*heap .*5\.6 .*allocates/);
  assert.match(text, /no right .*udmabuf/);
  assert.match(text, /What could be done:\n {2}udmabuf \(buffers\)\n {4}Join the group\.$/);
  const [well] = FINDINGS;
  assert.match(inWords({ system: "", node: "", findings: [well!] }), /Everything is there\.$/);
});

test("a survey of this machine tells of each thing what it is for, and of what is missing what to do", () => {
  const { findings, node } = survey();
  assert.equal(node, process.version);
  assert.equal(new Set(findings.map(({ name }) => name)).size, findings.length);
  for (const { name, use, state, detail, advice } of findings) {
    assert.ok(use !== "" && detail !== "", name);
    assert.equal(advice === undefined, state === "ok", name);
  }
});
