import { Argument, InvalidArgumentError, Option, type Command } from "commander";
import { DmaBufError, type Explanation } from "dmabuf";
import type { DomainObserver, ObservedThing } from "dmabuf/node";
import { DOMAIN_HELP, observeWanted } from "../domain/find-domain.js";
import { isStuck } from "../domain/stuck.js";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";
import { printJson } from "../terminal/output.js";
import { paint, printableLines } from "../terminal/words.js";
import { seconds } from "./options.js";

interface Flags {
  readonly json?: true;
  readonly domain?: string;
  readonly limit: number;
}

/** `dmabuf explain [WHAT]`. */
export function addExplain(program: Command): void {
  program
    .command("explain")
    .description(
      `say who waits for whom, since when and why; exit code ${EXIT.STUCK} if something is stuck: held up by an agent that is ` +
        "stopped or dead, in a circle, or for longer than --limit",
    )
    .addArgument(
      new Argument(
        "[what]",
        "the name of a buffer or stream (or buffer:NAME, stream:NAME), or a buffer's inode; without it, all that waits",
      ),
    )
    .addOption(new Option("-d, --domain <domain>", `which domain: ${DOMAIN_HELP}`).argParser(notEmpty))
    .addOption(seconds("--limit <seconds>", "what is held up for longer is stuck", 1e6).default(10))
    .option("--json", "print one JSON object")
    .action(explain);
}

function notEmpty(text: string): string {
  if (text === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

function explain(what: string | undefined, { json, domain, limit }: Flags): void {
  using observer = observeWanted(domain);
  const explanation = what === undefined ? observer.explain() : explainNamed(observer, what);
  const data = explanation.toJSON();
  const stuck = isStuck(data, observer.snapshot().waits, limit);
  if (json) printJson({ version: 1, domain: observer.domain, stuck, explanation: data });
  else console.log(explanationText(explanation, stuck));
  if (stuck) process.exitCode = EXIT.STUCK;
}

function explanationText({ sentence, tree }: Explanation, stuck: boolean): string {
  const first = printableLines(sentence);
  return `${paint(stuck ? "red" : "bold", first)}${tree === "" ? "" : `\n\n${printableLines(tree)}`}`;
}

function explainNamed(observer: DomainObserver, what: string): Explanation {
  const found = thingsCalled(what).flatMap((thing) => {
    try {
      return [observer.explain(thing)];
    } catch (error) {
      if (error instanceof DmaBufError && error.code === "ENOENT") return [];
      throw error;
    }
  });
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new CommandError(EXIT.USAGE, `"${what}" is a buffer and a stream: say buffer:${what} or stream:${what}`);
  }
  throw new CommandError(
    EXIT.NOTHING,
    `In domain ${observer.domain} nothing is called "${what}": "dmabuf bufinfo" and "dmabuf streams" list what there is`,
  );
}

/** What a word of the command line may mean. */
function thingsCalled(what: string): ObservedThing[] {
  const [, kind, name] = /^(buffer|stream):(.+)$/s.exec(what) ?? [];
  if (kind === "stream") return [{ stream: name! }];
  if (kind === "buffer") return [{ buffer: numberIn(name!) ?? name! }];
  const inode = numberIn(what);
  return [...(inode === undefined ? [] : [{ buffer: inode }]), { buffer: what }, { stream: what }];
}

function numberIn(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
