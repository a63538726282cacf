/** Plays a stream of sound. */
import { Domain, type StreamHandleData } from "dmabuf";
import { AudioReader, joinInWorklet } from "dmabuf/web/worklet";

/** What has been played until now. */
export interface Counts {
  readonly quanta: number;
  readonly underruns: number;
  readonly errors: number;
}

interface Worklet {
  readonly AudioWorkletProcessor: new () => { readonly port: MessagePort };
  readonly registerProcessor: (name: string, processor: new () => object) => void;
}
const { AudioWorkletProcessor, registerProcessor } = globalThis as unknown as Worklet;

registerProcessor(
  "player",
  class extends AudioWorkletProcessor {
    #reader: AudioReader | undefined;
    #quanta = 0;
    #errors = 0;

    constructor() {
      super();
      this.port.addEventListener("message", ({ data }) => {
        if (data !== "report") return;
        const { underruns = 0 } = this.#reader ?? {};
        this.port.postMessage({ quanta: this.#quanta, underruns, errors: this.#errors } satisfies Counts);
      });
      void joinInWorklet<Domain, { stream: StreamHandleData }>(Domain, this.port).then(({ domain, data }) => {
        this.#reader = new AudioReader(domain.import(data.stream).frames());
      });
    }

    process(_inputs: unknown, [output]: [Float32Array[]]): boolean {
      try {
        if (this.#reader?.read(output)) this.#quanta++;
      } catch {
        this.#errors++;
      }
      return true;
    }
  },
);
