import { once } from "node:events";
import { readFileSync } from "node:fs";
import { InvalidArgumentError, Option, type Command } from "commander";
import { DmaBufError } from "dmabuf";
import { Hosts, type HostRelay, type HostsOptions, type OtherHost } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";
import { printable } from "../terminal/words.js";

interface Flags {
  readonly bind: string;
  readonly port?: number;
  readonly advertise?: string;
  readonly listen?: string;
  readonly connect?: string;
  readonly servers?: string[];
  readonly peers?: string[];
  readonly keyFile?: string;
  readonly tls?: true;
  readonly cluster?: string;
  readonly name?: string;
  readonly limit?: number;
  readonly streams?: string[];
}

/** `dmabuf host`. */
export function addHost(program: Command): void {
  program
    .command("host")
    .description("be this host's agent: its domain's processes and those of other hosts reach each other through it")
    .requiredOption("-b, --bind <address>", "the address of this machine that other hosts connect to")
    .addOption(
      new Option("-p, --port <port>", "the port there; default: one that is free").argParser(number(0, 65_535)),
    )
    .option("--advertise <address:port>", "where other hosts find this one, if that is not where it listens")
    .addOption(
      new Option("-l, --listen <place>", "make a domain that processes join there: a path, or @name").conflicts(
        "connect",
      ),
    )
    .option("-c, --connect <place>", "join the domain there: a path, or @name")
    .addOption(new Option("-s, --servers <urls>", "NATS servers by which hosts find each other").argParser(list))
    .addOption(new Option("--peers <addresses>", "where other hosts are, as 10.0.0.2:7400").argParser(list))
    .option("-k, --key-file <file>", "a file with the key that all hosts know, of at least 16 bytes")
    .addOption(
      new Option(
        "--streams <names>",
        "the streams that other hosts may have, as camera,screen; default: all of the domain",
      ).argParser(list),
    )
    .option("--tls", "encrypt all that hosts say and send to each other; all of them must have it")
    .option("--cluster <name>", "the hosts of one name find each other", "dmabuf")
    .option("-n, --name <name>", "the host's name, for people; default: the machine's")
    .addOption(
      new Option("--limit <milliseconds>", "a host that was silent for so long is lost")
        .argParser(number(50, 600_000))
        .default(1_000),
    )
    .action(host);
}

/** A list with commas. */
function list(text: string): string[] {
  return text.split(",").filter((one) => one !== "");
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

async function host(flags: Flags): Promise<void> {
  const options = optionsOf(flags);
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    using domain = await domainOf(flags);
    await using hosts = await Hosts.join(domain, options);
    const { name, address } = hosts.self;
    const place = flags.listen ?? flags.connect;
    console.log(`Host ${printable(name)} listens for others at ${address}. Its domain is at ${place}. Ctrl-C ends it.`);
    hosts.onHost(tell);
    hosts.onRelay(tellOfRelay);
    // The domain ends with the one that has made it; this is a member of it until then.
    if (!stopped.signal.aborted) await once(stopped.signal, "abort");
    console.log("It leaves the other hosts.");
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** Says that a host has come, and that it is gone. */
function tell({ name, address, incarnation, lost }: OtherHost): void {
  const who = `${printable(name)} at ${printable(address)}`;
  console.log(`${time()}  + ${who}${incarnation > 1 ? `, incarnation ${incarnation}` : ""}`);
  const gone = (): void => console.log(`${time()}  - ${who}: ${printable(String((lost.reason as Error).message))}`);
  lost.addEventListener("abort", gone, { once: true });
}

/** Says that frames go from one host to another, and why no more do. */
function tellOfRelay({ name, direction, hostName, over }: HostRelay): void {
  const what = `stream ${printable(name)} ${direction === "in" ? "from" : "to"} ${printable(hostName)}`;
  console.log(`${time()}  > ${what}`);
  const end = (): void => console.log(`${time()}  | ${what}: ${printable((over.reason as Error).message)}`);
  over.addEventListener("abort", end, { once: true });
}

function time(): string {
  return new Date().toTimeString().slice(0, 8);
}

async function domainOf({ listen, connect }: Flags): Promise<ProcessDomain> {
  if (listen !== undefined) return ProcessDomain.listen(listen, { name: "host" });
  if (connect !== undefined) return connectTo(connect);
  throw new CommandError(EXIT.USAGE, "Which domain is it? --listen PLACE makes one, --connect PLACE joins one.");
}

async function connectTo(place: string): Promise<ProcessDomain> {
  try {
    return await ProcessDomain.connect(place, { name: "host" });
  } catch (cause) {
    if (!(cause instanceof DmaBufError) || !["ECONNREFUSED", "ENOENT"].includes(cause.code)) throw cause;
    const how = "--listen makes a domain there";
    throw new CommandError(EXIT.NOTHING, `Cannot join the domain: no process listens at ${place} (${how}).`, { cause });
  }
}

function optionsOf(flags: Flags): HostsOptions {
  const { bind, port, advertise, servers, peers, keyFile, tls = false, cluster, name, limit, streams } = flags;
  if (servers === undefined && keyFile === undefined) {
    const how = "--servers by NATS, or --key-file (and --peers) by address.";
    throw new CommandError(EXIT.USAGE, `How do hosts find each other? ${how}`);
  }
  return {
    bind,
    tls,
    ...(port !== undefined && { port }),
    ...(advertise !== undefined && { advertise }),
    ...(servers !== undefined && { servers }),
    ...(peers !== undefined && { peers }),
    ...(keyFile !== undefined && { key: readKey(keyFile) }),
    ...(cluster !== undefined && { cluster }),
    ...(name !== undefined && { name }),
    ...(limit !== undefined && { hostLimit: limit }),
    ...(streams !== undefined && { offers: streams }),
  };
}

function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new CommandError(EXIT.FAILED, `Cannot read the key: ${(cause as Error).message}`, { cause });
  }
}
