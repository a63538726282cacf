import { signal } from "@preact/signals";
import type { StreamHandleData } from "dmabuf";
import { connectWorklet, type WorkletLink } from "dmabuf/web";
import type { ToneReport } from "../shared/messages.js";
import levelUrl from "../worklet/level.ts?worker&url";
import type { LevelOrder, LevelReport } from "../worklet/messages.js";
import { Rate } from "./lanes.js";
import { Member } from "./member.js";
import { clear, sayError } from "./troubles.js";
import { able, domain } from "./world.js";

export type SoundState = "none" | "starting" | "running" | "stopping";

export const soundState = signal<SoundState>("none");
export const isHeard = signal(false);

export interface SoundView {
  /** Of the loudest sample since the last look, from 0 to 1, of each channel. */
  readonly levels: readonly number[];
  /** Quanta of 128 samples that were played, a second. */
  readonly rate: number;
  /** Quanta for which there was no sound. */
  readonly underruns: number;
  readonly hasEnded: boolean;
}

const SILENCE: SoundView = { levels: [0, 0], rate: 0, underruns: 0, hasEnded: false };
export const sound = signal<SoundView>(SILENCE);

interface Output {
  readonly context: AudioContext;
  readonly gain: GainNode;
  readonly node: AudioWorkletNode;
  readonly link: WorkletLink;
}

let output: Output | undefined;
let handle: StreamHandleData | undefined;
const rate = new Rate();

export const tone = new Member<ToneReport>("tone", {
  onReport: (report) => {
    handle = report.handle;
    if (output === undefined) void connect();
    else output.node.port.postMessage({ handle } satisfies LevelOrder);
  },
  onJoined: () => {},
  onFailed: (error) => sayError("sound", error),
});

let context: AudioContext | undefined;

/** Browsers want a click before they play anything: so this is called by one. */
export function startSound(): void {
  clear("sound");
  const { has, reason, remedy } = able.audioWorklet;
  if (!has) return sayError("sound", new Error(reason ?? "There is no AudioWorklet here."), remedy);
  try {
    context = new AudioContext({ sampleRate: 48_000 });
    void context.resume();
  } catch (error) {
    return sayError("sound", error, "A browser without a sound device may have no output to play on.");
  }
  soundState.value = "starting";
  void tone.start();
}

/** Closes the output. The end of its worklet no system tells: the link gives back what it held. */
export async function stopSound(): Promise<void> {
  const ending = output;
  soundState.value = "stopping";
  tone.stop();
  await (ending?.context ?? context)?.close();
  await ending?.link.ended;
  [output, context] = [undefined, undefined];
  sound.value = SILENCE;
  rate.restart();
  soundState.value = "none";
}

export function setHeard(heard: boolean): void {
  isHeard.value = heard;
  if (output !== undefined) output.gain.gain.value = volume();
}

function volume(): number {
  return isHeard.peek() ? 0.2 : 0;
}

async function connect(): Promise<void> {
  if (context === undefined) return;
  try {
    await context.audioWorklet.addModule(levelUrl);
    const node = new AudioWorkletNode(context, "level", { numberOfInputs: 0, outputChannelCount: [2] });
    const gain = new GainNode(context, { gain: volume() });
    node.connect(gain).connect(context.destination);
    const link = await connectWorklet(domain(), node, { name: "level", data: { handle } });
    node.port.addEventListener("message", ({ data }: MessageEvent<LevelReport>) => take(data));
    node.port.start();
    output = { context, gain, node, link };
    soundState.value = "running";
    setTimeout(lookForSilence, PATIENCE, context);
  } catch (error) {
    sayError("sound", error, "The pictures' lanes run on.");
    await stopSound();
  }
}

/** Milliseconds for an output to begin. */
const PATIENCE = 3000;

/** Where there is no sound device, some browsers say nothing, and play nothing. */
function lookForSilence(looked: AudioContext): void {
  if (output?.context !== looked || sound.peek().rate > 0) return;
  sayError(
    "sound",
    new Error("The browser plays nothing."),
    "This machine may have no sound device. The other lanes run on.",
  );
}

function take({ levels, quanta, underruns, hasEnded }: LevelReport): void {
  if (levels === undefined) return;
  sound.value = { levels, rate: rate.add(quanta), underruns, hasEnded };
}
