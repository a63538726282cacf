import type { SnapshotAgent } from "dmabuf/node";
import { ageText, pendingFences } from "../commands/fences.js";
import { fencesText } from "../commands/bufinfo.js";
import { consumerNote } from "../commands/streams.js";
import { Agents, agentText } from "../domain/agents.js";
import type { Column } from "../terminal/table.js";
import { durationText, nameText, printable, rateText, sizeText } from "../terminal/words.js";
import type { TopModel } from "./model.js";

/** A row of a view: what its cells show, and what they are sorted by. */
export interface TopRow {
  readonly cells: readonly string[];
  readonly keys: readonly (number | string)[];
}

/** One of the tables that `top` shows. */
export interface View {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Which column it is sorted by at first, and whether the largest comes first. */
  readonly sort: { readonly column: number; readonly descending: boolean };
  readonly rows: (model: TopModel) => TopRow[];
}

/** A cell, and what it is sorted by. */
type Cell = readonly [text: string, key: number | string];

function row(...cells: readonly Cell[]): TopRow {
  return { cells: cells.map(([text]) => text), keys: cells.map(([, key]) => key) };
}

function text(value: string): Cell {
  return [value, value];
}

const BUFFERS: View = {
  name: "buffers",
  columns: [
    { title: "INODE", align: "right" },
    { title: "NAME" },
    { title: "SIZE", align: "right" },
    { title: "HOLDERS" },
    { title: "READERS" },
    { title: "WRITER" },
    { title: "FENCES" },
  ],
  sort: { column: 2, descending: true },
  rows: ({ snapshot }) => {
    const agents = new Agents(snapshot);
    return snapshot.buffers.map((buffer) => {
      const { inode, name, size, holders, readers, writer, fences } = buffer;
      return row(
        [String(inode), inode],
        text(nameText(name)),
        [sizeText(size), size],
        [agents.texts(holders), holders.length],
        [agents.texts(readers), readers.length],
        text(agents.text(writer)),
        [fencesText(buffer), fences.length],
      );
    });
  },
};

const STREAMS: View = {
  name: "streams",
  columns: [
    { title: "STREAM" },
    { title: "AGENT" },
    { title: "ROLE" },
    { title: "FRAMES", align: "right" },
    { title: "BEHIND", align: "right" },
    { title: "LATENCY", align: "right" },
    { title: "" },
  ],
  sort: { column: 4, descending: true },
  rows: ({ snapshot, rates }) => {
    const agents = new Agents(snapshot);
    return rates.flatMap(({ stream, rate, consumers }) => [
      row(
        text(nameText(stream.name)),
        text(stream.producer === 0 ? "(left)" : agents.text(stream.producer)),
        text("producer"),
        [rateText(rate), rate ?? 0],
        ["", -1],
        ["", -1],
        text(stream.end ?? (stream.producerWaits ? "waits for a free buffer" : "")),
      ),
      ...consumers.map((consumer) =>
        row(
          text(nameText(stream.name)),
          text(agents.text(consumer.agent)),
          text(
            consumer.group === undefined ? consumer.policy : `${consumer.policy}, group ${printable(consumer.group)}`,
          ),
          [rateText(consumer.rate), consumer.rate ?? 0],
          [String(consumer.behind), consumer.behind],
          [consumer.wait === undefined ? "-" : durationText(consumer.wait), consumer.wait ?? 0],
          text(consumerNote(stream, consumer)),
        ),
      ),
    ]);
  },
};

const FENCES: View = {
  name: "fences",
  columns: [
    { title: "TIMELINE" },
    { title: "FENCE", align: "right" },
    { title: "AGE", align: "right" },
    { title: "OWNER" },
    { title: "AWAITED BY" },
    { title: "BUFFERS", align: "right" },
  ],
  sort: { column: 2, descending: true },
  rows: ({ snapshot }) => {
    const agents = new Agents(snapshot);
    return pendingFences(snapshot).map(({ name, id, seqno, since, overdue, owner, awaitedBy, buffers }) =>
      row(
        text(nameText(name)),
        [id, seqno],
        [ageText(snapshot.at, since, overdue), since === undefined ? 0 : snapshot.at - since],
        text(agents.text(owner)),
        [agents.texts(awaitedBy), awaitedBy.length],
        [String(buffers.length), buffers.length],
      ),
    );
  },
};

const AGENTS: View = {
  name: "agents",
  columns: [
    { title: "AGENT" },
    { title: "PROCESS", align: "right" },
    { title: "STATE" },
    { title: "BUFFERS", align: "right" },
    { title: "BYTES", align: "right" },
    { title: "FENCES", align: "right" },
    { title: "DOES" },
  ],
  sort: { column: 4, descending: true },
  rows: ({ snapshot }) => snapshot.agents.map((agent) => agentRow(agent, snapshot)),
};

function agentRow(agent: SnapshotAgent, { at, buffers, fences, waits }: TopModel["snapshot"]): TopRow {
  const { identity, name, process, state } = agent;
  const held = buffers.filter(({ holders }) => holders.includes(identity));
  const bytes = held.reduce((sum, { size }) => sum + size, 0);
  const owed = fences.filter(({ owner }) => owner === identity).length;
  const does = waits
    .filter((wait) => wait.agent === identity)
    .map((wait) => printable(wait.text) + (wait.since === undefined ? "" : ` for ${durationText(at - wait.since)}`));
  return row(
    [agentText({ identity, name, state }), name],
    [process === undefined ? "-" : String(process), process ?? 0],
    text(state),
    [String(held.length), held.length],
    [sizeText(bytes), bytes],
    [String(owed), owed],
    text(does.join("; ")),
  );
}

/** In the order of the key Tab. */
export const VIEWS: readonly View[] = [BUFFERS, STREAMS, FENCES, AGENTS];
