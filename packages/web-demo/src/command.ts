import { spawn } from "node:child_process";
import { once } from "node:events";
import { Command, InvalidArgumentError, Option } from "commander";
import { ISOLATIONS, type Isolation } from "./isolation.js";
import { servePage } from "./server.js";

interface Flags {
  readonly port: number;
  readonly open?: true;
  readonly isolation: Isolation;
}

const WRONG_USAGE = 2;

/** `npm run demo:web -- [options]`. */
export function demoProgram(): Command {
  return new Command("demo:web")
    .description(
      "Serve the page that shows dmabuf in a browser: one video, decoded once, for every worker that looks at it.",
    )
    .option("--port <number>", "port of the page on 127.0.0.1; 0 for a free one", portOf, 0)
    .option("--open", "open the page in the browser")
    .addOption(
      new Option(
        "--isolation <way>",
        "how the page becomes cross-origin isolated: by the headers COOP and COEP, by Document-Isolation-Policy alone " +
          "(Chromium), by a service worker as for hosts that send no headers, or not at all, to see what the page says",
      )
        .choices(ISOLATIONS)
        .default("coop" satisfies Isolation),
    )
    .showHelpAfterError("(--help tells the options)")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE))
    .addHelpText("after", "\nThe page is for this machine alone. Ctrl-C ends it.")
    .action(serve);
}

async function serve({ port, open, isolation }: Flags): Promise<void> {
  const ended = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map(async (name) => once(process, name)));
  await using server = await servePage({ port, isolation });
  console.log(`The page: ${server.url}`);
  if (open === true) openInBrowser(server.url);
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
