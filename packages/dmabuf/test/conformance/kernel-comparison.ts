import { caseOf, type AreaTally, type CaseState, type TestOutcome } from "./case-tally.js";

/** What the library and a kernel say of one case. */
export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly ours: CaseState;
  readonly kernel: "passed" | "failed";
  /** `"only there"`: what only descriptors can be asked. */
  readonly agree: "yes" | "no" | "on purpose" | "only there";
}

/** The cases that were put to the kernel, in the order of the case book. */
export function compare(
  areas: readonly AreaTally[],
  kernel: readonly TestOutcome[],
  deviations: Readonly<Record<string, string>>,
): Comparison[] {
  return areas.flatMap(({ cases }) =>
    cases.flatMap(({ id, title, state }): Comparison[] => {
      const ran = kernel.filter((outcome) => caseOf(outcome.name) === id && outcome.state !== "skipped");
      if (ran.length === 0) return [];
      const there = ran.every((outcome) => outcome.state === "passed") ? "passed" : "failed";
      return [{ id, title, ours: state, kernel: there, agree: verdict(id, state, there, deviations) }];
    }),
  );
}

function verdict(
  id: string,
  ours: CaseState,
  kernel: Comparison["kernel"],
  deviations: Readonly<Record<string, string>>,
): Comparison["agree"] {
  if (kernel === "failed" || ours === "failed") return "no";
  if (id in deviations) return "on purpose";
  return ours === "missing" ? "only there" : "yes";
}
