import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { Program, tiedToUs } from "./program.js";

const PATIENT = { timeout: 60_000 };
const LONG = { timeout: 60_000 };

/** A shell that runs a script, and the numbers that it prints, of processes. */
function start(script: string): { program: Program; numbers: (count: number) => Promise<number[]> } {
  const program = new Program("/bin/sh", ["-c", script], ["ignore", "pipe", "inherit"]);
  let said = "";
  program.read(1, (text) => (said += text));
  const numbers = async (count: number): Promise<number[]> => {
    while (said.split("\n").length <= count) await sleep(5);
    return said.trim().split("\n").map(Number);
  };
  return { program, numbers };
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await sleep(5);
  }
}

test("how a program has ended is its exit code or its signal", PATIENT, async () => {
  assert.equal(await start("exit 7").program.end(LONG), 7);
  assert.equal(await start("kill -s USR1 $$").program.end(LONG), "SIGUSR1");
});

test(
  "program.1: what does not hear SIGTERM ends, with all that it has started, at an abort and at a limit",
  PATIENT,
  async () => {
    for (const way of ["abort", "limit"]) {
      const { program, numbers } = start('trap "" TERM; sleep 1000 & echo $$; echo $!; wait; wait');
      const pids = await numbers(2);
      if (way === "abort") {
        const ending = program.end({ ...LONG, signal: AbortSignal.abort(new Error("enough")) });
        await assert.rejects(ending, { message: "enough" });
      } else await assert.rejects(program.end({ timeout: 20 }), { code: "ETIMEDOUT" });
      assert.equal(await program.ended, "SIGKILL");
      for (const pid of pids) await gone(pid);
    }
  },
);

test("program.2: a program ends with the process that started it, also by SIGKILL", PATIENT, async (t) => {
  if (tiedToUs().length === 0) return t.skip("there is no setpriv here");
  const module = new URL("./program.js", import.meta.url).href;
  const script = `import { Program } from ${JSON.stringify(module)};
    new Program("/bin/sh", ["-c", "echo $$; exec sleep 1000"], ["ignore", "inherit", "inherit"]);`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [pid] = (await once(parent.stdout.setEncoding("utf8"), "data")) as [string];
  parent.kill("SIGKILL");
  await gone(Number(pid));
});

test(
  "program.3: a killed program is not waited for as long as another process has its descriptors",
  PATIENT,
  async () => {
    const { program, numbers } = start("setsid sleep 1000 & echo $!; wait");
    const [stranger] = await numbers(1);
    try {
      program.kill();
      assert.equal(await program.ended, "SIGKILL");
    } finally {
      process.kill(stranger!, "SIGKILL");
    }
  },
);

test("what cannot be started is an error, or the exit code 127 of what was to start it", PATIENT, async () => {
  const starting = new Program("/nowhere/ffmpeg", [], "ignore").ended;
  if (tiedToUs().length > 0) assert.equal(await starting, 127);
  else await assert.rejects(starting, { code: "ENOENT" });
});
