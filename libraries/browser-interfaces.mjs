// Which interfaces of Chromium take shared memory: node libraries/browser-interfaces.mjs
import { WebSocketServer } from "ws";
import { openPage } from "./browser/isolated-page.mjs";

const { page, server, close } = await openPage("interfaces.js");
new WebSocketServer({ server }).on("connection", (socket) => {
  socket.on("message", (message) => socket.send(message));
});
await page.waitForFunction("globalThis.isOver", undefined, { timeout: 50_000 });
await close();
