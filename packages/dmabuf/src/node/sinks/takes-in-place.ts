import process from "node:process";

/**
 * Whether a sink's write callback says that the bytes were taken.
 *
 * takes-in-place.1. So it is with the sinks of Node.js that are listed here: for each it was tried on Node.js 20, 24 and 26
 *      (docs/design/sinks.md), and a test tries it again. Any other sink may keep a chunk after it has called back, as a
 *      Transform does that passes chunks on, or a Writable that collects them.
 * takes-in-place.2. One that has a `write` of its own is any other: a library that wraps a response may lose the callback.
 * takes-in-place.3. A response that waits behind another one of its connection is any other: if the connection ends, it
 *      never calls back.
 */
export function takesInPlace(sink: object): boolean {
  if (isStdio(sink)) return true;
  known ??= knownSinks();
  return known.types.some((type) => isOwn(sink, type)) && !(sink instanceof known.Response && sink.socket === null);
}

/** Whether it is an output of this process, which is never ended. */
export function isStdio(sink: object): boolean {
  // To look at `process.stdout` makes it.
  const { fd } = sink as { readonly fd?: unknown };
  return (fd === 1 && sink === process.stdout) || (fd === 2 && sink === process.stderr);
}

type Type = abstract new (...args: never) => object;

let known: ReturnType<typeof knownSinks> | undefined;

/** Nothing is imported for it: a program that has such a sink has its module already, and others need none of them. */
function knownSinks() {
  const { WriteStream } = process.getBuiltinModule("node:fs");
  const { Socket } = process.getBuiltinModule("node:net");
  const { OutgoingMessage, ServerResponse } = process.getBuiltinModule("node:http");
  const { Http2ServerResponse } = process.getBuiltinModule("node:http2");
  const others = ["node:zlib", "node:crypto"].map((name) => process.getBuiltinModule(name) as Others);
  const transforms = TRANSFORMS.flatMap((name) => others.flatMap((module) => module[name] ?? []));
  const types: Type[] = [WriteStream, Socket, OutgoingMessage, Http2ServerResponse, ...transforms];
  return { types, Response: ServerResponse };
}

/** The types do not have them, and not every Node.js does. */
type Others = Readonly<Record<string, Type | undefined>>;

const TRANSFORMS = ["Gzip", "Deflate", "DeflateRaw", "BrotliCompress", "ZstdCompress", "Cipheriv", "Hash"];

/** takes-in-place.2. */
function isOwn(sink: object, type: Type): boolean {
  if (!(sink instanceof type)) return false;
  const { prototype } = type as { readonly prototype: object };
  return ["write", "_write", "_writev"].every((name) => Reflect.get(sink, name) === Reflect.get(prototype, name));
}
