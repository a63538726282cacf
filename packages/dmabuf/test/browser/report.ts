/** What a realm tells of a suite that it has run; plain data, so that it crosses realms. */
export type Report =
  | { type: "test"; title: string; state: "passed" }
  | { type: "test"; title: string; state: "skipped"; reason: string }
  | { type: "test"; title: string; state: "failed"; error: string }
  /** Something failed that belongs to no test: the suite did not load, or a promise was rejected unheard. */
  | { type: "broken"; error: string };

export type TestReport = Extract<Report, { type: "test" }>;
