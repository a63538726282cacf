import { Command, Option } from "commander";
import { ENGINES, launch, missing, type Engine, type EngineName } from "dmabuf-browsers";
import { CLIP_PATH, servePages, type Pages } from "./pages.js";

/** What a page gives: milliseconds for one, of each round. */
type Rounds = Readonly<Record<string, readonly number[]>>;

interface Sound {
  readonly perSecond: number;
  readonly gaps: number;
  readonly errors: number;
}

const MEASURES = ["hand-off", "ends", "audio"] as const;
type Measure = (typeof MEASURES)[number];

interface Options {
  readonly quick?: true;
  readonly engines: readonly EngineName[];
  readonly only?: Measure;
}

/** Pictures of so many pixels, made of bytes; and those of a video as its decoder gives them. */
const PICTURES = [
  { title: "1280×720", width: 1280, height: 720 },
  { title: "1920×1080", width: 1920, height: 1080 },
  { title: "1280×720, decoded", width: 1280, height: 720, clip: CLIP_PATH },
];
const CONSUMERS = 3;
const PATIENCE = { timeout: 600_000 };

const program = new Command("npm run bench:web --")
  .description(
    "Measures the library in browsers beside what a page would do instead, in turn. Prints tables in Markdown.",
  )
  .option("--quick", "fewer rounds with fewer frames: a look, not a measurement")
  .addOption(new Option("--engines <names...>", "in which engines").choices(ENGINES).default([...ENGINES]))
  .addOption(new Option("--only <name>", "one measure").choices(MEASURES))
  .parse();

await main(program.opts<Options>());

async function main({ quick, engines, only }: Options): Promise<void> {
  await using pages = await servePages();
  const wanted = (measure: Measure): boolean => only === undefined || only === measure;
  for (const name of engines) {
    const reason = missing(name);
    if (reason !== undefined) {
      console.error(`Skipped: ${name}: ${reason}`);
      continue;
    }
    await using engine = await launch(name, { audio: true });
    console.log(`## ${name} ${engine.version}\n`);
    if (wanted("hand-off"))
      await handOff(engine, pages, quick ? { rounds: 2, frames: 30 } : { rounds: 7, frames: 120 });
    if (wanted("ends")) await ends(engine, pages, quick ? 2 : 7);
    if (wanted("audio")) await audio(engine, pages, quick ? 5 : 60);
  }
}

async function handOff(engine: Engine, pages: Pages, scale: { rounds: number; frames: number }): Promise<void> {
  console.log(`### One picture to ${CONSUMERS} consumers that read it\n`);
  const ways = ["stream", "stream, awaited", "VideoFrame.clone()", "postMessage"];
  console.log(row(["", ...ways, "clone() in stream", "postMessage in stream"]));
  console.log(rule(ways.length + 3));
  for (const { title, width, height, clip } of PICTURES) {
    const query = { consumers: CONSUMERS, width, height, ...scale, ...(clip === undefined ? {} : { clip }) };
    const found = await measured<Rounds>(engine, pages.at("hand-off", query));
    if (typeof found === "string") console.log(row([title, found]));
    else {
      const times = ways.map((way) => median(found[way]!));
      const ratio = (way: string): string =>
        `${median(found[way]!.map((ms, at) => ms / found["stream"]![at]!)).toFixed(2)} ×`;
      console.log(
        row([title, ...times.map((ms) => `${ms.toFixed(2)} ms`), ratio("VideoFrame.clone()"), ratio("postMessage")]),
      );
    }
  }
  console.log();
}

async function ends(engine: Engine, pages: Pages, rounds: number): Promise<void> {
  console.log("### Until the end of a worker is noticed\n");
  const found = await measured<Rounds>(engine, pages.at("ends", { rounds }));
  if (typeof found === "string") return console.log(`${found}\n`);
  console.log(row(["", "median", "slowest"]));
  console.log(rule(3));
  for (const [name, times] of Object.entries(found)) {
    console.log(row([name, `${median(times).toFixed(0)} ms`, `${Math.max(...times).toFixed(0)} ms`]));
  }
  console.log();
}

async function audio(engine: Engine, pages: Pages, seconds: number): Promise<void> {
  console.log(`### Sound in an AudioWorklet, for ${seconds} s\n`);
  const found = await measured<Sound>(engine, pages.at("audio", { seconds }));
  if (typeof found === "string") return console.log(`${found}\n`);
  const { perSecond, gaps, errors } = found;
  console.log(`${perSecond.toFixed(1)} quanta a second, ${gaps} without sound, ${errors} exceptions\n`);
}

/** @returns What the page has found, or why it has found nothing. */
async function measured<Found>(engine: Engine, address: string): Promise<Found | string> {
  const page = await engine.open();
  try {
    await page.goto(address);
    return await page.until<Found | string>("globalThis.measured", PATIENCE);
  } finally {
    await page.close();
  }
}

function median(times: readonly number[]): number {
  return [...times].sort((one, other) => one - other)[times.length >> 1]!;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function rule(columns: number): string {
  return `|---${"|---:".repeat(columns - 1)}|`;
}
