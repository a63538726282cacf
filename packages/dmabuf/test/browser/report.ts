/** What a suite that runs in the browser tells the test that started it; plain data, so that it crosses realms. */
export type Report =
  | { type: "test"; title: string; state: "passed" | "skipped"; error?: never }
  | { type: "test"; title: string; state: "failed"; error: string }
  /** Something failed that belongs to no test: the suite did not load, or a promise was rejected unheard. */
  | { type: "broken"; error: string }
  | { type: "end" };

export type TestReport = Extract<Report, { type: "test" }>;
