/** The build of the kernel lab, with programs of the test's own in the place of those that take minutes. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const BUILD = join(import.meta.dirname, "../../test/kernel/lab/build.sh");
const CONFIG = join(import.meta.dirname, "../../test/kernel/lab/kernel.config");
const PATIENT = { timeout: 60_000, skip: process.platform !== "linux" || process.arch !== "x64" };

const root = mkdtempSync(join(tmpdir(), "dmabuf-lab-build-"));
const programs = join(root, "bin");
const cache = join(root, "cache");
/** Each compilation writes a line to it. */
const compilations = join(root, "compilations");
/** A compilation waits until it is there. */
const gate = join(root, "gate");
after(() => rmSync(root, { recursive: true }));

const PROGRAMS = {
  busybox: "",
  // All is installed but what this file names.
  "dpkg-query": `grep -qxF "$4" ${root}/missing && exit 1; echo 'install ok installed'`,
  tar: `mkdir -p "$4/drivers/gpu/drm/vgem"; echo 'DRIVER_GEM | DRIVER_RENDER,' > "$4/drivers/gpu/drm/vgem/vgem_drv.c"`,
  make: `
    if [[ $* == *allnoconfig ]]; then
      for word; do if [[ $word == O=* ]]; then cp ${CONFIG} "\${word#O=}/.config"; fi; done
    else
      echo $$ >> ${compilations}
      until [[ -e ${gate} ]]; do sleep 0.05; done
      echo 'a kernel' > "$2/linux"
      chmod +x "$2/linux"
    fi`,
  strip: `cp "$3" "$2"`,
  "apt-get": `
    echo "$*" >> ${root}/apt
    if [[ $* == *update* && $(wc -l < ${root}/apt) -lt 3 ]]; then
      echo 'E: Could not get lock /var/lib/apt/lists/lock' >&2
      exit 100
    fi
    [[ $* != *install* ]] || : > ${root}/missing`,
  id: "echo 0",
};

mkdirSync(programs);
for (const [name, script] of Object.entries(PROGRAMS)) {
  writeFileSync(join(programs, name), `#!/usr/bin/env bash\n${script}\n`, { mode: 0o755 });
}

beforeEach(() => {
  for (const path of [cache, compilations, gate, join(root, "apt")]) rmSync(path, { recursive: true, force: true });
  writeFileSync(join(root, "missing"), "");
});

interface Build {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly said: () => string;
}

function build(): Build {
  const env = { ...process.env, PATH: `${programs}:${process.env["PATH"]}`, DMABUF_KERNEL_LAB: cache };
  const child = spawn(BUILD, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (text: Buffer) => (said += text.toString()));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, ended, said: () => said };
}

function compiled(): string[] {
  return existsSync(compilations) ? readFileSync(compilations, "utf8").trim().split("\n") : [];
}

async function until(condition: () => boolean, { child, said }: Build): Promise<void> {
  while (!condition()) {
    if (child.exitCode !== null) throw new Error(`The build has ended:\n${said()}`);
    await sleep(10);
  }
}

test("a second build waits for the first, and compiles nothing", PATIENT, async () => {
  const first = build();
  await until(() => compiled().length === 1, first);
  const second = build();
  await until(() => second.said().includes("waiting for another build"), second);
  writeFileSync(gate, "");
  assert.deepEqual([await first.ended, await second.ended], [0, 0], first.said() + second.said());
  assert.equal(compiled().length, 1);
  assert.deepEqual(
    readdirSync(cache).filter((name) => !name.startsWith("linux-")),
    ["lock"],
  );
});

test("a build that is killed leaves nothing half: the next one begins anew, and clears up", PATIENT, async () => {
  const first = build();
  await until(() => compiled().length === 1, first);
  first.child.kill("SIGKILL");
  process.kill(Number(compiled()[0]), "SIGKILL");
  await first.ended;
  assert.deepEqual(
    readdirSync(cache).filter((name) => name.startsWith("linux-")),
    [],
  );
  writeFileSync(gate, "");
  const second = build();
  assert.equal(await second.ended, 0, second.said());
  assert.equal(compiled().length, 2);
  assert.deepEqual(
    readdirSync(cache).filter((name) => !name.startsWith("linux-")),
    ["lock"],
  );
});

test("packages are installed once no other apt-get is at work", PATIENT, async () => {
  writeFileSync(join(root, "missing"), "flex\n");
  writeFileSync(gate, "");
  const { ended, said } = build();
  assert.equal(await ended, 0, said());
  const calls = readFileSync(join(root, "apt"), "utf8").trim().split("\n");
  assert.deepEqual(
    calls.map((call) => /update|install/.exec(call)?.[0]),
    ["update", "update", "update", "install"],
  );
  for (const call of calls) assert.match(call, /DPkg::Lock::Timeout=-1/);
});
