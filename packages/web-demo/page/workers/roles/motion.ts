import type { Frame, FrameFormat, ModuleWindow } from "dmabuf";
import type { LaneReport, PostedFrame } from "../../shared/messages.js";
import withSimd from "../generated/motion-simd.wasm?url";
import withoutSimd from "../generated/motion.wasm?url";
import { Lane, type LaneWork, type SharedFeed } from "../lane.js";
import { reporter, type RoleContext } from "../role.js";

/** How much each picture differs from the one before, by a WebAssembly module that reads both where they are. */
export async function run(context: RoleContext): Promise<void> {
  const report = reporter<LaneReport>(context);
  const { module, simd } = await compiled();
  new Lane(context, new Motion(module, context.domain, (way) => report({ kind: "how", ...saying(way, simd) })));
}

type Way = ModuleWindow["way"] | "posted";

function saying(way: Way, simd: boolean): { how: string; missing?: string } {
  const kind = simd ? "WebAssembly SIMD" : "WebAssembly";
  const hows: Readonly<Record<Way, string>> = {
    "in place": `${kind}, in place: the frames lie in the module's own memory`,
    mapped: `${kind}, in place: the frames are mapped into the module's memory`,
    copied: `${kind}; each frame is copied into the module's memory, since this stream is not made there`,
    posted: `${kind}; each posted copy is copied once more, into the module's memory`,
  };
  return { how: hows[way], ...(!simd && { missing: "This engine has no SIMD: the plain build of the module runs." }) };
}

/** The build with SIMD where the engine takes it. */
async function compiled(): Promise<{ module: WebAssembly.Module; simd: boolean }> {
  const bytesAt = async (url: string): Promise<ArrayBuffer> => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`The server has no ${url}: ${response.status}`);
    return response.arrayBuffer();
  };
  const bytes = await bytesAt(withSimd);
  if (WebAssembly.validate(bytes)) return { module: await WebAssembly.compile(bytes), simd: true };
  return { module: await WebAssembly.compile(await bytesAt(withoutSimd)), simd: false };
}

type Difference = (a: number, b: number, length: number) => number;

/** Bytes of a page of WebAssembly's memory. */
const PAGE = 65_536;

class Motion implements LaneWork {
  readonly #module: WebAssembly.Module;
  readonly #domain: RoleContext["domain"];
  readonly #says: (way: Way) => void;
  #difference!: Difference;
  #memory!: WebAssembly.Memory;
  #format!: FrameFormat;
  #window: ModuleWindow | undefined;
  /** Where the picture before is: a frame that is kept until the next one is compared. */
  #before: Frame | undefined;
  /** Where posted pictures are put, by turns. */
  #rooms: [number, number] = [0, 0];
  #turn = 0;
  #values: number[] = [];

  constructor(module: WebAssembly.Module, domain: RoleContext["domain"], says: (way: Way) => void) {
    this.#module = module;
    this.#domain = domain;
    this.#says = says;
  }

  begin(format: FrameFormat, feed: SharedFeed | undefined): void {
    this.#format = format;
    this.#turn = 0;
    this.#memory = feed?.memory ?? new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true });
    const { exports } = new WebAssembly.Instance(this.#module, { env: { memory: this.#memory } });
    this.#difference = exports["difference"] as Difference;
    if (feed === undefined) {
      const pages = Math.ceil(format.size / PAGE);
      const at = (): number => this.#memory.grow(pages) * PAGE;
      this.#rooms = [at(), at()];
      return this.#says("posted");
    }
    this.#window = this.#domain.createModuleWindow(this.#memory, feed.stream);
    this.#says(this.#window.way);
  }

  shared(frame: Frame): void {
    const window = this.#window!;
    if (this.#before !== undefined) this.#compare(window.pointerTo(this.#before), window.pointerTo(frame));
    this.#before?.close();
    this.#before = frame;
  }

  posted({ bytes }: PostedFrame): void {
    const to = this.#rooms[this.#turn % 2]!;
    new Uint8Array(this.#memory.buffer, to, bytes.length).set(bytes);
    if (this.#turn > 0) this.#compare(this.#rooms[(this.#turn + 1) % 2]!, to);
    this.#turn++;
  }

  values(): readonly number[] {
    const values = this.#values;
    this.#values = [];
    return values;
  }

  end(): void {
    this.#before?.close();
    this.#before = undefined;
    this.#window?.close();
    this.#window = undefined;
  }

  /** The first plane says it: that of luma, or all there is. */
  #compare(a: number, b: number): void {
    const { offset, stride, height } = this.#format.planes[0];
    const bytes = stride * height;
    this.#values.push(this.#difference(a + offset, b + offset, bytes) / bytes);
  }
}
