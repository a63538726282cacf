import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Explanation, PlainReport } from "../../src/index.js";
import { BOOK } from "./book.js";
import { isRefusal, type Case } from "./case.js";
import type { Version } from "./messages.js";
import type { Place } from "./places.js";
import { Player } from "./player.js";

/** Milliseconds for a program until it is known that it hangs, or that nothing is reported. Busy machines are slow. */
const LIMIT = 20_000;
const PATIENT = { timeout: 3 * LIMIT };
/** Between two looks. */
const PAUSE = 15;
/** For reports of what has lasted, when the program has ended. */
const LATE = 1000;
/** What a program may still do when its mistake has been reported. */
const REST = 300;

/** Runs the whole book in one place. */
export function runBook(place: Place): void {
  const idle: Player[] = [];
  after(() => Promise.all(idle.map((player) => player.end())));

  for (const entry of BOOK) {
    test(`${entry.id}: ${entry.mistake} (${entry.code}, ${place.name})`, PATIENT, async () => {
      const run = await Run.begin(place, entry, "wrong", idle);
      try {
        if (entry.culprits !== undefined) await run.explains(entry.culprits);
        await (isRefusal(entry.code) ? run.refuses(entry) : run.goesOn(entry));
      } finally {
        await run.end();
      }
      if (!isRefusal(entry.code)) run.reports(entry);
      run.reportsOnly([entry.code, ...(entry.also ?? [])]);
    });

    test(`${entry.id}, as it should be, is silent (${place.name})`, PATIENT, async () => {
      const run = await Run.begin(place, entry, "right", idle);
      try {
        await run.ends();
      } finally {
        await run.end();
      }
      run.reportsOnly([]);
    });
  }
}

/** One program in a domain of its own. */
class Run {
  readonly #entry: Case;
  readonly #opened: ReturnType<Place["open"]>;
  readonly #players: readonly Player[];
  readonly #idle: Player[];

  private constructor(entry: Case, opened: ReturnType<Place["open"]>, players: readonly Player[], idle: Player[]) {
    this.#entry = entry;
    this.#opened = opened;
    this.#players = players;
    this.#idle = idle;
  }

  /** @param idle Those that have played before; they come back at the end. */
  static async begin(place: Place, entry: Case, version: Version, idle: Player[]): Promise<Run> {
    const opened = place.open();
    const parts = Object.keys(entry[version]);
    const players = parts.map(() => idle.pop() ?? new Player(place.start()));
    const run = new Run(entry, opened, players, idle);
    await Promise.all(players.map((player, i) => player.join(opened, parts[i]!, (...said) => run.#tell(...said))));
    const buffers = ["a", "b", "c"].map((name) => opened.domain.allocate(4096, { name }));
    for (const [i, player] of players.entries()) {
      void player.play(
        entry,
        version,
        parts[i]!,
        buffers.map((buffer) => buffer.handle()),
      );
    }
    return run;
  }

  /** The program hangs, and another agent is told because of whom. */
  async explains(culprits: readonly string[]): Promise<void> {
    const explain = (): Explanation => this.#opened.domain.explain();
    const found = await until(() => isExplained(explain(), culprits));
    assert.ok(found, `explain() names ${culprits.join(" and ")}: ${String(explain())}`);
    this.#tell("explained", undefined);
  }

  async refuses({ code, says = /./ }: Case): Promise<void> {
    await until(() => this.#players.some(({ failure }) => failure?.code === code));
    this.#checkFailures([code]);
    const failure = this.#players.map((player) => player.failure).find((one) => one?.code === code);
    assert.match(failure?.message ?? "", says);
  }

  /** The program runs until its mistake is reported; some are not before its agents leave. */
  async goesOn({ code }: Case): Promise<void> {
    let ended = Infinity;
    await until(() => {
      for (const player of this.#players) player.look();
      if (this.#haveEnded) ended = Math.min(ended, performance.now());
      return this.#has(code) || performance.now() > ended + LATE;
    });
    await until(() => this.#haveEnded, REST);
    this.#checkFailures();
  }

  reports({ code, says = /./ }: Case): void {
    assert.ok(this.#has(code), `${code} is reported: ${describe(this.#reports())}`);
    assert.match(this.#reports().find((report) => report.code === code)!.message, says);
  }

  async ends(): Promise<void> {
    const ended = await until(() => this.#haveEnded);
    this.#checkFailures([]);
    assert.ok(ended, "the program ends");
  }

  reportsOnly(codes: readonly string[]): void {
    const reports = this.#reports();
    const others = reports.filter(({ code }) => !codes.includes(code));
    assert.deepEqual(others, [], describe(others));
    for (const { code, url, message, places } of reports) {
      assert.ok(url.endsWith(`docs/validator.md#${code}`), url);
      assert.notEqual(message, "");
      assert.notEqual(places.length, 0, `${code} names a place`);
    }
  }

  async end(): Promise<void> {
    for (const player of this.#players) {
      if (player.hasEnded && (await player.leave(REST))) this.#idle.push(player);
      else await player.end();
    }
    this.#opened.domain.close();
  }

  #has(code: string): boolean {
    return this.#reports().some((report) => report.code === code);
  }

  get #haveEnded(): boolean {
    return this.#players.every(({ hasEnded }) => hasEnded);
  }

  #tell(cue: string, value: unknown): void {
    for (const player of this.#players) player.tell(cue, value);
  }

  /** What is known of. */
  #reports(): PlainReport[] {
    const own = this.#opened.domain.reports.map((report) => report.toJSON());
    return [...own, ...this.#players.flatMap(({ reports }) => reports)];
  }

  /** @param codes Those that are no mistake of the book; by default any errno. */
  #checkFailures(codes?: readonly string[]): void {
    for (const { failure } of this.#players) {
      const isExpected = failure?.code !== undefined && (codes?.includes(failure.code) ?? true);
      if (failure !== undefined && !isExpected) assert.fail(`${this.#entry.id}: ${failure.message}`);
    }
  }
}

/** A circle has no root: all that are in it are named. */
function isExplained({ root, sentence }: Explanation, culprits: readonly string[]): boolean {
  if (culprits.length === 1) return root?.name === culprits[0];
  return sentence.includes("closes the circle") && culprits.every((name) => sentence.includes(`"${name}"`));
}

async function until(ready: () => boolean, limit = LIMIT): Promise<boolean> {
  for (const end = performance.now() + limit; performance.now() < end; await pause()) if (ready()) return true;
  return ready();
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE));
}

function describe(reports: readonly PlainReport[]): string {
  return reports.length === 0 ? "nothing was" : reports.map(({ code, message }) => `${code}: ${message}`).join("\n");
}
