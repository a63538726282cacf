import { addressOf } from "../../node/system-calls/index.js";
import { DmaBufError } from "../../errors.js";
import type { Reasons } from "../ioctl.js";
import type { DrmDevice } from "./device.js";
import { propertiesOf, type Properties } from "./mode-objects.js";
import { MODE } from "./mode-requests.js";
import { requestOf } from "../descriptor.js";

/** An object whose properties can be changed: a connector, a controller or a plane. */
export class ModeObject {
  readonly id: number;
  readonly properties: Properties;

  /** @param type One of `OBJECT`. */
  constructor(device: DrmDevice, id: number, type: number) {
    this.id = id;
    this.properties = propertiesOf(device, id, type);
  }

  value(name: string): number | undefined {
    const value = this.properties.get(name)?.value;
    return value === undefined ? undefined : Number(value);
  }
}

/** New values for an object's properties, by name. */
export type Change = readonly [object: ModeObject, values: Readonly<Record<string, number | bigint>>];

/**
 * Changes all of that at once, or nothing.
 *
 * @param flags Of `ATOMIC_FLAG`.
 * @throws {DmaBufError} With the kernel's errno; `EOPNOTSUPP` if an object has no such property.
 */
export function commit(device: DrmDevice, changes: readonly Change[], flags: number, action: string): void {
  const all = changes.map(([object, values]) => ({
    object,
    entries: Object.entries(values).map(([name, value]) => ({ id: propertyId(object, name, action), value })),
  }));
  const flat = all.flatMap(({ entries }) => entries);
  const objects = new Uint32Array(all.map(({ object }) => object.id));
  const propertyCounts = new Uint32Array(all.map(({ entries }) => entries.length));
  const properties = new Uint32Array(flat.map(({ id }) => id));
  const values = new BigInt64Array(flat.map(({ value }) => BigInt(value)));
  const lists = [objects, propertyCounts, properties, values].map(unmoved);
  const [first, second, third, fourth] = lists.map(addressOf);
  const given = { flags, objectCount: objects.length, objects: first!, propertyCounts: second! };
  requestOf(device, MODE.ATOMIC, { ...given, properties: third!, values: fourth! }, action, REASONS);
}

const REASONS: Reasons = {
  EACCES: "this program is not the device's master: another shows its images there, mostly a desktop",
  EBUSY: "the change before is not finished",
  EINVAL: "the driver cannot do that: its size, its pixel format, or where it lies",
  ENOSPC: "the driver cannot place the image so",
  ERANGE: "the driver cannot show so much at once",
};

function propertyId(object: ModeObject, name: string, action: string): number {
  const property = object.properties.get(name);
  if (property !== undefined) return property.id;
  throw new DmaBufError("EOPNOTSUPP", `${action}: object ${object.id} has no property ${name}`);
}

/** The bytes in memory that is not moved, as small arrays are. */
function unmoved(array: Uint32Array | BigInt64Array): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(array.byteLength));
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return bytes;
}
