import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isMainThread, threadId } from "node:worker_threads";
import { ProcessDomain } from "../../../src/node/index.js";
import { pause } from "../../agents.js";
import type { Random } from "../../random.js";
import { collectGarbage, mappedFiles, openFiles } from "../open-files.js";
import { callOnce, PUBLIC_CALLS, type PublicCall, type World } from "../public-calls.js";

/** What a process has at a moment in which nothing is under way. */
export interface Figures {
  /** Bytes of JavaScript's own memory. */
  readonly heap: number;
  /** Bytes of memory that the process really has. */
  readonly resident: number;
  /** Descriptors by kind. */
  readonly files: readonly string[];
  /** How many there are of memory files. */
  readonly mappings: number;
}

/** Two agents that do everything there is, again and again. */
export class Rounds implements Disposable {
  readonly #world: World;
  readonly #random: Random;
  /** What is being done. */
  call = "";
  done = 0;

  private constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** @param first The first of the two; by default it connects, too. */
  static async at(place: string, random: Random, first?: ProcessDomain): Promise<Rounds> {
    const name = `${process.pid}.${threadId}`;
    const folder = mkdtempSync(join(tmpdir(), "dmabuf-soak-"));
    const world = {
      first: first ?? (await ProcessDomain.connect(place, { name, timeout: 60_000 })),
      second: await ProcessDomain.connect(place, { name: `${name}b`, timeout: 60_000 }),
      place,
      folder,
      name,
    };
    return new Rounds(world, random);
  }

  /** Makes each public call once, in an order of its own, and gives back what it has made. */
  async run(): Promise<void> {
    for (const [name, call] of this.#random.shuffle(Object.entries(PUBLIC_CALLS).filter(isSafe))) {
      this.call = name;
      await callOnce(this.#world, call);
    }
    this.call = "rests";
    this.done++;
  }

  [Symbol.dispose](): void {
    const { first, second, folder } = this.#world;
    second.close();
    first.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Collects garbage until there is no less, and counts. */
export async function figures(): Promise<Figures> {
  for (let heap = Infinity; ;) {
    collectGarbage();
    // What finalizers give back, and what Node.js closes, takes turns of the event loop.
    await pause(20);
    const { heapUsed, rss } = process.memoryUsage();
    if (heapUsed > heap * 0.999) return { heap: heapUsed, resident: rss, files: openFiles(), mappings: mappedFiles() };
    heap = heapUsed;
  }
}

/** A worker may be terminated in the middle of anything but this. */
function isSafe([, { views = false }]: [string, PublicCall]): boolean {
  return isMainThread || !views;
}
