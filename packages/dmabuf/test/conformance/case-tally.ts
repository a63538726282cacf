/** Counts a test run by the cases of the kernel's semantics. */

interface Area {
  readonly area: string;
  readonly title: string;
}

interface Case {
  readonly id: string;
  readonly area: string;
  readonly title: string;
}

export interface CaseBook {
  readonly areas: readonly Area[];
  readonly cases: readonly Case[];
}

/** One test of a run. */
export interface TestOutcome {
  /** Begins with the id of its case, if it belongs to one. */
  readonly name: string;
  /** `"skipped"` also for a test that is to be written. */
  readonly state: "passed" | "failed" | "skipped";
  /** Where its parties were, if it has several. */
  readonly place?: PartyPlace;
  /** Of a failed test. */
  readonly error?: string;
}

export const PARTY_PLACES = ["workers", "processes"] as const;
export type PartyPlace = (typeof PARTY_PLACES)[number];

export type CaseState = "passed" | "deviating" | "failed" | "missing";

export interface AreaTally extends Area {
  readonly cases: readonly CaseTally[];
}

interface CaseTally extends Case {
  readonly state: CaseState;
  /** Where it also ran with several parties. */
  readonly places: readonly PartyPlace[];
}

export interface Tally {
  readonly areas: readonly AreaTally[];
  /** What keeps the run from being good, one line each. */
  readonly problems: readonly string[];
}

/** @param deviations The reason for each case where the library is different on purpose. */
export function tally(
  { areas, cases }: CaseBook,
  deviations: Readonly<Record<string, string>>,
  outcomes: readonly TestOutcome[],
): Tally {
  const tallyCase = (each: Case): CaseTally => {
    const ran = outcomes.filter(({ name, state }) => caseOf(name) === each.id && state !== "skipped");
    const places = PARTY_PLACES.filter((place) => ran.some((outcome) => outcome.place === place));
    return { ...each, state: stateOf(ran, each.id in deviations), places };
  };
  const tallied = areas.map((area) => ({
    ...area,
    cases: cases.filter((each) => each.area === area.area).map(tallyCase),
  }));
  const known = new Set(cases.map(({ id }) => id));
  const problems = [
    ...outcomes.filter(({ state }) => state === "failed").map(({ name, error }) => `Failed: ${name}\n${error ?? ""}`),
    ...unknown([...new Set(outcomes.map(({ name }) => caseOf(name)))], known).map(
      (id) => `A test names ${id}, which is no case`,
    ),
    ...unknown(Object.keys(deviations), known).map((id) => `A deviation names ${id}, which is no case`),
    ...tallied
      .flatMap((area) => area.cases.filter(({ state }) => state === "missing"))
      .map(({ id, title }) => `No test ran for ${id} (${title})`),
  ];
  return { areas: tallied, problems };
}

function stateOf(ran: readonly TestOutcome[], isDeviating: boolean): CaseState {
  if (ran.length === 0) return "missing";
  if (ran.some(({ state }) => state === "failed")) return "failed";
  return isDeviating ? "deviating" : "passed";
}

/** The id at the start of a test's name. */
export function caseOf(name: string): string | undefined {
  return /^[A-Z]{2,3}-\d{2}(?= )/.exec(name)?.[0];
}

function unknown(ids: readonly (string | undefined)[], known: ReadonlySet<string>): string[] {
  return ids.filter((id) => id !== undefined).filter((id) => !known.has(id));
}
