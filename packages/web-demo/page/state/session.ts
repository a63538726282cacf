import { signal } from "@preact/signals";
import type { FrameStream, StreamHandleData } from "dmabuf";
import {
  LANE_ROLES,
  type About,
  type Choice,
  type HandOver,
  type LaneOrder,
  type LaneReport,
  type LaneRole,
  type Pace,
  type SourceOrder,
  type SourceReport,
} from "../shared/messages.js";
import { Brake } from "../workers/sources/brake.js";
import { Copier } from "../workers/sources/copier.js";
import { restartLane, takeReport } from "./lanes.js";
import { Member } from "./member.js";
import { clear, say, sayError } from "./troubles.js";
import { domain } from "./world.js";

/** Who plays what: the source, the stream that it fills, and the lanes that look at it. */

export const choice = signal<Choice>({ kind: "clip" });
export const isPlaying = signal(false);
export const pace = signal<Pace>("recorded");
export const handOver = signal<HandOver>("shared");

/** The stream that the lanes look at. */
export interface Feed {
  readonly stream: FrameStream;
  /** Of WebAssembly modules that share its frames. */
  readonly memory: WebAssembly.Memory;
  readonly about: About;
}

export const feed = signal<Feed | undefined>(undefined);

/** Told when the frames of one stream, or one way of handing them over, have ended, and others begin. */
export const feedChanges = new EventTarget();

/** Frames in a memory of this size at most, in pages of 64 KiB: 1 GiB. */
const MOST_PAGES = 16_384;

let memory: WebAssembly.Memory | undefined;
/** For streams that the page itself makes: those of the camera. */
const ownCopier = new Copier((error) => sayError("camera", error));
let isOwn = false;
let ownBrake: Brake | undefined;

export const source = new Member<SourceReport>("source", {
  onReport: (report) => {
    if (report.kind === "stream") take(report.handle, report.about);
    else if (report.kind === "trouble") say("source", report.trouble);
    else feedChanges.dispatchEvent(new Event("switched"));
  },
  onJoined: () => {
    memory = newMemory();
    tellSource();
    tellRunning();
  },
  onFailed: (error) => sayError("source", error, "Choose another source, or load the page again."),
});

/** What the picture is drawn on: the page's element gives it anew for each worker. */
let canvas: OffscreenCanvas | undefined;

export const members: Readonly<Record<LaneRole, Member<LaneReport>>> = {
  picture: laneMember("picture"),
  motion: laneMember("motion"),
  histogram: laneMember("histogram"),
};

function laneMember(role: LaneRole): Member<LaneReport> {
  return new Member<LaneReport>(role, {
    onReport: (report) => {
      takeReport(role, report);
      if (report.kind === "trouble") say(role, report.trouble);
    },
    onJoined: () => {
      clear(role);
      // Copies go to all lanes or to none.
      if (handOver.peek() === "copies") feedLanes();
      else feedLane(role);
    },
    onFailed: (error) => sayError(role, error, "The other lanes run on."),
    ...(role === "picture" && {
      withStart: () => {
        const given = canvas;
        canvas = undefined;
        return given === undefined ? {} : { canvas: given };
      },
    }),
  });
}

/** Starts every worker but the picture's, which begins with its canvas. */
export function begin(): void {
  for (const member of [source, members.motion, members.histogram]) void member.start();
}

export function beginPicture(on: OffscreenCanvas | undefined): void {
  canvas = on;
  void members.picture.start();
}

export function setPlaying(playing: boolean): void {
  isPlaying.value = playing;
  tellRunning();
}

export function setPace(to: Pace): void {
  pace.value = to;
  tellRunning();
}

/** Another source. It plays at once. */
export function choose(next: Choice): void {
  clear("source");
  endOwn();
  choice.value = next;
  tellSource();
  setPlaying(true);
}

export function setHandOver(to: HandOver): void {
  if (handOver.peek() === to) return;
  handOver.value = to;
  feedLanes();
}

/** A stream that the page itself makes, in place of what the source makes. */
export function useOwn(stream: FrameStream, of: WebAssembly.Memory, about: About): void {
  isOwn = true;
  setFeed({ stream, memory: of, about });
  ownCopier.follow(stream);
  ownBrake = new Brake(stream);
  ownBrake.set(!isPlaying.peek());
}

function endOwn(): void {
  if (!isOwn) return;
  isOwn = false;
  ownBrake = undefined;
  ownCopier.setPorts([]);
  feedChanges.dispatchEvent(new Event("own-ended"));
}

function take(handle: StreamHandleData, about: About): void {
  const stream = domain().import(handle);
  if (isOwn || memory === undefined) return stream.close();
  setFeed({ stream, memory, about });
}

function setFeed(next: Feed): void {
  const before = feed.peek();
  feed.value = next;
  feedChanges.dispatchEvent(new Event("stream"));
  if (before !== undefined && before.stream !== next.stream) before.stream.close();
  feedLanes();
}

/** Names the stream to every lane, or gives each a line of copies. */
function feedLanes(): void {
  const current = feed.peek();
  if (current === undefined) return;
  if (handOver.peek() === "shared") {
    toCopier([]);
    for (const role of LANE_ROLES) feedLane(role);
    return;
  }
  const { format } = current.stream;
  const ports = LANE_ROLES.filter((role) => members[role].isRunning).map((role) => {
    const { port1, port2 } = new MessageChannel();
    restartLane(role);
    tell(members[role], { kind: "copies", port: port1, format }, [port1]);
    return port2;
  });
  toCopier(ports);
}

function feedLane(role: LaneRole): void {
  const current = feed.peek();
  if (current === undefined || !members[role].isRunning) return;
  restartLane(role);
  const { stream, memory } = current;
  if (stream.isClosed) return;
  tell(members[role], { kind: "stream", handle: stream.handle(), memory });
}

function toCopier(ports: readonly MessagePort[]): void {
  if (isOwn) ownCopier.setPorts(ports);
  tell(source, { kind: "copies", ports: isOwn ? [] : ports }, isOwn ? [] : [...ports]);
}

function tellSource(): void {
  if (memory !== undefined) tell(source, { kind: "play", choice: choice.peek(), memory });
}

function tellRunning(): void {
  ownBrake?.set(!isPlaying.peek());
  tell(source, { kind: "running", isRunning: isPlaying.peek(), pace: pace.peek() });
}

function tell(member: Pick<Member, "order">, order: SourceOrder | LaneOrder, transfer: Transferable[] = []): void {
  member.order(order, transfer);
}

/** Shared, so that streams can lie in it, and modules of all workers see them. */
export function newMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
}
