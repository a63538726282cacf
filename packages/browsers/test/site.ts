import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Writes down what the user does. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>engines</title>
<style>body { background: seagreen; color: white; font: 24px sans-serif; margin: 16px }</style>
<p>A page for all engines</p>
<button id="button">Button</button> <input id="field"> <input id="range" type="range" min="0" max="10">
<p id="target">Drop here</p>
<script type="module">
  globalThis.events = [];
  const at = (id) => document.getElementById(id);
  at("button").onclick = ({ isTrusted }) => events.push("click " + (isTrusted ? "trusted" : "by a script"));
  document.onkeydown = ({ key, shiftKey, ctrlKey }) => {
    if (key === "Shift" || key === "Control") return;
    events.push("key " + key + (shiftKey && key.length > 1 ? " with Shift" : "") + (ctrlKey ? " with Control" : ""));
    if (key === "Tab") at("button").onfocus = () => events.push("focus button");
  };
  at("field").onkeydown = (event) => void (event.key.length === 1 && event.preventDefault());
  at("field").oninput = ({ target }) => events.push("input " + target.value);
  at("field").onchange = ({ target }) => events.push("change " + target.value);
  at("range").onchange = ({ target }) => events.push("range " + target.value);
  at("target").ondrop = async ({ dataTransfer: { files: [file] } }) => {
    events.push("drop " + file.name + " " + new Uint8Array(await file.arrayBuffer()).join());
  };
  const memory = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker("/worker.js", { type: "module" });
  worker.onmessage = () => (globalThis.fromWorker = memory[0]);
  worker.postMessage(memory);
</script>
`;
const WORKER = "onmessage = ({ data }) => { data[0] = 42; postMessage(0); };";
const BROKEN = `<!doctype html>
<link rel="icon" href="data:,">
<script>
  setTimeout(() => { throw new Error("nothing catches this"); }, 300);
  setTimeout(() => void Promise.reject(new Error("nothing hears this")), 300);
  setTimeout(() => console.error("this is logged"), 300);
  setTimeout(() => (document.title = "broken"), 400);
</script>
`;

export interface Site extends AsyncDisposable {
  readonly origin: string;
}

/** Serves a page that is cross-origin isolated. */
export async function serveSite(): Promise<Site> {
  const server = createServer((request, response) => {
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    if (request.url === "/worker.js") response.setHeader("Content-Type", "text/javascript").end(WORKER);
    else response.setHeader("Content-Type", "text/html").end(request.url === "/broken" ? BROKEN : PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
