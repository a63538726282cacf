/** The page in an engine, driven as a person would. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Engine, EnginePage } from "dmabuf-browsers";
import type { servePage } from "../src/server.js";

/** How long to wait for what a page is to show, in milliseconds, also on a machine that is busy and slow. */
const PATIENCE = { timeout: 90_000 };

/** For tests that wait for several things. */
export const LONG = { timeout: 400_000 };

export const CLIP = fileURLToPath(import.meta.resolve("dmabuf-demo/assets/clip.mp4"));

/** What the page calls its workers that look at pictures. */
export const LANES = ["picture", "motion", "histogram"] as const;

export type Server = Awaited<ReturnType<typeof servePage>>;

/** Notes each state that a lane shows, and what its end looks like, since they may be gone before one looks. */
const NOTE_STATES = `(() => {
  const seen = (globalThis.seen = []);
  const note = ({ target }) => {
    const lane = target.closest?.("[data-lane]");
    if (lane == null) return;
    seen.push(lane.dataset.lane + " " + lane.dataset.state);
    const ended = lane.querySelector("[data-mark=ended]");
    if (ended !== null) seen.push(lane.dataset.lane + " " + ended.textContent.slice(0, 5));
  };
  const observer = new MutationObserver((changes) => changes.forEach(note));
  observer.observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] });
})()`;

/** A page of the demo, and what tests ask of it. */
export class Drive {
  readonly page: EnginePage;

  private constructor(page: EnginePage) {
    this.page = page;
  }

  /** Opens the page, and waits until its workers run. */
  static async open(engine: Engine, url: string): Promise<Drive> {
    const page = await engine.open();
    await page.goto(url);
    await untilThere(page, "crossOriginIsolated");
    const drive = new Drive(page);
    await drive.until(`document.querySelectorAll("[data-lane]").length >= ${LANES.length + 1}`);
    for (const role of ["source", ...LANES]) await drive.untilState(role, "running");
    await page.evaluate(NOTE_STATES);
    return drive;
  }

  /** Waits longer than a page of the engine would by itself. */
  async until<T>(script: string): Promise<T> {
    return this.page.until<T>(script, PATIENCE);
  }

  async untilState(role: string, state: string): Promise<void> {
    await this.until(`document.querySelector('[data-lane="${role}"]').dataset.state === "${state}"`);
  }

  /** Clicks on what is in sight: what lies under the header that stays cannot be clicked on. */
  async click(selector: string): Promise<void> {
    await this.page.evaluate(`document.querySelector(${JSON.stringify(selector)}).scrollIntoView({ block: "center" })`);
    await this.page.click(selector);
  }

  /** The text of an element; empty if it is not there. */
  async text(selector: string): Promise<string> {
    return this.page.evaluate<string>(textOf(selector));
  }

  /** Waits for an element's text, and gives it. */
  async untilText(selector: string, pattern: RegExp): Promise<string> {
    await this.until(`${String(pattern)}.test(${textOf(selector)})`);
    return this.text(selector);
  }

  /** Waits until every lane has looked at pictures within the last second, and the source has published more. */
  async untilAllPlay(): Promise<void> {
    for (const role of LANES) await this.untilPlays(role);
    const before = await this.published();
    await this.until(`(${PUBLISHED}) > ${before}`);
  }

  async untilPlays(role: string): Promise<void> {
    await this.until(`Number(${textOf(`[data-lane="${role}"] [data-mark="rate"]`)}) > 0`);
  }

  /** Frames of the stream that the page shows now. */
  async published(): Promise<number> {
    return this.page.evaluate<number>(PUBLISHED);
  }

  /** Waits until the page names these agents, and no others: it looks at the domain now and then. */
  async untilAgents(names: readonly string[]): Promise<void> {
    const wanted = [...names].sort().join();
    await this.until(`${textOf('[data-mark="agents"]')}.split(", ").sort().join() === "${wanted}"`);
  }

  /** Forgets the states that lanes have shown so far. */
  async forget(): Promise<void> {
    await this.page.evaluate("void (seen.length = 0)");
  }

  /** Waits until a lane has shown that its worker does not run: "killed" may be shorter than a picture of the screen. */
  async untilNotRunning(role: string): Promise<void> {
    await this.until(`seen.some((what) => /^${role} (killed|none|starting)$/.test(what))`);
  }

  /** Nothing has failed that nothing has caught, in all that this page has done. */
  async assertNoErrors(): Promise<void> {
    await this.page.evaluate("0");
    assert.deepEqual([...this.page.errors], []);
    assert.deepEqual([...this.page.logged], []);
  }
}

/** Waits for what a page shows that may load itself again before. */
export async function untilThere(page: EnginePage, script: string): Promise<void> {
  for (;;) {
    try {
      return void (await page.until(script, PATIENCE));
    } catch (error) {
      if (!/navigation|context/i.test(String(error))) throw error;
    }
  }
}

/** Frames of the stream that the page shows now. */
export const PUBLISHED = `Number((/([\\d,]+) frames published/.exec(${textOf('[data-mark="stream"]')})?.[1] ?? "0").replaceAll(",", ""))`;

function textOf(selector: string): string {
  return `(document.querySelector(${JSON.stringify(selector)})?.textContent ?? "")`;
}
