/**
 * WebKitGTK, by Debian's WebKitWebDriver, on a display of its own.
 *
 * A driver has one session, and a page that hangs answers nothing more: so each page has a driver and a browser of its own.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "webdriver";
import type { Engine, EngineOptions, EnginePage } from "./engine.js";
import { LONGEST_COMMAND, Page, keysOf, limited, tried } from "./page.js";
import type { Guard } from "./processes.js";
import { guard, which } from "./processes.js";

const DRIVER = which("WebKitWebDriver");
const DISPLAY = which("Xvfb");
const BROWSER = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/libexec", "/usr/lib"]
  .map((folder) => `${folder}/webkit2gtk-4.1/MiniBrowser`)
  .find((path) => existsSync(path));

/** What Safari has, and WebKitGTK only when it is asked to. */
const FEATURES = ["AccessHandle", "FileSystem", "StorageAPI"];

const ARGUMENTS = ["--automation", `--features=${FEATURES.map((name) => `+${name}`).join(",")}`];
const NO_GPU = ["--enable-webgl=false"];
const GPU = ["--enable-webgl=true"];
const AUDIO = ["--autoplay-policy=allow", "--media-playback-requires-user-gesture=false"];
const CAMERA = ["--enable-media-stream=true", "--enable-mock-capture-devices=true"];

/** The driver's own limit, in milliseconds; {@link Page} has another one for each script. */
const LONGEST_SCRIPT = 600_000;

/** The display: large enough for every test's page. */
const SCREEN = "1920x1200x24";

/** Collects in the page what nothing has caught: WebDriver does not tell it. */
const COLLECT = `(() => {
  const [errors, logged] = (globalThis[Symbol.for("dmabuf-browsers errors")] = [[], []]);
  const text = (error) => error instanceof Error ? error + " " + error.stack : String(error);
  addEventListener("error", ({ error, message }) => errors.push(error === null ? message : text(error)));
  addEventListener("unhandledrejection", ({ reason }) => errors.push(text(reason)));
  const { error } = console;
  console.error = (...all) => {
    logged.push(all.map(text).join(" "));
    error.apply(console, all);
  };
})()`;
const TAKE = `globalThis[Symbol.for("dmabuf-browsers errors")]?.map((list) => list.splice(0)) ?? [[], []]`;

/** WebDriver's names of keys that write nothing. */
const KEYS: Record<string, string> = {
  Backspace: "\uE003",
  Tab: "\uE004",
  Enter: "\uE007",
  Shift: "\uE008",
  Control: "\uE009",
  Alt: "\uE00A",
  Escape: "\uE00C",
  PageUp: "\uE00E",
  PageDown: "\uE00F",
  End: "\uE010",
  Home: "\uE011",
  ArrowLeft: "\uE012",
  ArrowUp: "\uE013",
  ArrowRight: "\uE014",
  ArrowDown: "\uE015",
  Delete: "\uE017",
  Meta: "\uE03D",
};

export function findWebKit(): string | undefined {
  if (DRIVER === undefined || BROWSER === undefined) return "no WebKitWebDriver: Debian's package is webkit2gtk-driver";
  if (DISPLAY === undefined) return "no Xvfb, which WebKitGTK needs: Debian's package is xvfb";
  return undefined;
}

export async function launchWebKit({ gpu, audio, camera }: EngineOptions): Promise<Engine> {
  const home = await mkdtemp(join(tmpdir(), "dmabuf-webkit-"));
  const args = ["-screen", "0", SCREEN, "-nolisten", "tcp", "-displayfd", "3"];
  const server = spawn(DISPLAY ?? "", args, { detached: true, stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const keeper = guard(await started(server), home);
  const options = [...ARGUMENTS, ...(gpu ? GPU : NO_GPU), ...(audio ? AUDIO : []), ...(camera ? CAMERA : [])];
  try {
    const [number] = (await limited("start Xvfb", once(server.stdio[3] as Readable, "data"))) as [Buffer];
    const engine = new WebKit({ home, display: `:${String(number).trim()}`, options }, keeper);
    await engine.begin();
    return engine;
  } catch (error) {
    await keeper.kill();
    throw error;
  }
}

/** What the pages of one engine share. */
interface Place {
  readonly home: string;
  readonly display: string;
  readonly options: readonly string[];
}

class WebKit implements Engine {
  readonly name = "webkit";
  version = "";
  readonly #place: Place;
  readonly #display: Guard;
  readonly #pages = new Set<WebKitPage>();
  /** The first page is open already: a browser had to be started to know its version. */
  #first: WebKitPage | undefined;

  constructor(place: Place, display: Guard) {
    this.#place = place;
    this.#display = display;
  }

  async begin(): Promise<void> {
    this.#first = await this.#start();
    this.version = this.#first.version;
  }

  async open(): Promise<EnginePage> {
    const page = this.#first ?? (await this.#start());
    this.#first = undefined;
    return page;
  }

  async #start(): Promise<WebKitPage> {
    const page = await tried(() => startPage(this.#place, () => void this.#pages.delete(page)));
    this.#pages.add(page);
    return page;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pages].map((page) => page.close()));
    await this.#display.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Starts a driver, and by it a browser. */
async function startPage({ home, display, options }: Place, onClose: () => void): Promise<WebKitPage> {
  const port = await freePort();
  const driver = spawn(DRIVER ?? "", [`--port=${port}`], {
    detached: true,
    stdio: "ignore",
    env: {
      ...process.env,
      HOME: home,
      XDG_RUNTIME_DIR: home,
      DISPLAY: display,
      // Pages have shared memory, and no sandbox, which root cannot make.
      JSC_useSharedArrayBuffer: "1",
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
      LIBGL_ALWAYS_SOFTWARE: "1",
    },
  });
  const keeper = guard(await started(driver));
  try {
    await listening(driver, port);
    const WebDriver = await webdriver();
    const client = await WebDriver.newSession({
      hostname: "127.0.0.1",
      port,
      logLevel: "silent",
      connectionRetryTimeout: LONGEST_SCRIPT,
      connectionRetryCount: 0,
      capabilities: {
        browserName: "MiniBrowser",
        "wdio:enforceWebDriverClassic": true,
        "webkitgtk:browserOptions": { binary: BROWSER, args: [...options] },
      } as WebdriverIO.Capabilities,
    });
    await client.setTimeouts(LONGEST_COMMAND, LONGEST_COMMAND, LONGEST_SCRIPT);
    return new WebKitPage(client, keeper, onClose);
  } catch (error) {
    await keeper.kill();
    throw error;
  }
}

class WebKitPage extends Page {
  readonly version: string;
  readonly #client: Client;
  readonly #guard: Guard;
  readonly #onClose: () => void;
  #isClosed = false;

  constructor(client: Client, keeper: Guard, onClose: () => void) {
    super();
    this.#client = client;
    this.#guard = keeper;
    this.#onClose = onClose;
    this.version = client.capabilities.browserVersion ?? "";
  }

  protected async run(script: string): Promise<string> {
    const both = `(${script}).then((answer) => arguments[0]([answer, ${TAKE}]))`;
    const [answer, [errors, logged]] = (await this.#client.executeAsyncScript(both, [])) as [
      string,
      [string[], string[]],
    ];
    this.errors.push(...errors);
    this.logged.push(...logged);
    return answer;
  }

  protected async load(url: string): Promise<void> {
    await this.#client.navigateTo(url);
    await this.#client.executeScript(COLLECT, []);
  }

  async click(selector: string): Promise<void> {
    await this.#client.elementClick(await this.#find(selector));
  }

  async #find(selector: string): Promise<string> {
    const found = await this.#client.findElement("css selector", selector);
    const id = Object.values(found)[0];
    if (id === undefined) throw new Error(`No element ${selector}`);
    return id;
  }

  async press(press: string): Promise<void> {
    const { held, key } = keysOf(press);
    // Its display has a key of its own for that, which the driver does not know.
    if (press === "Shift+Tab") throw new Error("Cannot press Shift+Tab: WebKitWebDriver presses another key");
    const keys = [...held, key].map((name) => KEYS[name] ?? name);
    const actions = [
      ...keys.map((value) => ({ type: "keyDown", value })),
      ...keys.reverse().map((value) => ({ type: "keyUp", value })),
    ];
    await this.#client.performActions([{ type: "key", id: "keyboard", actions }]);
  }

  async resize(width: number, height: number): Promise<void> {
    // The window is larger than the page: by how much shows only afterwards.
    const size = "({ width: innerWidth, height: innerHeight })";
    for (let attempt = 0; attempt < 20; attempt++) {
      const inner = await this.evaluate<{ width: number; height: number }>(size);
      if (inner.width === width && inner.height === height) return;
      const outer = await this.#client.getWindowRect();
      const [wider, higher] = [width - inner.width, height - inner.height];
      await this.#client.setWindowRect(null, null, outer.width + wider, outer.height + higher);
      await sleep(50);
    }
    throw new Error(`Cannot make the page ${width} by ${height}: the window did not become as large`);
  }

  async colorScheme(): Promise<void> {
    throw new Error("Cannot choose a color scheme: WebKitGTK takes it from the desktop's theme");
  }

  async limitStorage(): Promise<void> {
    throw new Error("Cannot limit what a page stores: WebKitGTK takes the limit from the disk");
  }

  async screenshot(path: string): Promise<void> {
    await writeFile(path, Buffer.from(await this.#client.takeScreenshot(), "base64"));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
    await this.#guard.kill();
  }
}

/** The package looks once, when it is loaded, how much it is to tell. */
async function webdriver() {
  process.env["WDIO_LOG_LEVEL"] ??= "silent";
  const { default: WebDriver } = await import("webdriver");
  return WebDriver;
}

/** The number of a process that has started. */
async function started(child: ChildProcess): Promise<number> {
  if (child.pid === undefined) await once(child, "spawn");
  return child.pid as number;
}

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until the driver answers. */
async function listening(driver: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (driver.exitCode !== null) throw new Error(`Cannot start webkit: its driver ended with ${driver.exitCode}`);
    const response = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined);
    if (response?.ok) return;
    await sleep(50);
  }
  throw new Error("Cannot start webkit: its driver does not answer");
}
