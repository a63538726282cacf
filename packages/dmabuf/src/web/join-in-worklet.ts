import { check, checkObject, FUNCTION, OBJECT, required, type Kinds } from "../arguments.js";
import type { JoinOptions } from "../join-options.js";
import { beIntroduced, type Introduced, type JoinableDomain, type ReadyDomain } from "./introduction.js";

/** The port of an `AudioWorkletProcessor`, as far as it is used. */
export interface WorkletPort {
  /** As of each `EventTarget`. */
  addEventListener(type: string, listener: (event: object) => void): void;
  /** As of each `EventTarget`. */
  removeEventListener(type: string, listener: (event: object) => void): void;
  /** Begins to receive. */
  start(): void;
}

const METHOD = /* @__PURE__ */ required(FUNCTION);
const PORT: Kinds<WorkletPort> = { addEventListener: METHOD, removeEventListener: METHOD, start: METHOD };

/**
 * The worklet's side of `connectWorklet()`: waits for the invitation of the page, and joins. The message does not reach
 * listeners that were added later. Call it in the constructor of the processor.
 *
 * @param Domain The class of `dmabuf`, or of `dmabuf/streams`.
 * @param port That of the processor.
 * @param options As of `Domain.join()`.
 * @returns The domain, and the `data` of `connectWorklet()`, whose type the second type parameter says.
 * @throws What `Domain.join()` throws; the page is told, too.
 *
 * @example
 * ```ts page
 * import { Domain, type StreamHandleData } from "dmabuf/streams";
 * import { AudioReader, joinInWorklet } from "dmabuf/web/worklet";
 *
 * declare class AudioWorkletProcessor {
 *   readonly port: MessagePort;
 * }
 * declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
 *
 * class Player extends AudioWorkletProcessor {
 *   #reader: AudioReader | undefined;
 *
 *   constructor() {
 *     super();
 *     void joinInWorklet<Domain, { stream: StreamHandleData }>(Domain, this.port).then(({ domain, data }) => {
 *       this.#reader = new AudioReader(domain.import(data.stream).frames());
 *     });
 *   }
 *
 *   process(_inputs: Float32Array[][], [output = []]: Float32Array[][]): boolean {
 *     this.#reader?.read(output);
 *     return this.#reader?.ended !== true;
 *   }
 * }
 * registerProcessor("player", Player);
 * ```
 */
export async function joinInWorklet<Joined extends ReadyDomain, Data = unknown>(
  Domain: JoinableDomain<Joined>,
  port: WorkletPort,
  options?: JoinOptions,
): Promise<Introduced<Joined, Data>> {
  const call = "joinInWorklet()";
  check(call, "port", port, OBJECT);
  checkObject(call, "port", port, PORT);
  return beIntroduced(call, port as unknown as EventTarget, () => port.start(), Domain, options);
}
