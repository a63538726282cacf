import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Argument, InvalidArgumentError, Option, type Command } from "commander";
import { readTrace, type TraceFile } from "dmabuf/node";
import { DOMAIN_HELP, observeWanted } from "../domain/find-domain.js";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";
import { printJson } from "../terminal/output.js";
import { perfettoTrace } from "../trace/perfetto.js";
import { historyText, tracersText } from "../trace/history.js";
import { seconds } from "./options.js";

/** What says to a program how to trace. */
const HOW = "Start its programs with DMABUF_TRACE=1, or by `dmabuf trace record -- COMMAND`.";

interface RecordFlags {
  readonly output: string;
  readonly domain?: string;
  readonly seconds: number;
  readonly json?: true;
}

interface OpenFlags {
  readonly output?: string;
  readonly last: number;
  readonly json?: true;
}

/** `dmabuf trace record` and `dmabuf trace open`. */
export function addTrace(program: Command): void {
  const trace = program.command("trace").description("record what a domain does, and look at what happened last");
  trace
    .command("record")
    .description(
      "run a command, or look at a domain that traces already, and write what it did for https://ui.perfetto.dev",
    )
    .addArgument(new Argument("[command...]", "the program and its arguments, best after --"))
    .option("-o, --output <file>", "where the recording goes", "dmabuf.pftrace")
    .option("-d, --domain <domain>", `instead of a command: ${DOMAIN_HELP}`)
    .addOption(seconds("--seconds <seconds>", "how long to record a domain", 86_400).default(5))
    .option("--json", "print one JSON object")
    .passThroughOptions()
    .action(record);
  trace
    .command("open")
    .description("say what happened last, also of programs that were killed; and write it for https://ui.perfetto.dev")
    .addArgument(new Argument("[path]", "a file or a folder of traces; default: where DMABUF_TRACE=1 puts them"))
    .option("-o, --output <file>", "write all of it there, as Perfetto opens it")
    .addOption(
      new Option("-n, --last <count>", "how many of the last events to print").argParser(wholeNumber).default(20),
    )
    .option("--json", "print one JSON object, with all events")
    .action(open);
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number.");
}

async function record(command: readonly string[], flags: RecordFlags): Promise<void> {
  if (command.length > 0 && flags.domain !== undefined) {
    throw new CommandError(EXIT.USAGE, "Either a command or --domain is recorded, and not both.");
  }
  if (command.length === 0) return report(await recordDomain(flags), flags);
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-record-"));
  try {
    const code = await runTraced(command, folder);
    const files = readTrace(folder);
    if (code !== 0 && files.length === 0) console.error("dmabuf: It has joined no domain: there is nothing to record.");
    else report(files, flags);
    // It ends as the command did.
    process.exitCode = code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function recordDomain({ domain, seconds: time }: RecordFlags): Promise<TraceFile[]> {
  using observer = observeWanted(domain);
  const since = observer.snapshot().at;
  if (observer.trace({ since }).length === 0) {
    throw new CommandError(EXIT.NOTHING, `No agent of domain ${observer.domain} traces. ${HOW}`);
  }
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once("SIGINT", stop);
  console.error(`Recording for ${time} s; Ctrl-C ends it earlier.`);
  await sleep(time * 1_000, undefined, { signal: stopped.signal }).catch(() => {});
  process.off("SIGINT", stop);
  return observer.trace({ since });
}

/** @returns The exit code: 128 and its number after a signal, as shells have it. */
async function runTraced([file, ...args]: readonly string[], folder: string): Promise<number> {
  const child = spawn(file!, args, { stdio: "inherit", env: { ...process.env, DMABUF_TRACE: folder } });
  // A terminal's Ctrl-C goes to the command as well; what it has done then is still recorded.
  const ignore = (): void => {};
  const forward = (): boolean => child.kill("SIGTERM");
  process.on("SIGINT", ignore).on("SIGTERM", forward);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + constants.signals[signal ?? "SIGKILL"];
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CommandError(
      EXIT.FAILED,
      `Cannot run ${file}: ${code === "ENOENT" ? "there is no such program" : message}`,
      {
        cause,
      },
    );
  } finally {
    process.off("SIGINT", ignore).off("SIGTERM", forward);
  }
}

function report(files: readonly TraceFile[], { output, json }: RecordFlags): void {
  if (files.length === 0)
    throw new CommandError(EXIT.NOTHING, "It has joined no domain, and so there is nothing to record.");
  write(files, output);
  if (json) return printJson({ version: 1, output, agents: files.map(summaryOf) });
  console.error(tracersText(files));
  console.error(
    `${output} is for https://ui.perfetto.dev (nothing is uploaded there: the page reads the file itself).`,
  );
}

function open(path: string | undefined, { output, last, json }: OpenFlags): void {
  const files = path === undefined ? readTrace() : readTrace(path);
  if (files.length === 0)
    throw new CommandError(EXIT.NOTHING, `There are no traces${path === undefined ? "" : ` in ${path}`}. ${HOW}`);
  if (output !== undefined) write(files, output);
  if (json) return printJson({ version: 1, ...(output !== undefined && { output }), files });
  console.log(tracersText(files));
  const text = historyText(files, last);
  if (text !== "") console.log(`\n${text}`);
  if (output !== undefined) console.error(`\n${output} is for https://ui.perfetto.dev`);
}

function write(files: readonly TraceFile[], output: string): void {
  try {
    writeFileSync(output, perfettoTrace(files));
  } catch (cause) {
    const { message } = cause as Error;
    throw new CommandError(EXIT.FAILED, `Cannot write the recording: ${message}`, { cause });
  }
}

function summaryOf({ agent, domain, hasLeft, events, lost }: TraceFile): object {
  return { domain, agent, hasLeft, events: events.length, lost };
}
