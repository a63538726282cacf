/** The processors of `web-worklet.suite.ts`, on the thread that renders sound. */
import { audioFormat, Domain, type StreamHandleData } from "../../../../src/index.js";
import { AudioReader, AudioWriter, joinInWorklet } from "../../../../src/web/worklet.js";

/** What a worklet is to do. */
export interface Task {
  readonly then: "read" | "write" | "throw" | "leave" | "wait";
  readonly stream?: StreamHandleData;
}

/** What it says when it is asked. */
export interface Findings {
  readonly quanta: number;
  readonly underruns: number;
  readonly dropped: number;
  readonly ended: boolean;
}

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

registerProcessor(
  "agent",
  class extends AudioWorkletProcessor {
    #reader: AudioReader | undefined;
    #writer: AudioWriter | undefined;
    #throws = false;
    #quanta = 0;

    constructor() {
      super();
      void joinInWorklet<Domain, Task>(Domain, this.port).then(({ domain, data: { then, stream } }) => {
        if (then === "read") this.#reader = new AudioReader(domain.import(stream!).frames());
        if (then === "leave") domain.close();
        if (then === "throw") this.#throws = true;
        if (then !== "write") return;
        const format = audioFormat({ channels: 1, rate: 48_000, samples: 512 });
        const own = domain.createStream({ format, buffers: 8 });
        this.#writer = new AudioWriter(own);
        this.port.postMessage(own.handle());
      });
      // Also before it has joined: the messages of the program are its own.
      this.port.onmessage = ({ data }) => {
        if (data === "end") this.#writer?.end();
        const findings: Findings = {
          quanta: this.#quanta,
          underruns: this.#reader?.underruns ?? 0,
          dropped: this.#writer?.dropped ?? 0,
          ended: this.#reader?.ended ?? this.#writer?.ended ?? false,
        };
        this.port.postMessage(findings);
      };
    }

    process([input = []]: Float32Array[][], [output = []]: Float32Array[][]): boolean {
      if (this.#throws) throw new Error("thrown in process()");
      if (this.#reader?.read(output) === true) this.#quanta++;
      if (this.#writer?.write(input) === true) this.#quanta++;
      return true;
    }
  },
);

registerProcessor(
  "deaf",
  class extends AudioWorkletProcessor {
    process(): boolean {
      return true;
    }
  },
);
