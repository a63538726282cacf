import { existsSync } from "node:fs";
import process from "node:process";
import type { Browser, CDPSession, Page as ChromiumTab } from "playwright-core";
import { chromium } from "playwright-core";
import type { Engine, EngineOptions, EnginePage } from "./engine.js";
import { Page } from "./page.js";

const EXECUTABLE = process.env["DMABUF_CHROMIUM"] ?? "/usr/bin/chromium";

const FLAGS = [
  "--no-sandbox",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** SwiftShader computes on the processor what a graphics card would. */
const GPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
];
const NO_GPU = ["--disable-gpu"];
const AUDIO = ["--autoplay-policy=no-user-gesture-required"];
const CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

export function findChromium(): string | undefined {
  if (existsSync(EXECUTABLE)) return undefined;
  return `no Chromium at ${EXECUTABLE}: Debian's package is chromium, and DMABUF_CHROMIUM names another one`;
}

/** Chromium ends with this process by itself: playwright-core talks to it through a pipe. */
export async function launchChromium({ gpu, audio, camera }: EngineOptions): Promise<Engine> {
  const args = [...FLAGS, ...(gpu ? GPU : NO_GPU), ...(audio ? AUDIO : []), ...(camera ? CAMERA : [])];
  return new Chromium(await chromium.launch({ executablePath: EXECUTABLE, args }));
}

class Chromium implements Engine {
  readonly name = "chromium";
  readonly version: string;
  readonly #browser: Browser;

  constructor(browser: Browser) {
    this.#browser = browser;
    this.version = browser.version();
  }

  async open(): Promise<EnginePage> {
    return new ChromiumPage(await this.#browser.newPage());
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

class ChromiumPage extends Page {
  readonly #page: ChromiumTab;
  #session: CDPSession | undefined;

  constructor(page: ChromiumTab) {
    super();
    this.#page = page;
    page.on("pageerror", (error) => this.errors.push(error.stack ?? error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.logged.push(`${message.text()} (${message.location().url})`);
    });
    page.on("crash", () => this.errors.push("the page crashed"));
  }

  protected run(script: string): Promise<string> {
    return this.#page.evaluate<string>(script);
  }

  protected async load(url: string): Promise<void> {
    await this.#page.goto(url);
  }

  async click(selector: string): Promise<void> {
    await this.#page.click(selector);
  }

  async press(key: string): Promise<void> {
    await this.#page.keyboard.press(key);
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#page.setViewportSize({ width, height });
  }

  async colorScheme(colorScheme: "light" | "dark"): Promise<void> {
    await this.#page.emulateMedia({ colorScheme });
  }

  async limitStorage(quotaSize: number): Promise<void> {
    // The limit ends with this session.
    this.#session ??= await this.#page.context().newCDPSession(this.#page);
    const { origin } = new URL(this.#page.url());
    await this.#session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
  }

  async screenshot(path: string): Promise<void> {
    await this.#page.screenshot({ path });
  }

  async close(): Promise<void> {
    await this.#page.close();
  }
}
