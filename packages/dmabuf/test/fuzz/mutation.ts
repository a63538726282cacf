import type { Random } from "../random.js";

/** Values at the edge of something, or of an unexpected kind. */
const VALUES: readonly unknown[] = [
  ...[0, 1, -1, 2, 3, 7, 8, 0.5, 255, 1023, 1024, 4096, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, 2 ** 53, -(2 ** 60), 1e300],
  ...[null, true, false, "", "read", "read-write", "storage", "toString", "__proto__", "\u0000", "x".repeat(5_000)],
  [],
  {},
  [[]],
  { length: 3 },
  { toString: 1, valueOf: 1 },
];
const BYTES = ['"', "{", "}", "[", "]", ",", ":", "\\", "\n", "\0", "\ufffd", "9".repeat(400), "[".repeat(30_000)];

/** A message with something about it changed: a field, or the text itself. */
export function mutatedText(message: unknown, random: Random): Buffer {
  const changed = random.oneIn(8) ? message : mutated(message, random);
  const bytes = Buffer.from(`${JSON.stringify(changed) ?? ""}\n`);
  if (!random.oneIn(4)) return bytes;
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length));
    case 1:
      bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    case 2: {
      const at = random.below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(BYTES)), bytes.subarray(at)]);
    }
    case 3:
      return Buffer.concat([bytes, bytes, bytes]);
    default:
      return Buffer.alloc(random.pick([1, 100, 65_535, 65_536, 66_000]), random.below(256));
  }
}

/** A copy with one to three values in it changed, taken away or added. */
export function mutated(value: unknown, random: Random): unknown {
  let changed = structuredClone(value);
  for (let changes = 1 + random.below(3); changes > 0; changes--) changed = mutatedOnce(changed, random);
  return changed;
}

function mutatedOnce(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.oneIn(10)) return otherThan(value, random);
  const fields = value as Record<string, unknown>;
  const names = Object.keys(fields);
  if (names.length === 0 || random.oneIn(16)) return { ...fields, [random.pick(["kind", "code", "left", "x"])]: 1 };
  const name = random.pick(names);
  if (random.oneIn(8)) delete fields[name];
  else fields[name] = mutatedOnce(fields[name], random);
  return value;
}

function otherThan(value: unknown, random: Random): unknown {
  if (typeof value === "number" && random.oneIn(2)) return value + random.pick([1, -1, 4096, 0.5, 2 ** 32]);
  return random.pick(VALUES);
}
