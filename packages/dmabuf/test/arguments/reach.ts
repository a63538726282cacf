import { ChildProcess } from "node:child_process";

/**
 * What a program can get at from an object that it was given: by fields, own or inherited, by getters, and by what lists
 * and maps have. Methods are not called.
 */

/** An object of a class that no entry exports, or the memory that all agents of a domain share. */
export interface Inner {
  /** As `.reservation.agent`. */
  readonly path: string;
  readonly what: string;
}

/** The first word of a control segment. */
const MAGIC = 0x66756264;

/**
 * @param root May be of any class: what functions promise of it may be an interface.
 * @param isPublic Whether a class of that name is published.
 */
export function innerThings(root: unknown, isPublic: (name: string) => boolean): Inner[] {
  const found: Inner[] = [];
  const seen = new Set<object>();
  const open: [value: unknown, path: string][] = [[root, ""]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, path] = next;
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (isMemory(value)) {
      if (isSegment(value)) found.push({ path, what: "the control segment" });
    } else if (path !== "" && isOfOurs(value) && !classesOf(value).some(isPublic)) {
      found.push({ path, what: classesOf(value)[0]! });
    } else if (!isOfHost(value)) {
      if (value instanceof Map || value instanceof Set) open.push([[...value.values()], `${path}.values()`]);
      for (const key of keysOf(value)) open.push([valueOf(value, key), `${path}.${String(key)}`]);
    }
  }
  return found;
}

function isMemory(value: object): value is ArrayBufferLike {
  return value instanceof SharedArrayBuffer || value instanceof ArrayBuffer;
}

function isSegment(memory: ArrayBufferLike): boolean {
  return memory.byteLength >= 4 && new Uint32Array(memory, 0, 1)[0] === MAGIC;
}

/** The names of the classes that an object is of, from its own to the highest one. */
function classesOf(value: object): string[] {
  const names: string[] = [];
  for (let at = prototypeOf(value); at !== null; at = prototypeOf(at)) {
    const type: unknown = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
    names.push(typeof type === "function" ? type.name : "");
  }
  return names;
}

/** Node.js keeps the state of its streams in these. */
const OF_STREAMS = new Set(["ReadableState", "WritableState"]);

/** Whether it is of a class that is not of the language or its host. */
function isOfOurs(value: object): boolean {
  const [name = ""] = classesOf(value);
  return name !== "" && !(name in globalThis) && !OF_STREAMS.has(name);
}

/** What has nothing of ours in it. */
function isOfHost(value: object): boolean {
  return value instanceof Promise || value instanceof EventTarget || value instanceof ChildProcess;
}

function keysOf(value: object): (string | symbol)[] {
  if (ArrayBuffer.isView(value)) return ["buffer"];
  const keys = new Set<string | symbol>();
  for (let at: object | null = value; at !== null && at !== Object.prototype; at = prototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) keys.add(key);
  }
  keys.delete("constructor");
  return [...keys];
}

function valueOf(value: object, key: string | symbol): unknown {
  try {
    return Reflect.get(value, key) as unknown;
  } catch {
    // A getter that refuses: of something closed, say.
    return undefined;
  }
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}
