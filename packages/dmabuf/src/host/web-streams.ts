/** The web's streams, made by the surroundings. */

declare global {
  /* eslint-disable @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars, @typescript-eslint/no-explicit-any -- what a program's own types say of them is added to these; without such types they are all */
  interface ReadableStream<R = any> {}
  interface WritableStream<W = any> {}
  /* eslint-enable @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars, @typescript-eslint/no-explicit-any -- they end here */
}

/** What a reader has brought memory for. */
interface ByteRequest {
  readonly view: ArrayBufferView<ArrayBuffer>;
  respond(bytes: number): void;
}

export interface ByteController {
  readonly byobRequest: ByteRequest | null;
  enqueue(chunk: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** Where the bytes of a readable stream come from; each is asked for. */
export interface ByteSource {
  readonly pull: (controller: ByteController) => Promise<void>;
  readonly cancel: () => void;
}

interface ChunkController {
  /** Aborted at once, while a write is still under way. */
  readonly signal: { readonly reason: unknown; addEventListener(type: "abort", listener: () => void): void };
}

export interface ChunkSink {
  start(controller: ChunkController): void;
  write(chunk: unknown): Promise<void>;
  close(): Promise<void>;
  abort(reason: unknown): void;
}

export interface ChunkWriter {
  readonly ready: Promise<void>;
  readonly closed: Promise<void>;
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(reason: unknown): Promise<void>;
  releaseLock(): void;
}

interface Surroundings {
  readonly ReadableStream: new (
    source: ByteSource & { readonly type: "bytes" },
    strategy: { readonly highWaterMark: number },
  ) => ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly WritableStream: new (sink: ChunkSink) => WritableStream<ArrayBufferLike | ArrayBufferView>;
}

const surroundings = globalThis as unknown as Surroundings;

/** A byte stream that asks for nothing before it is read. */
export function createByteStream({ pull, cancel }: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new surroundings.ReadableStream({ type: "bytes", pull, cancel }, { highWaterMark: 0 });
}

export function createChunkStream(sink: ChunkSink): WritableStream<ArrayBufferLike | ArrayBufferView> {
  return new surroundings.WritableStream(sink);
}

/** @throws {TypeError} Of the stream's own, if another writer has it. */
export function writerOf(stream: WritableStream): ChunkWriter {
  return (stream as { getWriter(): ChunkWriter }).getWriter();
}
