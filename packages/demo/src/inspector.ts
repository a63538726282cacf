import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { DmaBufError } from "dmabuf";
import { tiedToUs } from "./program.js";

/** The inspector's page of a domain of this process. It ends with this. */
export interface Inspection extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts the inspector, as a process of its own: it takes none of the demo's time, and needs none of its help.
 *
 * @throws {DmaBufError} `ENOENT` if the optional package is not installed; `EIO` if it cannot look at this process, with what it
 *   says.
 */
export async function inspectThisProcess(): Promise<Inspection> {
  const args = [...tiedToUs(), process.execPath, program(), String(process.pid), "--no-open"];
  const child = spawn(args[0]!, args.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close").catch(() => {});
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  let [said, problem] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text: string) => (problem += text));
  for await (const text of child.stdout.setEncoding("utf8")) {
    said += text as string;
    const url = /http:\S+/.exec(said)?.[0];
    if (url !== undefined && said.includes("\n")) return { url, [Symbol.asyncDispose]: end };
  }
  await end();
  throw new DmaBufError("EIO", `Cannot inspect the demo: ${problem.trim()}`);
}

function program(): string {
  try {
    return createRequire(import.meta.url).resolve("dmabuf-inspector");
  } catch (cause) {
    const how = "npm install dmabuf-inspector";
    throw new DmaBufError("ENOENT", `Cannot inspect the demo: install the optional package (${how})`, { cause });
  }
}
