import type { Domain } from "dmabuf";
import type { Start } from "../shared/messages.js";

/** What a role has to work with. */
export interface RoleContext extends Start {
  readonly domain: Domain;
}

/** A module of a role. */
export interface RoleModule {
  readonly run: (context: RoleContext) => Promise<void>;
}

/** Posts to the page, of which only what is a report of this role. */
export function reporter<Report>({ port }: RoleContext): (report: Report) => void {
  return (report) => port.postMessage(report);
}

/** Takes what the page says. */
export function onOrder<Order>({ port }: RoleContext, take: (order: Order) => void): void {
  port.onmessage = ({ data }: MessageEvent<Order>) => take(data);
}
