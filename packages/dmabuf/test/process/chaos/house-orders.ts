/** What a chaos run and the processes tell each other in which members live as threads. */
import type { Order, Report } from "./orders.js";

export type HouseOrder =
  { readonly house: "take" | "terminate" | "count" } | { readonly house: "tell"; readonly order: Order };

export interface Kept {
  readonly descriptors: number;
  readonly mappings: number;
}

export type HouseReport =
  | { readonly report: "built" }
  | { readonly report: "said"; readonly what: Report | "ready" }
  | { readonly report: "ended"; readonly code: number }
  | { readonly report: "counted"; readonly kept: Kept };
