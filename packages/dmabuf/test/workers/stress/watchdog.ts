/**
 * A thread that looks on: when nothing happens on a seat, or in the main thread, for a long time, it writes down the
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

const LONGEST_SILENCE = 30_000;

const { control, orders: buffer, heartbeat, seed } = workerData as Watched;
const orders = new Orders(buffer);
const beats = new Int32Array(heartbeat);
const seen = new Map<number, { state: string; since: number }>();

setInterval(() => {
  check(-1, String(beats[0]));
  for (let seat = 0; seat < orders.seats; seat++) check(seat, orders.describe(seat));
}, 500);

function check(seat: number, state: string): void {
  const last = seen.get(seat);
  if (last?.state !== state) seen.set(seat, { state, since: Date.now() });
  else if (Date.now() - last.since > LONGEST_SILENCE) giveUp(seat === -1 ? "the main thread" : `seat ${seat}`);
}

function giveUp(who: string): void {
  const seats = Array.from({ length: orders.seats }, (_, seat) => `seat ${seat}: ${orders.describe(seat)}`);
  const lines = [`seed ${seed}: nothing has happened in ${who} for a long time`, ...seats, ...domainState(control)];
  // Not through the main thread, which may be the one that hangs.
  writeSync(2, `${lines.join("\n")}\n`);
  process.kill(process.pid, "SIGKILL");
}
