import { Domain, rawFormat } from "dmabuf";
import { parameters, report, sample, sampleAsync, type Plan } from "./sampling.js";

/** One thread produces frames and consumes them, or has accesses to a buffer; nothing is in the way. */
export interface OneThreadParameters {
  readonly plan: Plan;
  readonly what: "frames" | "awaited frames" | "access" | "awaited access";
  /** Whether the domain is validated. */
  readonly validate: boolean;
}

const { plan, what, validate } = parameters<OneThreadParameters>();
const domain = Domain.create({ validate });
const stream = domain.createStream({ format: rawFormat(4096) });
const consumer = stream.frames();
const buffer = domain.allocate(4096);
let number = 0;

const sides = {
  frames: () =>
    sample(plan, (_, count) => {
      for (let i = 0; i < count; i++) {
        stream.loanSync()!.publish();
        const frame = consumer.nextSync()!;
        check(frame.sequence);
        frame.close();
      }
    }),
  "awaited frames": () =>
    sampleAsync(plan, async (_, count) => {
      for (let i = 0; i < count; i++) {
        (await stream.loan())!.publish();
        const frame = (await consumer.next())!;
        check(frame.sequence);
        frame.close();
      }
    }),
  access: () =>
    sample(plan, (_, count) => {
      for (let i = 0; i < count; i++) buffer.accessSync("write").close();
    }),
  "awaited access": () =>
    sampleAsync(plan, async (_, count) => {
      for (let i = 0; i < count; i++) (await buffer.access("write")).close();
    }),
};
report(await sides[what]());
domain.close();

function check(sequence: number): void {
  if (sequence !== number++) throw new Error("A frame was lost");
}
