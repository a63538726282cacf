import type { BufferStatistics } from "dmabuf";
import { agents, groups, streamView, type BufferGroup } from "../state/buffers.js";
import { bytesText } from "./text.js";

/** The domain's buffers and what is under way on them, as they are now. */
export function Buffers() {
  return (
    <section class="block" aria-labelledby="buffers-title" data-mark="buffers">
      <h2 id="buffers-title">Buffers and fences</h2>
      <p class="small quiet">
        Agents: <span data-mark="agents">{agents.value.join(", ")}</span>
      </p>
      <StreamLine />
      {groups.value.length === 0 ? (
        <p class="empty">There is no buffer yet.</p>
      ) : (
        <ul class="groups">
          {groups.value.map((group) => (
            <Group key={`${group.name} ${group.exporter} ${group.bytes}`} group={group} />
          ))}
        </ul>
      )}
      <ul class="legend" aria-label="What the colours mean">
        <li>
          <span class="place filling" aria-hidden="true" /> being filled
        </li>
        <li>
          <span class="place held" aria-hidden="true" /> being read
        </li>
        <li>
          <span class="place free" aria-hidden="true" /> in no use
        </li>
      </ul>
    </section>
  );
}

/** What the stream of the pictures does. */
function StreamLine() {
  const view = streamView.value;
  if (view === undefined) return null;
  const { name, published, consumers, waitsFor } = view;
  const waits = waitsFor.length === 0 ? "every buffer is free" : `in use by ${waitsFor.join(", ")}`;
  return (
    <p class="small quiet number" data-mark="stream">
      Stream “{name}”: {published.toLocaleString("en")} frames published, {consumers}{" "}
      {consumers === 1 ? "consumer" : "consumers"}, {waits}
    </p>
  );
}

function Group({ group: { name, buffers, bytes, exporter } }: { group: BufferGroup }) {
  const pending = buffers.reduce((sum, { pendingFences }) => sum + pendingFences, 0);
  const holders = [...new Set(buffers.flatMap((buffer) => buffer.holders))];
  return (
    <li class="card group" data-buffers={name}>
      <div class="bar">
        <h3>{name || "without a name"}</h3>
        <span class="small quiet number">
          {buffers.length} × {bytesText(bytes / buffers.length)} from <code>{exporter}</code>
        </span>
      </div>
      <span class="ring" role="img" aria-label={ringText(buffers)}>
        {buffers.map((buffer) => (
          <span key={buffer.inode} class={`place ${stateOf(buffer)}`} title={placeText(buffer)}>
            {buffer.readers.length > 1 ? buffer.readers.length : ""}
          </span>
        ))}
      </span>
      <p class="small quiet number">
        {pending === 0 ? "no fence is pending" : `${pending} fences are pending`}; open in {holders.join(", ")}
      </p>
    </li>
  );
}

function stateOf({ writer, readers }: BufferStatistics): "filling" | "held" | "free" {
  return writer !== undefined ? "filling" : readers.length > 0 ? "held" : "free";
}

function placeText({ inode, writer, readers }: BufferStatistics): string {
  if (writer !== undefined) return `buffer ${inode}: ${writer} fills it`;
  return readers.length > 0 ? `buffer ${inode}: read by ${readers.join(", ")}` : `buffer ${inode}: in no use`;
}

function ringText(buffers: readonly BufferStatistics[]): string {
  const parts = (["filling", "held", "free"] as const).flatMap((state) => {
    const number = buffers.filter((buffer) => stateOf(buffer) === state).length;
    return number === 0
      ? []
      : [`${number} ${{ filling: "being filled", held: "being read", free: "in no use" }[state]}`];
  });
  return `${buffers.length} buffers: ${parts.join(", ")}`;
}
