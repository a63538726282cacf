/** A host's agent in a process of its own (`host-program.ts`), for tests that stop or kill it. */
import { fork, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import type { HostsOptions } from "../src/hosts/index.js";

interface Line {
  readonly self?: { readonly id: string; readonly address: string };
  readonly found?: string;
  readonly incarnation?: number;
  readonly own?: number;
  readonly lost?: string;
  readonly why?: string;
  readonly warning?: string;
}

export interface StartedHost {
  readonly child: ChildProcess;
  /** The next line that is wanted; those before it are gone. */
  next(isWanted: (line: Line) => boolean): Promise<Line>;
}

/** What the program is told. */
export interface StartedHostOptions extends Partial<HostsOptions> {
  /** Of the domain that it joins; without one it makes one. */
  readonly place?: string;
}

const STARTED_KEY = "a key of these tests";

export function startHost(t: TestContext, options: StartedHostOptions): StartedHost {
  const all = { bind: "127.0.0.1", key: STARTED_KEY, name: "program", ...options };
  const child = fork(new URL("host-program.js", import.meta.url), [JSON.stringify(all)], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    execArgv: ["--no-warnings"],
  });
  t.after(() => child.kill("SIGKILL"));
  const lines: Line[] = [];
  let look = (): void => {};
  createInterface(child.stdout!).on("line", (text) => {
    lines.push(JSON.parse(text) as Line);
    look();
  });
  return {
    child,
    async next(isWanted) {
      for (;;) {
        const at = lines.findIndex(isWanted);
        if (at >= 0) return lines.splice(0, at + 1).at(-1)!;
        await new Promise<void>((resolve) => (look = resolve));
      }
    },
  };
}
