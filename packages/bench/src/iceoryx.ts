import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { compilePeer, peerFile } from "./peers.js";

/** Where Debian's packages put the headers, in a folder of the version. */
const HEADERS = "/usr/include/iceoryx";
const LIBRARIES = ["-liceoryx_posh", "-liceoryx_hoofs", "-liceoryx_platform", "-lpthread"];
/** Milliseconds for the broker to make its memory. */
const START_LIMIT = 20_000;

/** Eclipse iceoryx: our program for it, and its broker, which runs until this is disposed. */
export class Iceoryx implements Disposable {
  readonly program: string;
  readonly #broker: ChildProcess;

  private constructor(program: string, broker: ChildProcess) {
    this.program = program;
    this.#broker = broker;
  }

  /** @returns Why it cannot be had, if it cannot. */
  static async start(): Promise<Iceoryx | string> {
    const version = existsSync(HEADERS) ? readdirSync(HEADERS)[0] : undefined;
    const missing = "iceoryx is not installed (Debian: iceoryx libiceoryx-posh-dev libiceoryx-hoofs-dev)";
    if (version === undefined || spawnSync("iox-roudi", ["--version"]).error !== undefined) return missing;
    const options = ["-O2", "-std=c++17", `-I${HEADERS}/${version}`];
    const compiled = compilePeer("iceoryx.cpp", process.env["CXX"] ?? "g++", options, LIBRARIES);
    if (compiled === undefined) return "there is no C++ compiler (g++, or CXX in the environment)";
    // However this process ends: only one broker can run on a machine.
    const bound = ["--pdeathsig", "TERM", "iox-roudi", "-c", peerFile("iceoryx-roudi.toml"), "-l", "error"];
    const broker = spawn("setpriv", bound, { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await ready(broker);
    } catch (error) {
      broker.kill("SIGKILL");
      return `iceoryx's broker did not start: ${String(error)}`;
    }
    broker.unref();
    return new Iceoryx(compiled.path, broker);
  }

  [Symbol.dispose](): void {
    this.#broker.kill();
  }
}

async function ready(broker: ChildProcess): Promise<void> {
  const signal = AbortSignal.timeout(START_LIMIT);
  const ended = once(broker, "exit", { signal }).then(([status]) => {
    throw new Error(`it has ended with status ${String(status)}`);
  });
  ended.catch(() => {});
  let said = "";
  while (!said.includes("ready for clients")) {
    const [some] = (await Promise.race([once(broker.stdout!, "data", { signal }), ended])) as [Buffer];
    said += some.toString();
  }
}
