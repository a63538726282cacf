/** A worker that joins by `joinFromPage()`, and does what its page has sent along. */
import { Domain, type StreamHandleData } from "../../../../src/index.js";
import { joinFromPage } from "../../../../src/web/index.js";

/** What it does once it has joined. */
export interface Task {
  readonly then:
    "wait" | "throw" | "reject" | "reject-handled" | "leave" | "close" | "compute" | "take" | "echo" | "throw-at-once";
  readonly stream?: StreamHandleData;
  readonly port?: MessagePort;
}

/** What is held until the worker ends. */
const kept: unknown[] = [];
/** What the program's own handler got. */
const heard: unknown[] = [];

const joined = joinFromPage<Domain, Task>(Domain, { warnAfter: Infinity });
onmessage = ({ data }) => heard.push(data);
if (new URL(import.meta.url).searchParams.has("throws")) setTimeout(() => fail("thrown while it joins"));

const { domain, data } = await joined;
if (data.stream !== undefined) kept.push(await domain.import(data.stream).frames().next());
postMessage("joined");
switch (data.then) {
  case "wait":
  case "take":
    break;
  case "throw-at-once":
    fail("thrown at once");
    break;
  case "throw":
    setTimeout(() => fail("thrown later"), 20);
    break;
  case "reject":
    setTimeout(() => void Promise.reject(new Error("rejected later")), 20);
    break;
  case "reject-handled":
    addEventListener("unhandledrejection", (event) => event.preventDefault());
    break;
  case "leave":
    domain.close();
    break;
  case "close":
    close();
    break;
  case "compute":
    for (;;) kept.length = 0;
  case "echo":
    data.port?.postMessage(heard);
    addEventListener("message", () => data.port?.postMessage(heard));
}

function fail(why: string): never {
  throw new Error(why);
}
