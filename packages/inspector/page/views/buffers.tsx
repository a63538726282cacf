import { useSignal } from "@preact/signals";
import type { SnapshotBuffer } from "dmabuf/node";
import { AgentNames, BufferName, bufferText } from "../components/names.js";
import { Table, type Column } from "../components/table.js";
import { bytesText, count } from "../format.js";
import { isSelected } from "../store/route.js";
import { agents, shown } from "../store/store.js";

const COLUMNS: readonly Column<SnapshotBuffer>[] = [
  {
    id: "name",
    title: "Buffer",
    width: "minmax(0, 2fr)",
    cell: ({ inode }) => <BufferName inode={inode} />,
    by: ({ inode, name }) => `${bufferText(inode, name)} ${inode}`,
  },
  {
    id: "size",
    title: "Size",
    width: "90px",
    isNumber: true,
    cell: ({ size }) => bytesText(size),
    by: ({ size }) => size,
  },
  {
    id: "exporter",
    title: "Exporter",
    width: "minmax(0, 1fr)",
    isOptional: true,
    cell: ({ exporterName }) => exporterName,
    by: ({ exporterName }) => exporterName,
  },
  {
    id: "use",
    title: "In use",
    width: "minmax(110px, 1.5fr)",
    cell: (buffer) => <Use buffer={buffer} />,
    by: useOrder,
  },
  {
    id: "holders",
    title: "Held by",
    width: "minmax(0, 2fr)",
    isOptional: true,
    cell: ({ holders }) => <AgentNames identities={holders} />,
    by: ({ holders }) => holders.length,
    isNumber: false,
  },
  {
    id: "fences",
    title: "Fences",
    width: "80px",
    isNumber: true,
    isOptional: true,
    cell: ({ pendingFences, overdueFences }) =>
      overdueFences > 0 ? <span class="bad">{overdueFences} overdue</span> : pendingFences,
    by: ({ pendingFences, overdueFences }) => pendingFences + overdueFences * 1000,
  },
];

/** All buffers as a table with a search. */
export function Buffers() {
  const search = useSignal("");
  const all = shown.value?.buffers ?? [];
  const rows = all.filter(matching(search.value));
  const bytes = rows.reduce((sum, { size }) => sum + size, 0);
  return (
    <>
      <div class="bar">
        <label class="search">
          <span class="unseen">Search for buffers</span>
          <input
            type="search"
            placeholder="Name, number, exporter or agent"
            value={search.value}
            onInput={({ currentTarget }) => (search.value = currentTarget.value)}
          />
        </label>
        <p class="quiet number" role="status">
          {rows.length < all.length ? `${rows.length} of ${count(all.length, "buffer")}` : count(all.length, "buffer")},{" "}
          {bytesText(bytes)}
        </p>
      </div>
      <Table
        label="Buffers"
        columns={COLUMNS}
        rows={rows}
        keyOf={({ inode }) => inode}
        isSelected={({ inode }) => isSelected({ kind: "buffer", inode })}
        empty={all.length === 0 ? "There is no buffer." : "No buffer is like that."}
      />
    </>
  );
}

/** All words must be somewhere in what the buffer is called, or in a name of those that have to do with it. */
function matching(search: string): (buffer: SnapshotBuffer) => boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return () => true;
  return ({ name, inode, exporterName, holders }) => {
    const names = holders.map((identity) => agents.value.get(identity)?.name ?? "");
    const text = [name, inode, exporterName, ...names].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

function Use({ buffer: { writer, readers } }: { buffer: SnapshotBuffer }) {
  if (writer !== undefined) {
    return (
      <span class="use">
        <span class="place filling" aria-hidden="true" /> written by <AgentNames identities={[writer]} />
      </span>
    );
  }
  if (readers.length === 0) return <span class="quiet">no</span>;
  return (
    <span class="use">
      <span class="place held" aria-hidden="true" /> read by <AgentNames identities={readers} />
    </span>
  );
}

function useOrder({ writer, readers }: SnapshotBuffer): number {
  return writer !== undefined ? -1000 : -readers.length;
}
