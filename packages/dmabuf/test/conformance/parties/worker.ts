/** The worker thread of a party: it joins a domain, does what it is asked, leaves, and joins the next one. */
import { parentPort } from "node:worker_threads";
import { Domain, type Invitation } from "../../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../../src/node/index.js";
import { serve, type Desk, type Reply, type Request } from "./serve.js";

export type Order =
  | { readonly order: "join"; readonly invitation: Invitation | WorkerInvitation }
  | { readonly order: "perform"; readonly request: Request }
  | { readonly order: "leave" };
export type Answer = Reply | "left";

let domain: Domain | ProcessDomain;
let perform: (request: Request) => void;

parentPort!.on("message", (order: Order) => {
  if (order.order === "join") join(order.invitation);
  if (order.order === "perform") perform(order.request);
  if (order.order === "leave") {
    domain.close();
    answer("left");
  }
});

function join(invitation: Invitation | WorkerInvitation): void {
  if ("reservation" in invitation) {
    const joined = ProcessDomain.join(invitation);
    domain = joined;
    serve(joined, (length) => joined.createMemory(length), deskIn(joined));
  } else {
    const joined = Domain.join(invitation);
    domain = joined;
    serve(joined, (length) => ({ memory: new SharedArrayBuffer(length), offset: 0, length }), deskIn(joined));
  }
}

function deskIn(joined: Domain | ProcessDomain): Desk {
  return {
    hear: (hears) => void (perform = hears),
    // What ends only because the domain was left answers no question any more.
    reply: (reply) => void (joined.isClosed || answer(reply)),
  };
}

function answer(what: Answer): void {
  parentPort!.postMessage(what);
}
