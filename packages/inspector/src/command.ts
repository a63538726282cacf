import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { Command, InvalidArgumentError } from "commander";
import { serveInspector } from "./server.js";

interface Flags {
  readonly port: number;
  readonly open: boolean;
  readonly wait?: true;
}

const { version } = createRequire(import.meta.url)("dmabuf-inspector/package.json") as { version: string };

const WRONG_USAGE = 2;

/** `dmabuf-inspector [DOMAIN]`. */
export function inspectorProgram(): Command {
  return (
    new Command("dmabuf-inspector")
      .description(
        "Show a running domain in a page: its agents, streams and buffers, and who hands what to whom. " +
          "Nothing of the domain changes, and its programs may hang.",
      )
      .argument(
        "[domain]",
        'the number of one of its processes, the place at which it listens (a path, or "@" and a name), or the domain itself; ' +
          "without it, the only one of this machine",
      )
      .option("--port <number>", "port of the page on 127.0.0.1; 0 for a free one", portOf, 0)
      .option("--open", "open the page in the browser (default: on a terminal)")
      .option("--no-open", "only print the page's address")
      .option("--wait", "wait for a domain at that place, also after one has ended")
      .version(version)
      .showHelpAfterError("(--help tells the options)")
      // A wrong command line has a code of its own, as with all commands.
      .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE))
      .addHelpText("after", "\nThe page is for this user of this machine alone. Ctrl-C ends it.")
      .action(inspect)
  );
}

async function inspect(where: string | undefined, { port, open, wait }: Flags): Promise<void> {
  const ended = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map(async (name) => once(process, name)));
  await using inspector = await serveInspector({ ...(where !== undefined && { where }), port, wait: wait === true });
  console.log(`Inspector: ${inspector.url}`);
  if (open ?? process.stdout.isTTY) openInBrowser(inspector.url);
  await ended;
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("It must be a whole number from 0 to 65535.");
}

/** Where there is no browser, the address that was printed is enough. */
function openInBrowser(url: string): void {
  const browser = spawn("xdg-open", [url], { stdio: "ignore", detached: true });
  browser.on("error", () => {});
  browser.unref();
}
