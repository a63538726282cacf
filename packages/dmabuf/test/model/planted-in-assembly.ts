import assert from "node:assert/strict";
import { test } from "node:test";
import type { Layout } from "../../src/domain/layout.js";
import { useBuild } from "../../src/domain/segment-protocol.js";
import type { MakeWords } from "../../src/protocol/words-build.js";
import { explore, type ExploreOptions } from "../../src/testing/index.js";
import { EXPLORES, failureOf } from "./interleavings.js";
import { LAYOUT, namesOf } from "./model-domain.js";

interface Compiler {
  sources: () => Map<string, string>;
  compile: (texts: ReadonlyMap<string, string>, build: "atomic" | "words") => Promise<Uint8Array>;
  javaScript: (words: Uint8Array) => Promise<string>;
}

const { sources, compile, javaScript } = (await import(
  new URL("../../../../../scripts/protocol.mjs", import.meta.url).href
)) as Compiler;

/** A mistake in the AssemblyScript of a protocol, and how an exploration of it fails. */
export interface Mutation {
  /** Completes "… is noticed". */
  readonly name: string;
  /** A file of src/protocol/assembly. */
  readonly file: string;
  /** What is there, once, and what is in its place. */
  readonly from: string;
  readonly to: string;
  /** What the report of the exploration must say. */
  readonly report: RegExp;
}

/** Explores shipped code, which must pass, and each mutation of it, which must be noticed. */
export function testMutations(
  name: string,
  options: Omit<ExploreOptions, "words">,
  mutations: readonly Mutation[],
  layout: Layout = LAYOUT,
): void {
  const all: ExploreOptions = {
    // Some behind the segment, for what a test wants to share.
    words: layout.words + 2,
    nameOf: namesOf(layout),
    merge: false,
    ...options,
  };

  test(`nothing is wrong where ${name}`, EXPLORES, (t) => {
    const { states, schedules } = explore(all);
    t.diagnostic(`${states} states, ${schedules} schedules`);
  });

  for (const mutation of mutations) {
    test(`${mutation.name} is noticed where ${name}`, EXPLORES, async () => {
      useBuild(layout, await mutated(mutation));
      try {
        assert.match(failureOf(all).message, mutation.report);
      } finally {
        useBuild(layout);
      }
    });
  }
}

/** The `words` build with a mistake in it. */
async function mutated({ file, from, to }: Mutation): Promise<MakeWords> {
  const texts = sources();
  const parts = texts.get(file)!.split(from);
  assert.equal(parts.length, 2, `${file} must have this once:\n${from}`);
  const code = await javaScript(await compile(texts.set(file, parts.join(to)), "words"));
  const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
  return ((await import(url)) as { words: MakeWords }).words;
}
