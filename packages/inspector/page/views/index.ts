import { computed } from "@preact/signals";
import type { ComponentType } from "preact";
import { viewName } from "../store/route.js";
import { Agents } from "./agents.js";
import { Buffers } from "./buffers.js";
import { Latency } from "./latency.js";
import { Memory } from "./memory.js";
import { Overview } from "./overview.js";
import { Reports } from "./reports.js";
import { Timelines } from "./timelines.js";
import { Waits } from "./waits.js";

/** A view: what is shown at `#/NAME`. It draws the snapshot that is shown, of which there is one. */
export interface View {
  readonly name: string;
  readonly title: string;
  /** What it is, for people who have not seen it before. */
  readonly about: string;
  readonly Component: ComponentType;
}

/** The first one is where the page begins. */
export const VIEWS: readonly [View, ...View[]] = [
  {
    name: "overview",
    title: "Overview",
    about: "Who hands what to whom: agents write frames into buffers of a stream, and others read the same memory.",
    Component: Overview,
  },
  {
    name: "buffers",
    title: "Buffers",
    about: "All memory that agents share: who holds it, who reads or writes it just now, and the fences on it.",
    Component: Buffers,
  },
  {
    name: "timelines",
    title: "Timelines",
    about: "When each fence signaled: a timeline signals its fences in their order, as the work behind them finishes.",
    Component: Timelines,
  },
  {
    name: "waits",
    title: "Waits",
    about: "Who waits for whom, since when, and who is at the root of it. What is stuck is red.",
    Component: Waits,
  },
  {
    name: "memory",
    title: "Memory",
    about: "Whose memory it is: by who exports it and who holds it, and what was copied instead of shared.",
    Component: Memory,
  },
  {
    name: "latency",
    title: "Latency",
    about: "How long frames wait, from their publication until each consumer takes them.",
    Component: Latency,
  },
  {
    name: "reports",
    title: "Reports",
    about: "What the validator has found in programs that run with it: deadlocks that may happen, and broken rules.",
    Component: Reports,
  },
  {
    name: "agents",
    title: "Agents",
    about: "The threads and processes that have joined the domain.",
    Component: Agents,
  },
];

export const currentView = computed(() => VIEWS.find(({ name }) => name === viewName.value) ?? VIEWS[0]);
