/** What a chaos run and the processes tell each other in which members live as threads. */
import type { Order, Report } from "./orders.js";

export type WorkerHostOrder =
  { readonly host: "take" | "terminate" | "count" } | { readonly host: "tell"; readonly order: Order };

export interface Kept {
  readonly descriptors: number;
  readonly mappings: number;
}

export type WorkerHostReport =
  | { readonly report: "built" }
  | { readonly report: "said"; readonly what: Report | "ready" }
  | { readonly report: "ended"; readonly code: number }
  | { readonly report: "counted"; readonly kept: Kept };
