/**
 * A thread that looks on: when a party does nothing, or in the main thread, for a long time, it writes down the
 * domain's state and ends the process.
 */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { Orders } from "./orders.js";
import { domainState } from "../../segment-state.js";

export interface Watched {
  readonly control: SharedArrayBuffer;
  readonly orders: SharedArrayBuffer;
  /** Word 0 counts up while the main thread is alive. */
  readonly heartbeat: SharedArrayBuffer;
  readonly seed: number;
}

const LONGEST_SILENCE = 90_000;

const { control, orders: buffer, heartbeat, seed } = workerData as Watched;
const orders = new Orders(buffer);
const beats = new Int32Array(heartbeat);
const seen = new Map<number, { state: string; since: number }>();

setInterval(() => {
  check(-1, String(beats[0]));
  for (let party = 0; party < orders.parties; party++) check(party, orders.describe(party));
}, 500);

function check(party: number, state: string): void {
  const last = seen.get(party);
  if (last?.state !== state) seen.set(party, { state, since: Date.now() });
  else if (Date.now() - last.since > LONGEST_SILENCE) giveUp(party === -1 ? "the main thread" : `party ${party}`);
}

function giveUp(who: string): void {
  const parties = Array.from({ length: orders.parties }, (_, party) => `party ${party}: ${orders.describe(party)}`);
  const lines = [`seed ${seed}: nothing has happened in ${who} for a long time`, ...parties, ...domainState(control)];
  // Not through the main thread, which may be the one that hangs.
  writeSync(2, `${lines.join("\n")}\n`);
  process.kill(process.pid, "SIGKILL");
}
