import type { DomainSnapshot } from "dmabuf/node";

/**
 * What has changed from one snapshot to the next: most of a domain stays as it is for a tenth of a second.
 *
 * changes.1. A row that says the same as before is the same object in the next snapshot. So a minute of snapshots takes the
 *      memory of what has changed in it, and a page draws only what has changed.
 * changes.2. Changes that are left out do no harm: a change is between any two snapshots, and not only between neighbours.
 */

/** What tells the rows of a table apart. Tables that are not here are short, and are replaced as a whole. */
const KEYS = {
  agents: ({ identity }) => identity,
  buffers: ({ inode }) => inode,
  timelines: ({ slot, generation }) => `${slot}.${generation}`,
  fences: ({ id }) => id,
  userFences: ({ slot, generation }) => `${slot}.${generation}`,
  syncobjs: ({ slot, generation }) => `${slot}.${generation}`,
  streams: ({ slot, generation }) => `${slot}.${generation}`,
} satisfies { [Name in keyof DomainSnapshot]?: (row: RowOf<Name>) => Key };

type RowOf<Name extends keyof DomainSnapshot> = DomainSnapshot[Name] extends readonly (infer Row)[] ? Row : never;
type Key = string | number;
type Row = object;
type Plain = Readonly<Record<string, unknown>>;

/** As plain data, which is sent. */
export interface SnapshotChange {
  /** Fields that are no table with keys, where they differ. */
  readonly values: Plain;
  /** Rows that are new or differ, and the keys of those that are no longer there. */
  readonly rows: Readonly<Record<string, { readonly set: readonly Row[]; readonly gone: readonly Key[] }>>;
}

/** The same snapshot, made of the rows of the one before where these say the same (changes.1), and the bytes of what is new. */
export function shared(before: DomainSnapshot | undefined, after: DomainSnapshot): [DomainSnapshot, number] {
  let bytes = 0;
  const old: Plain = { ...before };
  const fields = Object.entries(after).map(([name, value]: [string, unknown]) => {
    if (!Array.isArray(value)) return [name, value];
    const keyOf = keyOfRows(name);
    if (keyOf === undefined) {
      const was = old[name];
      if (was !== undefined && JSON.stringify(was) === JSON.stringify(value)) return [name, was];
      bytes += textOf(value).length;
      return [name, value];
    }
    const known = new Map(rowsOf(old[name]).map((row) => [keyOf(row), row]));
    const rows = rowsOf(value).map((row) => {
      const was = known.get(keyOf(row));
      if (was !== undefined && textOf(was) === textOf(row)) return was;
      bytes += textOf(row).length;
      return row;
    });
    // What is no longer in the newest snapshot is compared with nothing.
    const kept = new Set(rows);
    for (const was of known.values()) if (!kept.has(was)) texts.delete(was);
    bytes += rows.length * BYTES_OF_REFERENCE;
    return [name, rows];
  });
  return [Object.fromEntries(fields) as DomainSnapshot, bytes];
}

/** Of a row in the list of a snapshot. */
const BYTES_OF_REFERENCE = 8;

/** Both snapshots are from {@link shared}, or from {@link changed}. */
export function changeBetween(before: DomainSnapshot | undefined, after: DomainSnapshot): SnapshotChange {
  const old: Plain = { ...before };
  const values: Record<string, unknown> = {};
  const rows: Record<string, { set: Row[]; gone: Key[] }> = {};
  for (const [name, value] of Object.entries(after) as [string, unknown][]) {
    const keyOf = keyOfRows(name);
    if (keyOf === undefined) {
      if (old[name] !== value) values[name] = value;
      continue;
    }
    const was = new Set(rowsOf(old[name]));
    const is = rowsOf(value);
    const keys = new Set(is.map(keyOf));
    const set = is.filter((row) => !was.has(row));
    const gone = [...was].map(keyOf).filter((key) => !keys.has(key));
    if (set.length > 0 || gone.length > 0 || before === undefined) rows[name] = { set, gone };
  }
  return { values, rows };
}

/** The snapshot after a change of it. The order of rows is kept; new ones come last. */
export function changed(before: DomainSnapshot | undefined, { values, rows }: SnapshotChange): DomainSnapshot {
  const old: Plain = { ...before };
  const tables = Object.entries(rows).map(([name, { set, gone }]) => {
    const keyOf = keyOfRows(name) ?? (() => 0);
    const known = new Map(rowsOf(old[name]).map((row) => [keyOf(row), row]));
    for (const key of gone) known.delete(key);
    for (const row of set) known.set(keyOf(row), row);
    return [name, [...known.values()]];
  });
  return { ...old, ...values, ...Object.fromEntries(tables) } as DomainSnapshot;
}

function keyOfRows(name: string): ((row: Row) => Key) | undefined {
  return (KEYS as Readonly<Record<string, ((row: never) => Key) | undefined>>)[name] as ((row: Row) => Key) | undefined;
}

function rowsOf(value: unknown): readonly Row[] {
  return (value ?? []) as readonly Row[];
}

const texts = new WeakMap<object, string>();

function textOf(row: object): string {
  let text = texts.get(row);
  if (text === undefined) texts.set(row, (text = JSON.stringify(row)));
  return text;
}
