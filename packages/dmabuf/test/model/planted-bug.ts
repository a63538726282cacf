import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "../../src/testing/index.js";
import type { ExplorationFailure, ExploreOptions } from "../../src/testing/index.js";
import { failureOf } from "./interleavings.js";

/** A small protocol that can be had right or with one known mistake. */
export interface PlantedBug {
  /** Completes "explore() finds …". */
  name: string;
  /** How the mistake must show. */
  kind: ExplorationFailure;
  /** What the report must say, line by line in this order. */
  report: RegExp;
  protocol: (planted: boolean) => ExploreOptions;
}

/** Registers the test that a bug is found, and that the same protocol without it passes. */
export function testPlantedBug({ name, kind, report, protocol }: PlantedBug): void {
  test(`explore() finds ${name}`, { timeout: 60_000 }, () => {
    assert.ok(explore(protocol(false)).schedules > 1, "the protocol without the bug has several schedules");

    const failure = failureOf(protocol(true));
    assert.equal(failure.kind, kind);
    assert.match(failure.message, report);

    const repeated = failureOf({ ...protocol(true), replay: failure.schedule });
    assert.equal(repeated.message, failure.message, "the reported schedule leads to the same failure");
  });
}
