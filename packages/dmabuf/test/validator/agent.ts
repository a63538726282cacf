/** The thread or process of an agent: it joins a domain, plays a part, tells its reports, leaves, and joins the next one. */
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";
import { Domain, DmaBufError, type JoinedDomain, type PlainReport, type StorageSegment } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { caseOf } from "./book.js";
import type { Stage } from "./case.js";
import type { Answer, Failure, Order, WayIn } from "./messages.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
/** So often the garbage is collected, with a pause each: what is held for long is watched by then. */
const COLLECTIONS = 8;
const PAUSE_MS = 25;
const PAGE = 4096;

let domain: JoinedDomain;
/** What was said, and what waits for it. */
let cues = new Map<string, Cue>();

if (parentPort !== null) parentPort.on("message", (order: Order) => void obey(order));
else process.on("message", (order: Order) => void obey(order)).on("disconnect", () => process.exit());

async function obey(order: Order): Promise<void> {
  switch (order.order) {
    case "join":
      cues = new Map();
      domain = await join(order.way, order.name);
      return answer({ answer: "joined" });
    case "play":
      return answer(await play(order));
    case "cue":
      return cueOf(order.cue).resolve(order.value);
    case "report":
      return answer({ answer: "reports", reports: reports() });
    case "leave":
      domain.close();
      return answer({ answer: "left", reports: reports() });
  }
}

async function join(way: WayIn, name: string): Promise<JoinedDomain> {
  if (typeof way === "string") return ProcessDomain.connect(way, { name });
  return "reservation" in way ? ProcessDomain.join(way) : Domain.join(way);
}

async function play({ id, version, part, buffers }: Extract<Order, { order: "play" }>): Promise<Answer> {
  const [a, b, c] = buffers.map((handle) => domain.import(handle));
  const stage: Stage = {
    domain,
    a: a!,
    b: b!,
    c: c!,
    say: (cue, value) => answer({ answer: "said", cue, value }),
    hear: async <T>(cue: string) => (await cueOf(cue).promise) as T,
    createMemory,
    collectGarbage,
  };
  try {
    await caseOf(id)[version][part]!(stage);
    return { answer: "ended" };
  } catch (error) {
    return { answer: "failed", error: plain(error) };
  }
}

function reports(): PlainReport[] {
  return domain.reports.map((report) => report.toJSON());
}

function plain(error: unknown): Failure {
  if (error instanceof DmaBufError) return error.toPlain();
  return { message: error instanceof Error ? error.stack! : String(error) };
}

function createMemory(): StorageSegment {
  if (domain instanceof ProcessDomain) return domain.createMemory(PAGE);
  return { memory: new SharedArrayBuffer(PAGE), offset: 0, length: PAGE };
}

async function collectGarbage(): Promise<void> {
  for (let i = 0; i < COLLECTIONS; i++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    collect();
  }
}

interface Cue {
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
}

function cueOf(name: string): Cue {
  const known = cues.get(name);
  if (known !== undefined) return known;
  let resolve!: Cue["resolve"];
  const promise = new Promise<unknown>((accept) => (resolve = accept));
  const cue = { promise, resolve };
  cues.set(name, cue);
  return cue;
}

function answer(what: Answer): void {
  if (parentPort !== null) parentPort.postMessage(what);
  else process.send!(what);
}
