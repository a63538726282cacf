import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Host } from "../host/host.js";
import { threadsHost } from "../host/threads.js";
import { Domain, ValidationReport, type ReportCode, type ValidateOptions } from "../index.js";
import { Reports } from "./reports.js";

const PLACES = [{ what: "the fence was made here", where: "at main (main.js:1:2)" }];

function listening(options: ValidateOptions = {}) {
  const warnings: string[] = [];
  const host: Host = { ...threadsHost(), warn: (message) => void warnings.push(message) };
  const reports = new Reports({ host, tracer: undefined }, options);
  const say = (about: string, code: ReportCode = "own-fence"): void => {
    reports.say(code, about, () => new ValidationReport(code, `Fence ${about} cannot signal`, PLACES, ["a", "b", "a"]));
  };
  return { reports, warnings, say };
}

test("a report is a warning with its code, its circle, its places and its page", () => {
  const { warnings, say } = listening();
  say("1:1");
  const [text] = warnings;
  assert.match(text!, /^\[own-fence\] Fence 1:1 cannot signal\n {2}a\n {4}→ b\n {4}→ a\n/);
  assert.match(text!, /the fence was made here:\n {4}at main \(main.js:1:2\)\n/);
  assert.match(text!, /docs\/validator\.md#own-fence$/);
});

test("the same is said once, of other things again", () => {
  const { reports, warnings, say } = listening();
  for (const about of ["1:1", "1:1", "2:1"]) say(about);
  assert.deepEqual([reports.list.length, warnings.length], [2, 2]);
});

test("a report goes to `onReport` in the place of the warning, and is JSON for tools", () => {
  const got: ValidationReport[] = [];
  const { warnings, say } = listening({ onReport: (report) => got.push(report) });
  say("1:1");
  assert.equal(warnings.length, 0);
  assert.ok(got[0] instanceof Error);
  const { name, code, url } = got[0];
  assert.deepEqual(JSON.parse(JSON.stringify(got[0])), {
    ...{ name, code, message: "Fence 1:1 cannot signal", url },
    ...{ places: PLACES, circle: ["a", "b", "a"] },
  });
});

test("an `onReport` that throws is warned of, and the call goes on", () => {
  const { reports, warnings, say } = listening({
    onReport() {
      throw new Error("broken");
    },
  });
  say("1:1");
  assert.equal(reports.list.length, 1);
  assert.match(warnings[0]!, /^Cannot deliver the report "own-fence": .*broken/);
});

test("what is silenced by its code, and by what it is about, is not reported", () => {
  const { reports, say } = listening({
    silence: [
      { name: "own-fence", about: "Fence 1:", reason: "a test" },
      { name: "back-off", reason: "a test" },
    ],
  });
  say("1:1");
  say("2:1");
  say("2:2", "back-off");
  assert.deepEqual(
    reports.list.map(({ message }) => message),
    ["Fence 2:1 cannot signal"],
  );
});

test("reports are lines of JSON in the file that the environment names", () => {
  const file = join(mkdtempSync(join(tmpdir(), "reports-")), "reports.jsonl");
  process.env["DMABUF_VALIDATE_REPORTS"] = file;
  const { say } = listening();
  delete process.env["DMABUF_VALIDATE_REPORTS"];
  say("1:1");
  say("2:1");
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as ValidationReport).message),
    ["Fence 1:1 cannot signal", "Fence 2:1 cannot signal"],
  );
});

test("a wrong option of the validator is refused by its name", () => {
  const refused = (validate: unknown): unknown => {
    try {
      Domain.create({ validate: validate as ValidateOptions }).close();
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };
  assert.equal(refused(1), 'Domain.create(): option "validate" must be true, false or an object of options, not 1');
  assert.equal(refused({ onReport: 1 }), 'Domain.create(): option "onReport" must be a function, not 1');
  assert.match(String(refused({ silence: [{ name: "own-fence" }] })), /option "silence"\[0\]\.reason must be a string/);
  using domain = Domain.create({ validate: false });
  assert.deepEqual(domain.reports, []);
});
