import { Domain, type FrameStream } from "dmabuf";
import { AudioReader, joinInWorklet } from "dmabuf/web/worklet";
import type { LevelOrder, LevelReport } from "./messages.js";

/** Quanta between two reports: 32 of them are 85 ms. */
const EVERY = 32;

/** Plays the tone, and says how loud it is. It never waits, and makes no garbage but a report now and then. */
class Level extends AudioWorkletProcessor {
  #domain: Domain | undefined;
  #stream: FrameStream | undefined;
  #reader: AudioReader | undefined;
  #quanta = 0;
  #underruns = 0;
  #levels = [0, 0];

  constructor() {
    super();
    void this.#join();
  }

  async #join(): Promise<void> {
    const { domain, data } = await joinInWorklet<Domain, LevelOrder>(Domain, this.port);
    this.#domain = domain;
    this.port.addEventListener("message", ({ data }: MessageEvent<LevelOrder>) => this.#open(data));
    this.port.start();
    this.#open(data);
  }

  /** Another stream, as when the one that made the last one has died. */
  #open({ handle }: LevelOrder): void {
    this.#stream?.close();
    this.#stream = this.#domain!.import(handle);
    this.#reader = new AudioReader(this.#stream.frames());
  }

  process(_inputs: Float32Array[][], [output]: Float32Array[][]): boolean {
    const reader = this.#reader;
    if (reader === undefined || output === undefined) return true;
    if (reader.read(output)) this.#quanta++;
    else if (!reader.ended) this.#underruns++;
    for (let channel = 0; channel < output.length; channel++) {
      const samples = output[channel]!;
      for (let i = 0; i < samples.length; i++) {
        const loud = Math.abs(samples[i]!);
        if (loud > this.#levels[channel]!) this.#levels[channel] = loud;
      }
    }
    if ((this.#quanta + this.#underruns) % EVERY === 0 || reader.ended) this.#report(reader.ended);
    return true;
  }

  #report(hasEnded: boolean): void {
    const report: LevelReport = {
      levels: [...this.#levels],
      quanta: this.#quanta,
      underruns: this.#underruns,
      hasEnded,
    };
    this.port.postMessage(report);
    this.#levels.fill(0);
  }
}

registerProcessor("level", Level);
