import { Argument, type Command } from "commander";
import type { FrameFormat } from "dmabuf";
import type { DomainSnapshot, SnapshotPlace } from "dmabuf/node";
import { Agents, endedText, hasEnded, momentData } from "../domain/agents.js";
import { DOMAIN_HELP, observeWanted } from "../domain/find-domain.js";
import { measure } from "../domain/measure.js";
import type { ConsumerRates, StreamRates } from "../domain/stream-rates.js";
import { printJson, printJsonLine } from "../terminal/output.js";
import { tableText } from "../terminal/table.js";
import { counted, durationText, nameText, paint, printable, rateText, sizeText } from "../terminal/words.js";
import { seconds } from "./options.js";

interface Flags {
  readonly json?: true;
  readonly seconds: number;
  readonly watch?: true;
}

/** `dmabuf streams [DOMAIN]`. */
export function addStreams(program: Command): void {
  program
    .command("streams")
    .description(
      "list a domain's streams and their consumers: rates, how long a frame waits for each, and who is behind",
    )
    .addArgument(new Argument("[domain]", DOMAIN_HELP))
    .addOption(seconds("--seconds <seconds>", "how long to look", 3_600).default(1))
    .option("--watch", "look again and again, until Ctrl-C or the domain's end")
    .option("--json", "print one JSON object; with --watch one on each line")
    .action(streams);
}

async function streams(wanted: string | undefined, { json, seconds: time, watch }: Flags): Promise<void> {
  using observer = observeWanted(wanted);
  for (;;) {
    const { snapshot, rates } = await measure(observer, time * 1_000);
    if (json) (watch ? printJsonLine : printJson)(streamsData(snapshot, rates));
    else console.log(`${streamsText(snapshot, rates)}${watch ? "\n" : ""}`);
    if (!watch) return;
    if (hasEnded(snapshot)) return console.error(endedText(observer.domain));
  }
}

function streamsData(snapshot: DomainSnapshot, rates: readonly StreamRates[]): object {
  const agents = new Agents(snapshot);
  return {
    ...momentData(snapshot),
    streams: rates.map(({ stream, rate, consumers }) => ({
      ...stream,
      producer: agents.data(stream.producer),
      ...(rate !== undefined && { rate }),
      consumers: consumers.map((consumer) => ({ ...consumer, agent: agents.data(consumer.agent) })),
      groups: stream.groups.map((group) => ({
        ...group,
        members: group.members.map((identity) => agents.data(identity)),
      })),
    })),
  };
}

const COLUMNS = [
  { title: "STREAM" },
  { title: "AGENT" },
  { title: "ROLE" },
  { title: "FRAMES", align: "right" },
  { title: "BEHIND", align: "right" },
  { title: "MOST", align: "right" },
  { title: "LATENCY", align: "right" },
  { title: "KEEPS", align: "right" },
  { title: "" },
] as const;

function streamsText(snapshot: DomainSnapshot, rates: readonly StreamRates[]): string {
  if (rates.length === 0) return `There is no stream in domain ${snapshot.domain}.`;
  const agents = new Agents(snapshot);
  const rows = rates.flatMap((each) => [
    producerRow(each, agents),
    ...each.consumers.map((consumer) => consumerRow(each, consumer, agents)),
  ]);
  const total = `${counted(rates.length, "stream")} in domain ${snapshot.domain}`;
  return `${tableText(COLUMNS, rows)}\n${total}`;
}

function producerRow({ stream, rate, consumers }: StreamRates, agents: Agents): string[] {
  const { name, producer, published, end, format } = stream;
  const note = end !== undefined ? [end] : consumers.length === 0 ? ["no consumer"] : [];
  if (stream.producerWaits) note.push("waits for a free buffer");
  return [
    nameText(name),
    producer === 0 ? "(left)" : agents.text(producer),
    "producer",
    rateText(rate),
    "",
    "",
    "",
    "",
    [
      ...(format === undefined ? [] : [printable(formatText(format))]),
      `${published} published`,
      placesText(stream.places),
      ...note,
    ].join("; "),
  ];
}

function consumerRow({ stream }: StreamRates, consumer: ConsumerRates, agents: Agents): string[] {
  const { agent, policy, group, rate, behind, mostBehind, wait, keeps } = consumer;
  return [
    nameText(stream.name),
    agents.text(agent),
    group === undefined ? policy : `${policy}, group ${printable(group)}`,
    rateText(rate),
    behind === 0 ? "0" : paint("yellow", String(behind)),
    String(mostBehind),
    wait === undefined ? "-" : durationText(wait),
    keeps === undefined ? "-" : durationText(keeps),
    consumerNote(stream, consumer),
  ];
}

/** What a consumer has to do with the stream's pace. */
export function consumerNote({ producerWaits, places }: StreamRates["stream"], consumer: ConsumerRates): string {
  const { behind, holds, policy, waits } = consumer;
  // No place is free, and this one is what the producer waits for.
  const isInTheWay = producerWaits && policy === "block" && (behind > 0 || holds > 0);
  if (isInTheWay && places.every(({ state }) => state !== "free")) return paint("red", "holds the producer up");
  if (holds > 0) return `has ${counted(holds, "frame")}`;
  return waits ? paint("dim", "waits for a frame") : "";
}

/** `NV12 1920x1080`, `float32 [3, 224, 224]`, `2 channels at 48000 Hz`, `64 B`. */
function formatText({ kind, size, pixelFormat, width, height, shape, type, channels, rate }: FrameFormat): string {
  if (kind === "image") return `${pixelFormat} ${width}x${height}`;
  if (kind === "tensor") return `${type} [${shape?.join(", ")}]`;
  return kind === "audio" ? `${counted(channels ?? 0, "channel")} at ${rate} Hz` : sizeText(size);
}

/** `3 free, 1 filling, 2 held`. */
function placesText(places: readonly SnapshotPlace[]): string {
  const states = ["free", "filling", "published", "held"] as const;
  const counts = states.map((state) => [state, places.filter((place) => place.state === state).length] as const);
  const present = counts.filter(([, count]) => count > 0);
  return `ring of ${places.length}: ${present.map(([state, count]) => `${count} ${state}`).join(", ")}`;
}
