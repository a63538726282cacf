import type { StreamHandleData } from "dmabuf";

/** From the worklet, a few times a second. */
export interface LevelReport {
  readonly levels: readonly number[];
  /** Played so far. */
  readonly quanta: number;
  readonly underruns: number;
  /** Whether its stream has ended. */
  readonly hasEnded: boolean;
}

/** To the worklet. */
export interface LevelOrder {
  readonly handle: StreamHandleData;
}
