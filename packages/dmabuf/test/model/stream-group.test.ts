import { test } from "node:test";
import { EXPLORES, tryAll } from "./interleavings.js";
import {
  dies,
  findsGroup,
  groups,
  hasTurn,
  isCounted,
  isHeldBack,
  isKeptForOthers,
  joinsAtAnyTime,
  leaves,
  losesProducer,
  losesTurn,
  shares,
} from "./group-model.js";

// Consumers that share the work; the contract is in src/stream/stream-group.ts.

test("stream-group.1 stream-group.5: each frame is one member's, in order of arrival", EXPLORES, (t) => {
  tryAll(t, groups, shares());
});

test(
  "stream-group.1 stream-group.2 stream-group.6: a member may die at any step, and another does what it has not done",
  EXPLORES,
  (t) => {
    for (const frames of [1, 2]) tryAll(t, groups, dies(frames));
  },
);

test("stream-group.2 stream-group.6: what a member keeps when it leaves goes to another", EXPLORES, (t) => {
  tryAll(t, groups, leaves());
});

test("stream-group.3 stream-group.4: a producer waits until a member has done a frame", EXPLORES, (t) => {
  tryAll(t, groups, isHeldBack());
});

test("stream-group.4: a producer keeps the frame of a dead member for those that live", EXPLORES, (t) => {
  tryAll(t, groups, isKeptForOthers());
});

test("stream-group.3: a producer may die at any step, and no frame that is done is open again", EXPLORES, (t) => {
  tryAll(t, groups, losesProducer());
});

test("stream-group.4: who joins at any time misses nothing after its first frame", EXPLORES, (t) => {
  tryAll(t, groups, joinsAtAnyTime());
});

test("stream-group.9: who only joins or leaves is counted for no other group", EXPLORES, (t) => {
  tryAll(t, groups, isCounted());
});

test("stream-group.7: a member gives way to one that waits, and not to one that is stopped", EXPLORES, (t) => {
  tryAll(t, groups, hasTurn());
  tryAll(t, groups, losesTurn());
});

test("stream-group.8: all find the same group, however many look for it at once, or die at that", EXPLORES, (t) => {
  for (const names of [
    ["work", "work", "work"],
    ["workers", "worker", "workers"],
    ["worker", "work", "work"],
  ]) {
    tryAll(t, groups, findsGroup(names));
  }
});
