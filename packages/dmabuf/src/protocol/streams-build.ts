import { binder } from "./module.js";
import { STREAMS_ATOMIC } from "./streams-binary.js";

/** The `streams` build on a memory of WebAssembly's own. */
export const bindStreams = /* @__PURE__ */ binder(STREAMS_ATOMIC);
