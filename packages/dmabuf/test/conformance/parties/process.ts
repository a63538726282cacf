/** The process of a party: it joins a domain, does what it is asked, leaves, and joins the next one. */
import process from "node:process";
import { ProcessDomain } from "../../../src/node/index.js";
import { serve, type Reply, type Request } from "./serve.js";

export type Order =
  | { readonly order: "join"; readonly where: string }
  | { readonly order: "perform"; readonly request: Request }
  | { readonly order: "leave" };
export type Answer = Reply | "left";

interface Joined {
  readonly domain: ProcessDomain;
  readonly perform: (request: Request) => void;
}

let joined: Promise<Joined> | undefined;

process.on("message", (order: Order) => void obey(order));
process.on("disconnect", () => process.exit());

async function obey(order: Order): Promise<void> {
  if (order.order === "join") joined = join(order.where);
  const { domain, perform } = await joined!;
  if (order.order === "perform") perform(order.request);
  if (order.order === "leave") {
    domain.close();
    answer("left");
  }
}

async function join(where: string): Promise<Joined> {
  const domain = await ProcessDomain.connect(where);
  return new Promise((resolve) => {
    serve(domain, (length) => domain.createMemory(length), {
      hear: (perform) => resolve({ domain, perform }),
      // What ends only because the domain was left answers no question any more.
      reply: (reply) => void (domain.isClosed || answer(reply)),
    });
  });
}

function answer(what: Answer): void {
  process.send!(what);
}
