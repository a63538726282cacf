import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { getuid } from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ALL_CASES } from "../src/all-cases.js";
import { runCase } from "../src/run.js";

const ADAPTER = fileURLToPath(new URL("node-adapter.js", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../src/main.js", import.meta.url));
const LIMITED = { timeout: 120_000 };
const TIMEOUT = 20_000;

/** The fault of an adapter, words of the case that finds it, and what that says. */
const FAULTS: readonly (readonly [fault: string, says: RegExp, why: RegExp])[] = [
  ["name", /hears the stream's name/, /the stream's name is "lens"/],
  ["format", /formats and the planes of images/, /"size" of the format is 1/],
  ["plane", /formats and the planes of audio/, /the checksum of plane 0 .* is 1, and must be/],
  ["checksum", /frames come in order/, /the checksum of frame 0/],
  ["length", /shorter than its format/, /the length of frame 0 is 5000, and must be 0/],
  ["data", /data of each kind/, /the data of frame 0 is null, and must be 0/],
  ["picture", /pictures come with a frame/, /the picture of frame 1 is {}/],
  ["timestamp", /producer's timestamp/, /the timestamp is \d+, and must be 0/],
  ["early", /what it holds stays/, /"look" is answered {"error"/],
  ["end", /says so, again and again/, /"next" is answered {"error".*and must be ok/],
  ["code", /where there is no server/, /"view" is answered .*"EIO".*and must be ECONNREFUSED/],
  ["words", /where there is no server/, /fails with ECONNREFUSED and without a message/],
  ["hasty", /a time limit ends its wait/, /it has waited for .* ms, and must for 150/],
  ["leak", /has nothing left open/, /not within .*: the server has noticed the end/],
  ["dies", /hears the stream's name/, /the adapter has ended instead of answering .*: status 7/],
  ["babble", /hears the stream's name/, /what is no object in JSON: "hello"/],
  ["status", /end of the adapter's input/, /ends with status 3/],
  ["believing", /refuses what is no greeting/, /"view" is answered {"ok":true.*and must be EPROTO/],
  ["filled", /fills frames|come to the consumer as they were filled/, /the checksum/],
  ["number", /whose numbers it is told/, /the sequence number is 1, and must be 0/],
  ["undated", /whose numbers it is told/, /the timestamp is \d/],
  ["forgetful", /whose numbers it is told/, /the data is null, and must be 0/],
  ["whole", /its frame may be shorter/, /the length is 4096, and must be 0/],
  ["hoarding", /that it drops comes back/, /"loan" is answered {"error"/],
  ["impatient", /its wait for a blank/, /it has not waited for 150 ms/],
  ["endless", /its end is the stream's/, /ETIMEDOUT|the frame after the end/],
  ["cause", /its failure is the stream's/, /what the consumer gets is "EIO", and must be "ENODEV"/],
  ["leak", /while it has a blank it gives that back/, /not within .*: the server has noticed the end/],
  ["credulous", /refuses what is no greeting, and damaged/, /"contribute" is answered {"ok":true.*must be EPROTO/],
  ["taken", /refuses blanks of places/, /"loan" is answered {"ok":true/],
];

for (const [fault, says, why] of FAULTS) {
  test(`an adapter with the fault "${fault}" is found by "${says.source}"`, LIMITED, async () => {
    const item = ALL_CASES.find((one) => says.test(one.says))!;
    // What waits for what does not come ends earlier.
    const timeout = ["leak", "endless", "hoarding"].includes(fault) ? 3_000 : TIMEOUT;
    const result = await runCase(item, { command: [process.execPath, ADAPTER, fault], timeout });
    assert.equal(result.outcome, "FAILED");
    assert.match(result.why!, why);
  });
}

const BY_MAP_FILES = { ...LIMITED, skip: getuid?.() === 0 ? false : "only root opens the files of mappings" };

test("a contributor that can write to what it has published is found", BY_MAP_FILES, async () => {
  const item = ALL_CASES.find(({ says }) => says.includes("it has no memory of the frame"))!;
  const { outcome, why } = await runCase(item, { command: [process.execPath, ADAPTER, "keeping"], timeout: TIMEOUT });
  assert.equal(outcome, "FAILED");
  assert.match(why!, /"publish" is answered .*EBUSY/);
});

const AS_ROOT = { ...LIMITED, skip: getuid?.() === 0 ? false : "only root can start a server of another user" };

test("an adapter that speaks with a server of another user is found", AS_ROOT, async () => {
  const item = ALL_CASES.find(({ says }) => says.includes("server of another user"))!;
  const { outcome, why } = await runCase(item, { command: [process.execPath, ADAPTER, "trusting"], timeout: 2_000 });
  assert.equal(outcome, "FAILED");
  assert.match(why!, /must be EACCES/);
});

test("each case has an id of its own, by which it is selected", LIMITED, () => {
  const ids = ALL_CASES.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const { stdout, status } = suite("--list", "--only", ids[3]!);
  assert.equal(status, 0);
  assert.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    [ids[3]],
  );
});

test(
  "the program's status is 0 if all is well, 1 if the client fails, and 2 if nothing can be said of it",
  LIMITED,
  () => {
    const one = ALL_CASES.find(({ says }) => says.includes("where there is no server"))!.id;
    assert.match(
      suite("--only", one, "--", process.execPath, ADAPTER).stdout,
      /^ok .*\n\n1 ok, 0 failed, 0 skipped\n$/,
    );
    assert.equal(suite("--only", one, "--", process.execPath, ADAPTER).status, 0);
    const failed = suite("--only", one, "--", process.execPath, ADAPTER, "code");
    assert.match(failed.stdout, /^FAILED .*\n +"view" is answered[^]*\n0 ok, 1 failed, 0 skipped\n$/);
    assert.equal(failed.status, 1);
    for (const [why, ...args] of [
      ["the adapter is missing", "--only", one],
      ["no case begins with XYZ", "--only", "XYZ", "--", "true"],
      ["the adapter does not start", "--", "/nonexistent/adapter"],
      ['"hello" must be answered', "--", process.execPath, ADAPTER, "greeting"],
      ["must be a number of milliseconds", "--timeout", "soon", "--", "true"],
    ] as const) {
      const { status, stderr } = suite(...args);
      assert.equal(status, 2, stderr);
      assert.ok(stderr.includes(why), stderr);
    }
  },
);

function suite(...args: readonly string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8", timeout: 60_000 });
}
