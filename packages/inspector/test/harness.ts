/** What the tests of the inspector are made of: processes of a domain, an inspector of it, and a page in Chromium. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { after, afterEach } from "node:test";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { serveInspector, type Inspector, type InspectorOptions } from "dmabuf-inspector/server";

const EXECUTABLE = process.env["DMABUF_CHROMIUM"] ?? "/usr/bin/chromium";

/** A name of the web that leads to this machine. */
const FORGED = "--host-resolver-rules=MAP evil.example 127.0.0.1";

/** For tests that need Chromium: with `CI=true` it must be there. */
export const IN_BROWSER = {
  timeout: 240_000,
  skip: !existsSync(EXECUTABLE) && process.env["CI"] !== "true" ? `There is no ${EXECUTABLE}` : false,
};

/** How long to wait for what a page is to show, in milliseconds, also on a busy machine. */
export const PATIENCE = 60_000;

const PARTY = new URL("party.js", import.meta.url);
const children = new Set<ChildProcess>();
const closing: (() => Promise<void>)[] = [];
let browser: Promise<Browser> | undefined;
let places = 0;

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
after(async () => (await browser)?.close());

/** A name at which no other test listens. */
export function newPlace(): string {
  places++;
  return `@dmabuf-inspector-test-${process.pid}-${places}`;
}

/** Starts a process of `party.ts`, which is there when this resolves. */
export async function party(
  role:
    | "producer"
    | "consumer"
    | "copier"
    | "holder"
    | "gallery"
    | "crowd"
    | "churn"
    | "signaller"
    | "left"
    | "right"
    | "blender",
  place: string,
  name: string = role,
  environment: Readonly<Record<string, string>> = {},
) {
  const child = spawn(process.execPath, [PARTY.pathname, role, place, name], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  children.add(child);
  const ended = once(child, "exit");
  await Promise.race([
    once(child.stdout, "data"),
    ended.then(() => Promise.reject(new Error(`The ${role} ended before it was ready`))),
  ]);
  return {
    pid: child.pid ?? 0,
    kill: async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
      child.kill(signal);
      if (signal === "SIGKILL") await ended;
    },
  };
}

/** An inspector that is closed with the test. */
export async function inspect(options: InspectorOptions): Promise<Inspector> {
  const inspector = await serveInspector(options);
  closing.push(async () => inspector.close());
  return inspector;
}

/** A page of its own, whose errors fail the test. */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  browser ??= chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", FORGED],
  });
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  page.on("console", (message) => {
    // A frame that is refused is a finding of the page around it.
    if (/Content Security Policy(?!.*frame-ancestors)/.test(message.text())) errors.push(new Error(message.text()));
  });
  closing.push(async () => {
    await context.close();
    if (errors.length > 0) throw new AggregateError(errors, "The page had errors");
  });
  await page.goto(url);
  return page;
}
