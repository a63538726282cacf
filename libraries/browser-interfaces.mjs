// Which interfaces of a browser take shared memory: node libraries/browser-interfaces.mjs [chromium|firefox|webkit]
import { launch } from "dmabuf-browsers";
import { WebSocketServer } from "ws";
import { serveScripts } from "./browser/isolated-page.mjs";

const server = await serveScripts("interfaces.js");
new WebSocketServer({ server }).on("connection", (socket) => {
  socket.on("message", (message) => socket.send(message));
});
const engine = await launch(process.argv[2] ?? "chromium", { gpu: true, audio: true });
// A host's name: certain interfaces are not for addresses.
const url = `http://localhost:${server.address().port}`;
let page = await opened();
for (const name of await page.evaluate("names")) {
  console.log("|", name, "|", await tried(name), "|");
}
await engine.close();
server.closeAllConnections();
server.close();

async function opened() {
  const page = await engine.open();
  await page.goto(url);
  await page.until("globalThis.names");
  return page;
}

async function tried(name) {
  try {
    return await page.evaluate(`tryInterface(${JSON.stringify(name)})`);
  } catch {
    // There is no page any more that could say so.
    await page.close();
    page = await opened();
    return "**ends the page**";
  }
}
