/**
 * The engines that tests of pages run in: found, started and driven in one way.
 *
 * Each page has a storage of its own. What an engine cannot do throws an error that says so; nothing is silently left out.
 */
import process from "node:process";
import { findChromium, launchChromium } from "./chromium.js";
import type { Engine, EngineOptions } from "./engine.js";
import { findFirefox, launchFirefox } from "./firefox.js";
import { findWebKit, launchWebKit } from "./webkit.js";

export type { Engine, EngineOptions, EnginePage, UntilOptions } from "./engine.js";

/** The engines that tests of pages run in. */
export const ENGINES = ["chromium", "firefox", "webkit"] as const;

/** The name of an engine. */
export type EngineName = (typeof ENGINES)[number];

/** Each looks for its programs and names what is not there. */
const FIND: Record<EngineName, () => string | undefined> = {
  chromium: findChromium,
  firefox: findFirefox,
  webkit: findWebKit,
};

const LAUNCH: Record<EngineName, (options: EngineOptions) => Promise<Engine>> = {
  chromium: launchChromium,
  firefox: launchFirefox,
  webkit: launchWebKit,
};

/**
 * Says why tests cannot run in an engine, as the reason to skip them.
 *
 * @returns What is not installed, with the name of its package; `undefined` if nothing is missing. With `CI=true` it is always
 *   `undefined`: {@link launch} then fails with that sentence, and so does the test.
 */
export function missing(engine: EngineName): string | undefined {
  return process.env["CI"] === "true" ? undefined : FIND[engine]();
}

/**
 * Starts an engine, without a window.
 *
 * It ends at {@link Engine.close}, and also when this process dies, in whatever way.
 *
 * @throws {Error} if it is not installed, or does not start.
 */
export async function launch(engine: EngineName, options: EngineOptions = {}): Promise<Engine> {
  const lack = FIND[engine]();
  if (lack !== undefined) throw new Error(`Cannot start ${engine}: ${lack}`);
  return LAUNCH[engine](options);
}
