import type { Activity } from "../domain/activity.js";
import { bufferText } from "../domain/buffer-name.js";
import { keyOrigin, type Origin } from "../domain/fence-slot.js";
import { isIndex, STREAM, USER_FENCE, type Segment } from "../domain/layout.js";
import { readName } from "../domain/text.js";
import type { FenceKey } from "../domain/timeline-slot.js";

/** Something that agents may wait for, by its place in the segment. */
export type Thing =
  | { readonly kind: "fence"; readonly key: FenceKey }
  | { readonly kind: "user-fence"; readonly slot: number; readonly generation: number }
  /** A fence of one agent alone. */
  | { readonly kind: "own-fence"; readonly name: string }
  /** A hold of a buffer; its lock; all that anyone does with it. */
  | { readonly kind: "read" | "write" | "lock" | "buffer"; readonly slot: number }
  /** A place that the producer may fill; a frame to take; consumers that join. */
  | { readonly kind: "loan" | "frame"; readonly slot: number; readonly generation: number }
  | { readonly kind: "consumers"; readonly slot: number; readonly generation: number; readonly count: number }
  /** What an exporter was asked for. */
  | { readonly kind: "answer"; readonly slot: number; readonly generation: number };

/** What an agent waits for by what it says; nothing for a hold, or what cannot be. */
export function awaitedThing({ sizes, fenceSlots }: Segment["layout"], activity: Activity): Thing | undefined {
  const { does, slot, generation = 0, number = 0 } = activity;
  switch (does) {
    case "awaits-fence":
      return isIndex(slot, fenceSlots) ? { kind: "fence", key: { slot, generation, sequence: number } } : undefined;
    case "awaits-user-fence":
      return isIndex(slot, sizes.userFences) ? { kind: "user-fence", slot, generation } : undefined;
    case "awaits-read":
    case "awaits-write":
    case "awaits-lock":
      return isIndex(slot, sizes.buffers) ? { kind: KINDS[does], slot } : undefined;
    case "awaits-loan":
    case "awaits-frame":
      return isIndex(slot, sizes.streams) ? { kind: KINDS[does], slot, generation } : undefined;
    case "awaits-consumers":
      return isIndex(slot, sizes.streams) ? { kind: "consumers", slot, generation, count: number } : undefined;
    case "awaits-answer":
      return isIndex(slot, sizes.requests) ? { kind: "answer", slot, generation } : undefined;
    default:
      return undefined;
  }
}

const KINDS = {
  "awaits-read": "read",
  "awaits-write": "write",
  "awaits-lock": "lock",
  "awaits-loan": "loan",
  "awaits-frame": "frame",
} as const;

/** A name for a thing that no other one has just now. */
export function thingId(thing: Thing): string {
  if (thing.kind === "fence") return `fence ${Object.values(thing.key).join(" ")}`;
  return thing.kind === "own-fence" ? `own ${thing.name}` : `${thing.kind} ${thing.slot}`;
}

/** What a thing is called. */
export function describeThing(segment: Segment, thing: Thing): string {
  switch (thing.kind) {
    case "fence":
      return fenceText(segment, thing.key);
    case "own-fence":
      return thing.name;
    case "user-fence":
      return userFenceText(segment, thing.slot);
    case "lock":
      return `the lock of ${bufferText(segment, thing.slot)}`;
    case "loan":
      return `a free buffer of ${streamText(segment, thing.slot)}`;
    case "frame":
      return `a frame of ${streamText(segment, thing.slot)}`;
    case "consumers":
      return `${thing.count} consumer${thing.count === 1 ? "" : "s"} of ${streamText(segment, thing.slot)}`;
    case "answer":
      return "an exporter's answer";
    default:
      return bufferText(segment, thing.slot);
  }
}

export function fenceText(segment: Segment, key: FenceKey): string {
  const origin = keyOrigin(segment, key);
  return origin === undefined ? "a fence whose slot has moved on" : originText(origin);
}

/** What a fence is called by where it comes from. */
export function originText({
  context,
  seqno,
  timelineName,
}: Pick<Origin, "context" | "seqno" | "timelineName">): string {
  return `fence ${context}:${seqno} of timeline "${timelineName}"`;
}

export function userFenceText({ memory, layout }: Segment, slot: number): string {
  return `user fence "${readName(memory, layout.userFence(slot) + USER_FENCE.NAME)}"`;
}

export function streamText({ memory, layout }: Segment, slot: number): string {
  return `stream "${readName(memory, layout.stream(slot) + STREAM.NAME)}"`;
}
