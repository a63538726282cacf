import { Argument, Option, type Command } from "commander";
import { DOMAIN_HELP, observeWanted } from "../domain/find-domain.js";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";
import { runBatch } from "../top/batch.js";
import { withSort } from "../top/keys.js";
import { FIRST_CHOICE, type Choice } from "../top/screen.js";
import { VIEWS } from "../top/views.js";
import { seconds } from "./options.js";

interface Flags {
  readonly json?: true;
  readonly interval: number;
  readonly limit: number;
  readonly batch?: true;
  readonly once?: true;
  readonly view?: string;
  readonly sort?: string;
  readonly filter?: string;
}

/** `dmabuf top [DOMAIN]`. */
export function addTop(program: Command): void {
  program
    .command("top")
    .description("show a domain live: buffers, streams, fences, agents, and what is stuck")
    .addArgument(new Argument("[domain]", DOMAIN_HELP))
    .addOption(seconds("-i, --interval <seconds>", "from one look to the next", 3_600).default(1))
    .option("-b, --batch", "plain lines again and again, as without a terminal")
    .option("-1, --once", "plain lines once")
    .addOption(
      new Option("--view <name>", "this table first; without a terminal this one alone").choices(
        VIEWS.map(({ name }) => name),
      ),
    )
    .option("--sort <column>", "the title of the column to sort by, with - before it for the largest first")
    .option("--filter <text>", "only rows with this text")
    .addOption(seconds("--limit <seconds>", "what is held up for longer is stuck", 1e6).default(10))
    .option("--json", "the sums as one JSON object on each line; with --once one object")
    .addHelpText(
      "after",
      "\nKeys: q or Ctrl-C quit; Tab, 1 to 4 view; Left, Right (< >) column to sort by; r reverse; / filter; Up, Down, PgUp, PgDn,\nHome, End (k j g G) scroll; Space pause.",
    )
    .action(top);
}

async function top(wanted: string | undefined, flags: Flags): Promise<void> {
  const choice = choiceOf(flags);
  using observer = observeWanted(wanted);
  const { limit, json = false, once = false, view } = flags;
  const options = { interval: flags.interval * 1_000, limit, choice };
  if (!json && !once && !flags.batch && process.stdout.isTTY && process.stdin.isTTY) {
    // There ink would draw nothing before the end; but a person looks at this terminal.
    for (const name of ["CI", "CONTINUOUS_INTEGRATION"]) delete process.env[name];
    // Only here: it takes longer to load than all the rest.
    const { runLive } = await import("../top/live.js");
    process.exitCode = await runLive(observer, options);
  } else {
    await runBatch(observer, { ...options, json, once, hasOneView: view !== undefined });
  }
}

function choiceOf({ view: name, sort, filter = "" }: Flags): Choice {
  const view = Math.max(
    0,
    VIEWS.findIndex((each) => each.name === name),
  );
  const choice = { ...FIRST_CHOICE, view, filter };
  if (sort === undefined) return choice;
  const { columns } = VIEWS[view]!;
  const title = sort.replace(/^-/, "").toUpperCase();
  const column = columns.findIndex((each) => each.title === title && title !== "");
  if (column >= 0) return withSort(choice, { column, descending: sort.startsWith("-") });
  const titles = columns.map((each) => each.title).filter((each) => each !== "");
  throw new CommandError(
    EXIT.USAGE,
    `The view ${VIEWS[view]!.name} has no column "${sort}": there are ${titles.join(", ")}`,
  );
}
