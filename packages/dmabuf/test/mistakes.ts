/** Mistakes that the validator reports, each beside the same done rightly. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { DmaBuf } from "../src/buffer/buffer.js";
import type { Fence } from "../src/fence/fence.js";
import type { Domain } from "../src/threads.js";
import { createValidated } from "./validated.js";

const LIMIT = { timeout: 60_000 };

/** A mistake, and the same done rightly. */
interface Mistake {
  readonly code: string;
  readonly about: RegExp;
  readonly wrong: (domain: Domain, t: TestContext) => unknown;
  readonly right: (domain: Domain, t: TestContext) => unknown;
  readonly options?: { readonly skip?: string | boolean };
}

/** Options of a mistake that is one only because the same code has awaited something before: a browser does not tell of that. */
export const OVER_AWAITS = { skip: "process" in globalThis ? false : "no more than a turn is known of code" };

export const FENCE_OPS = { driverName: "driver", timelineName: "line" };

export async function refused(code: string, run: () => unknown): Promise<void> {
  await assert.rejects(async () => run(), { code });
}

export async function addFence(buffer: DmaBuf, fence: Fence, reserve = true): Promise<void> {
  using _lock = await buffer.reservation.lock();
  if (reserve) buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, "write");
}

/** Registers for each mistake that it is reported, and that its twin is not. */
export function mistakes(cases: Readonly<Record<string, Mistake>>): void {
  for (const [name, { code, about, wrong, right, options = {} }] of Object.entries(cases)) {
    describe(name, () => {
      test(`is reported as "${code}", once, and with its page`, { ...LIMIT, ...options }, async (t) => {
        const { domain, reports } = createValidated(t);
        for (let i = 0; i < 2; i++) await wrong(domain, t);
        assert.deepEqual([...new Set(reports.map((report) => report.code))], [code]);
        assert.match(reports[0]!.message, about);
        assert.match(reports[0]!.url, new RegExp(`docs/validator\\.md#${code}$`));
        assert.notEqual(reports[0]!.places.length, 0);
      });

      test("is no mistake where it is done rightly", { ...LIMIT, ...options }, async (t) => {
        const { domain, reports } = createValidated(t);
        await right(domain, t);
        assert.deepEqual(
          reports.map(({ text }) => text),
          [],
        );
      });
    });
  }
}
