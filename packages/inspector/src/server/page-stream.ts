import type { ServerResponse } from "node:http";
import { changeBetween } from "../shared/changes.js";
import type { DomainState, ServerEvents } from "../shared/messages.js";
import type { DomainSnapshot } from "dmabuf/node";
import type { Watch, Watcher } from "./watch.js";

/**
 * The events that one page gets: the last minute, and then what comes.
 *
 * page-stream.1. A page that does not read gets fewer snapshots: nothing is stored for it but what it has not read of the last
 *      minute when it came.
 */
export class PageStream implements Watcher {
  readonly #response: ServerResponse;
  /** What is to be sent before the newest. */
  #before: DomainSnapshot[];
  #newest: DomainSnapshot | undefined;
  #sent: DomainSnapshot | undefined;

  /** Begins to send, until the page goes. */
  static open(watch: Watch, response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.flushHeaders();
    const stream = new PageStream(watch, response);
    response.on("drain", () => stream.#pump());
    response.once("close", () => watch.delete(stream));
    watch.add(stream);
  }

  private constructor(watch: Watch, response: ServerResponse) {
    this.#response = response;
    this.#before = watch.history.snapshots;
    this.#send("state", watch.state);
    this.#pump();
  }

  onSnapshot(snapshot: DomainSnapshot): void {
    this.#newest = snapshot;
    this.#pump();
  }

  onState(state: DomainState, isNew: boolean): void {
    if (isNew) {
      this.#before = [];
      this.#newest = this.#sent = undefined;
    }
    this.#send("state", state);
  }

  #pump(): void {
    while (!this.#response.writableNeedDrain) {
      const next = this.#before.shift() ?? this.#newest;
      if (next === undefined || next === this.#sent) return;
      this.#send(this.#sent === undefined ? "first" : "change", changeBetween(this.#sent, next));
      this.#sent = next;
    }
  }

  #send<Name extends keyof ServerEvents>(name: Name, data: ServerEvents[Name]): void {
    this.#response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
