/** `dmabuf doctor` on a machine that has everything, and for a user who may use nothing of it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { survey, type Survey } from "../../../src/linux/index.js";
import { openDescriptors } from "../support.js";

const PATIENT = { timeout: 60_000 };
const MAIN = fileURLToPath(new URL("../../../src/cli/main.js", import.meta.url));
const NOBODY = 65_534;

test("the doctor finds that everything is there, and leaves nothing open", PATIENT, () => {
  survey();
  const before = openDescriptors();
  const { findings } = survey();
  assert.equal(openDescriptors(), before);
  assert.deepEqual(
    findings.filter(({ state }) => state !== "ok"),
    [],
  );
  const details = new Map(findings.map(({ name, detail }) => [name, detail]));
  assert.match(details.get("/dev/dri/card1")!, /^vkms .*images, displays \(Virtual-1\)/);
  assert.match(details.get("/dev/dri/renderD128")!, /^vgem .*timelines, events/);
  assert.match(details.get("/dev/video0")!, /converter/);
});

test("the doctor tells a user without rights what they lack, and which group would help", PATIENT, () => {
  const run = spawnSync(process.execPath, [MAIN, "doctor", "--json"], { uid: NOBODY, gid: NOBODY, encoding: "utf8" });
  assert.deepEqual([run.status, run.stderr], [0, ""]);
  const { findings } = JSON.parse(run.stdout) as Survey;
  const state = new Map(findings.map((finding) => [finding.name, finding]));
  for (const name of ["udmabuf", 'heap "system"', "/dev/video0", "/dev/dri/card0"]) {
    assert.equal(state.get(name)!.state, "forbidden", name);
    assert.match(state.get(name)!.advice!, /group|root/);
  }
});
