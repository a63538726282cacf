import { addressOf } from "../../node/system-calls/index.js";
import { unpackAll } from "../struct.js";
import type { DrmDevice } from "./device.js";
import { CONNECTION, CONNECTOR_TYPES, MODE, MODE_INFO } from "./mode-requests.js";
import { requestOf } from "../descriptor.js";

/** What a device has for displays, each by its number: connectors, controllers (CRTCs) and planes, with properties. */

/** A socket for a screen. */
export interface ConnectorObject {
  readonly id: number;
  /** As the kernel calls it, "HDMI-A-1". */
  readonly name: string;
  readonly isConnected: boolean;
  readonly modes: readonly ModeInfo[];
  /** The controller that feeds it now; 0 if none does. */
  readonly crtc: number;
  /** The controllers that could: a bit for the place of each in the device's list. */
  readonly possibleCrtcs: number;
}

/** A size and its timing, as the kernel has it. */
export type ModeInfo = ReturnType<(typeof MODE_INFO)["unpack"]>;

/** What a controller shows an image with. */
export interface PlaneObject {
  readonly id: number;
  /** The controller that uses it now; 0 if none does. */
  readonly crtc: number;
  readonly possibleCrtcs: number;
  /** The codes of its pixel formats. */
  readonly formats: readonly number[];
}

/** The properties of an object, by name. */
export type Properties = ReadonlyMap<string, { readonly id: number; readonly value: bigint }>;

/** The kernel counts objects of a kind in the bits of a word; of other lists this is more than any device has. */
const MOST_OBJECTS = 32;
const MOST = 512;

/** @throws {DmaBufError} `EOPNOTSUPP` if the device has no displays; `EACCES` for a render node. */
export function modeObjects(device: DrmDevice): { readonly crtcs: number[]; readonly connectors: number[] } {
  const [crtcs, connectors] = [new Room(MOST_OBJECTS), new Room(MOST)];
  const given = { crtcs: crtcs.address, crtcCount: crtcs.length };
  const ofConnectors = { connectors: connectors.address, connectorCount: connectors.length };
  const action = `Cannot ask ${device.path} for its displays`;
  const reasons = { EOPNOTSUPP: "it can have none", EACCES: "a render node shows nothing: use the card" };
  const found = requestOf(device, MODE.GETRESOURCES, { ...given, ...ofConnectors }, action, reasons);
  return { crtcs: crtcs.first(found.crtcCount), connectors: connectors.first(found.connectorCount) };
}

export function connectorObject(device: DrmDevice, id: number): ConnectorObject {
  const action = `Cannot ask ${device.path} for connector ${id}`;
  // Without room for modes it makes the kernel look what is connected.
  requestOf(device, MODE.GETCONNECTOR, { connector: id }, action);
  const [modes, encoders] = [new Uint8Array(new ArrayBuffer(MOST * MODE_INFO.size)), new Room(MOST_OBJECTS)];
  const room = { encoders: encoders.address, encoderCount: encoders.length };
  const given = { connector: id, modes: addressOf(modes), modeCount: MOST, ...room };
  const found = requestOf(device, MODE.GETCONNECTOR, given, action);
  const ofEncoders = encoders
    .first(found.encoderCount)
    .map((encoder) => requestOf(device, MODE.GETENCODER, { encoder }, action));
  return {
    id,
    name: `${CONNECTOR_TYPES[found.type] ?? "Unknown"}-${found.typeNumber}`,
    isConnected: found.connection === CONNECTION.CONNECTED,
    modes: unpackAll(MODE_INFO, modes, Math.min(found.modeCount, MOST)),
    crtc: ofEncoders.find(({ encoder }) => encoder === found.encoder)?.crtc ?? 0,
    possibleCrtcs: ofEncoders.reduce((all, { possibleCrtcs }) => all | possibleCrtcs, 0),
  };
}

export function planeObjects(device: DrmDevice): PlaneObject[] {
  const action = `Cannot ask ${device.path} for its planes`;
  const planes = new Room(MOST);
  const given = { planes: planes.address, planeCount: planes.length };
  const { planeCount } = requestOf(device, MODE.GETPLANERESOURCES, given, action);
  return planes.first(planeCount).map((id) => {
    const formats = new Room(MOST);
    const ofPlane = { plane: id, formats: formats.address, formatCount: formats.length };
    const { crtc, possibleCrtcs, formatCount } = requestOf(device, MODE.GETPLANE, ofPlane, action);
    return { id, crtc, possibleCrtcs, formats: formats.first(formatCount) };
  });
}

/** @param type One of `OBJECT`. */
export function propertiesOf(device: DrmDevice, object: number, type: number): Properties {
  const action = `Cannot ask ${device.path} for the properties of object ${object}`;
  const properties = new Room(MOST);
  const values = new BigUint64Array(new ArrayBuffer(MOST * 8));
  const given = { object, type, properties: properties.address, values: addressOf(values), count: properties.length };
  const { count } = requestOf(device, MODE.OBJ_GETPROPERTIES, given, action);
  return new Map(
    properties.first(count).map((property, i) => {
      const { name } = requestOf(device, MODE.GETPROPERTY, { property }, action);
      return [name, { id: property, value: values[i]! }];
    }),
  );
}

/** Room for a list of numbers that the kernel fills. */
class Room {
  readonly length: number;
  readonly #words: Uint32Array;

  constructor(length: number) {
    this.length = length;
    this.#words = new Uint32Array(new ArrayBuffer(length * 4));
  }

  get address(): bigint {
    return addressOf(this.#words);
  }

  first(count: number): number[] {
    return [...this.#words.subarray(0, count)];
  }
}
