/** A reporter of Node's test runner that writes one line of JSON for each test that has ended. */
import type { TestEvent } from "node:test/reporters";

/** How a test inside the lab ended. */
export interface InnerTest {
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly ms: number;
  /** Of a failed test. */
  readonly error?: string;
}

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, details } = event.data;
    if (details.type === "suite") continue;
    const skipped = event.type === "test:pass" && event.data.skip !== undefined && event.data.skip !== false;
    const state = event.type === "test:fail" ? "failed" : skipped ? "skipped" : "passed";
    const error = event.type === "test:fail" ? { error: text(event.data.details.error) } : {};
    const line: InnerTest = { name, state, ms: Math.round(details.duration_ms), ...error };
    yield `${JSON.stringify(line)}\n`;
  }
}

function text(error: Error): string {
  const { cause = error } = error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
