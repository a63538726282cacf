import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, KeyInput, Page as FirefoxTab } from "puppeteer-core";
import puppeteer from "puppeteer-core";
import type { Engine, EngineOptions, EnginePage } from "./engine.js";
import { Page, keysOf, limited, tried } from "./page.js";
import type { Guard } from "./processes.js";
import { guard, which } from "./processes.js";

const EXECUTABLE = process.env["DMABUF_FIREFOX"] ?? which("firefox-esr") ?? "/usr/bin/firefox-esr";

/** It asks no other host for anything, and opens nothing by itself. */
const PREFERENCES = {
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.disable_open_during_load": false,
  "extensions.update.enabled": false,
  "media.gmp-manager.updateEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
};
/** A page behind another one goes on as it did: else its timers and animation frames wait for seconds. */
const ALL_IN_FRONT = {
  "dom.min_background_timeout_value": 4,
  "dom.timeout.enable_budget_timer_throttling": false,
  "layout.testing.top-level-always-active": true,
};
const GPU = { "dom.webgpu.enabled": true, "webgl.force-enabled": true };
const AUDIO = { "media.autoplay.default": 0 };
const CAMERA = { "media.navigator.streams.fake": true, "media.navigator.permission.disabled": true };

export function findFirefox(): string | undefined {
  if (existsSync(EXECUTABLE)) return undefined;
  return `no Firefox at ${EXECUTABLE}: Debian's package is firefox-esr, and DMABUF_FIREFOX names another one`;
}

export async function launchFirefox({ gpu, audio, camera }: EngineOptions): Promise<Engine> {
  const home = await mkdtemp(join(tmpdir(), "dmabuf-firefox-"));
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: EXECUTABLE,
    // The limits are those of Page.
    protocolTimeout: 0,
    userDataDir: join(home, "profile"),
    // Not the emulated 800 by 600.
    defaultViewport: { width: 1280, height: 720 },
    extraPrefsFirefox: {
      ...PREFERENCES,
      ...ALL_IN_FRONT,
      ...(gpu ? GPU : {}),
      ...(audio ? AUDIO : {}),
      ...(camera ? CAMERA : {}),
    },
    // A privileged page can then change what a user prefers.
    args: ["--remote-allow-system-access"],
    // Root has no sandbox there.
    env: { ...process.env, HOME: home, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
  });
  const pid = browser.process()?.pid;
  if (pid === undefined) throw new Error("Cannot start firefox: it has no process");
  return new Firefox(browser, guard(pid, home), (await browser.version()).replace(/^\w+\//, ""));
}

class Firefox implements Engine {
  readonly name = "firefox";
  readonly version: string;
  readonly #browser: Browser;
  readonly #guard: Guard;

  constructor(browser: Browser, keeper: Guard, version: string) {
    this.#browser = browser;
    this.#guard = keeper;
    this.version = version;
  }

  async open(): Promise<EnginePage> {
    // Of pages that come and go at the same time, Firefox may lose one before it is there.
    const page = await tried(async () => (await this.#browser.createBrowserContext()).newPage());
    return new FirefoxPage(page, (scheme) => this.#prefer(scheme));
  }

  /** Firefox has no command for it yet: a page of its own sets the preference, for all pages. */
  async #prefer(scheme: "light" | "dark"): Promise<void> {
    const page = await this.#browser.newPage();
    // Its load is not told.
    page.goto("about:config").catch(() => undefined);
    await limited("find the preferences", untilPrivileged(page));
    const value = scheme === "dark" ? 0 : 1;
    await page.evaluate(`Services.prefs.setIntPref("layout.css.prefers-color-scheme.content-override", ${value})`);
    await page.close();
  }

  async close(): Promise<void> {
    // It need not end well: its profile is thrown away.
    await this.#guard.kill();
    await this.#browser.close().catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function untilPrivileged(page: FirefoxTab): Promise<void> {
  while ((await page.evaluate("typeof Services")) !== "object") await sleep(20);
}

class FirefoxPage extends Page {
  readonly #page: FirefoxTab;
  readonly #prefer: (scheme: "light" | "dark") => Promise<void>;

  constructor(page: FirefoxTab, prefer: (scheme: "light" | "dark") => Promise<void>) {
    super();
    this.#page = page;
    this.#prefer = prefer;
    page.on("pageerror", (error) => {
      this.errors.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    page.on("console", (message) => {
      if (message.type() === "error") this.logged.push(message.text());
    });
  }

  protected run(script: string): Promise<string> {
    return this.#page.evaluate(script) as Promise<string>;
  }

  protected async load(url: string): Promise<void> {
    await this.#page.goto(url);
  }

  async click(selector: string): Promise<void> {
    await this.#page.click(selector);
  }

  async press(press: string): Promise<void> {
    const { held, key } = keysOf(press);
    for (const modifier of held) await this.#page.keyboard.down(modifier as KeyInput);
    await this.#page.keyboard.press(key as KeyInput);
    for (const modifier of held.reverse()) await this.#page.keyboard.up(modifier as KeyInput);
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#page.setViewport({ width, height });
  }

  async colorScheme(scheme: "light" | "dark"): Promise<void> {
    await this.#prefer(scheme);
  }

  async limitStorage(): Promise<void> {
    throw new Error("Cannot limit what a page stores: Firefox takes the limit from the disk");
  }

  async screenshot(path: string): Promise<void> {
    await this.#page.screenshot({ path: path });
  }

  async close(): Promise<void> {
    await this.#page.browserContext().close();
  }
}
