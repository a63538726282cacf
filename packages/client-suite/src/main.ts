#!/usr/bin/env node
import { Command, InvalidArgumentError } from "commander";
import { ALL_CASES } from "./all-cases.js";
import { runCase, type Result } from "./run.js";
import { Kept, type Case } from "./scene.js";

interface Options {
  readonly only: readonly string[];
  readonly list?: true;
  readonly timeout: number;
}

/** Milliseconds for what must come: long enough for a machine that is busy. */
const TIMEOUT = 20_000;

process.exitCode = await main();

/** @returns 0 if all is well, 1 if the client has failed, 2 if the suite could not run. */
async function main(): Promise<number> {
  const program = new Command("dmabuf-client-suite")
    .description(
      "Tests a client of dmabuf's streams, in whatever language it is written, by its adapter: see the README.",
    )
    .argument("[adapter...]", "the command that starts the adapter, behind --")
    .option("--only <id>", "cases whose id begins so; can be given again", (id, ids: string[]) => [...ids, id], [])
    .option("--list", "say which cases there are, and run none")
    .option("--timeout <ms>", "milliseconds for what must come", milliseconds, TIMEOUT)
    .showHelpAfterError()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse();
  const { only, list, timeout } = program.opts<Options>();
  const cases = ALL_CASES.filter(({ id }) => only.length === 0 || only.some((start) => id.startsWith(start)));
  if (cases.length === 0) return cannot(`no case begins with ${only.join(" or ")}: --list says which there are`);
  if (list === true) return tell(cases);
  const [first, ...others] = program.args;
  if (first === undefined) return cannot("the adapter is missing: dmabuf-client-suite -- ADAPTER ARGS");
  return run(cases, [first, ...others], timeout);
}

async function run(cases: readonly Case[], command: readonly [string, ...string[]], timeout: number): Promise<number> {
  const results: Result[] = [];
  const kept = new Kept();
  for (const item of cases) {
    try {
      const result = await runCase(item, { command, timeout, kept });
      results.push(result);
      console.log(row(result));
    } catch (error) {
      return cannot(`the adapter does not start: ${(error as Error).message}`);
    }
  }
  const count = (outcome: Result["outcome"]): number => results.filter((result) => result.outcome === outcome).length;
  console.log(`\n${count("ok")} ok, ${count("FAILED")} failed, ${count("skipped")} skipped`);
  const ended = await kept.finish();
  if (ended !== undefined) console.log(`At the end of its standard input the adapter has ended with ${ended}`);
  if (count("FAILED") > 0 || ended !== undefined) return 1;
  return count("ok") > 0 ? 0 : cannot("no case could run");
}

function row({ case: { id, says }, outcome, why, milliseconds }: Result): string {
  const line = `${outcome.padEnd(8)}${id.padEnd(10)}${`${milliseconds} ms`.padStart(9)}  ${says}`;
  return why === undefined ? line : `${line}\n${why.replace(/^/gm, " ".repeat(29))}`;
}

function tell(cases: readonly Case[]): number {
  for (const { id, says } of cases) console.log(`${id.padEnd(10)}${says}`);
  return 0;
}

function cannot(why: string): number {
  console.error(`dmabuf-client-suite: ${why}`);
  return 2;
}

function milliseconds(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError("It must be a number of milliseconds.");
  return number;
}
