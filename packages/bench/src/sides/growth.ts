import { CrowdedDomain, type Crowd } from "./crowd.js";
import { parameters, report, sample, type Plan } from "./sampling.js";

/** One thread hands frames to itself in a domain that has more or less beside it. */
export interface GrowthParameters {
  readonly plan: Plan;
  readonly crowd: Crowd;
  /** Whether the other consumers take each frame, too. An operation is one frame for one consumer. */
  readonly allTake?: true;
}

const { plan, crowd, allTake } = parameters<GrowthParameters>();
const crowded = new CrowdedDomain(crowd, { agents: 1, places: 2, bytes: 4096 });
const { domain, stream } = crowded;
const first = stream.frames();
const others = crowded.fill();
const takers = allTake === true ? [first, ...others] : [first];
const publications = Math.ceil(plan.batch / takers.length);
let number = 0;

report(
  sample({ ...plan, batch: publications * takers.length }, () => {
    for (let i = 0; i < publications; i++) {
      stream.loanSync()!.publish();
      for (const taker of takers) {
        const frame = taker.nextSync()!;
        if (frame.sequence !== number) throw new Error("A frame was lost");
        frame.close();
      }
      number++;
    }
  }),
);
domain.close();
