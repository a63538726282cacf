/** What pages of others can do in the browser of the person who looks: nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

test(
  "a page of another origin that knows the token reads nothing, and starts nothing (guard.2)",
  IN_BROWSER,
  async (t) => {
    const place = newPlace();
    const ended = await party("crowd", place);
    const { url } = await inspect({ where: place });
    const own = await openPage(url);
    await ended.kill();
    await own.getByRole("button", { name: "Wait for the next one" }).waitFor();
    const foreign = createServer((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>foreign</title>");
    });
    foreign.listen(0, "127.0.0.1");
    await once(foreign, "listening");
    t.after(() => foreign.close());
    const { port } = foreign.address() as AddressInfo;
    // Another port of the same machine, and another name.
    for (const host of ["127.0.0.1", "evil.example"]) {
      const page = await openPage(`http://${host}:${port}/`);
      const at = (path: string) => JSON.stringify(url.replace("/?", `${path}?`));
      const said = await page.evaluate<string[]>(`Promise.all([
      fetch(${at("/events")}).then(() => "read", () => "refused"),
      fetch(${at("/explain")}, { headers: { Authorization: "Bearer x" } }).then(() => "read", () => "refused"),
      fetch(${at("/bytes")}, { mode: "no-cors" }).then(async (answer) => (await answer.text()) || "refused", () => "refused"),
      fetch(${at("/wait")}, { method: "POST", mode: "no-cors" }).then(async (answer) => (await answer.text()) || "refused", () => "refused"),
      new Promise((say) => {
        const source = new EventSource(${at("/events")});
        source.onopen = () => say("read");
        source.onerror = () => say("refused");
      }),
      new Promise((say) => {
        const script = document.createElement("script");
        script.src = ${at("/explain")};
        script.onload = () => say("read");
        script.onerror = () => say("refused");
        document.body.append(script);
      }),
    ])`);
      assert.deepEqual([...new Set(said)], ["refused"], said.join());
      // What was posted would have been heard, though its answer cannot be read.
      assert.equal(await own.locator("#status").textContent(), "Domain has ended");

      await page.evaluate(`new Promise((loaded) => {
      const frame = document.createElement("iframe");
      frame.src = ${JSON.stringify(url)};
      frame.onload = loaded;
      document.body.append(frame);
    })`);
      const [, frame] = page.frames();
      assert.doesNotMatch((await frame?.content()) ?? "", /dmabuf/, "the page may not be framed");
    }
  },
);

test("a name of the web that leads to this machine leads to no page (guard.1)", IN_BROWSER, async () => {
  const place = newPlace();
  await party("crowd", place);
  const { url } = await inspect({ where: place });
  const page = await openPage("about:blank");
  const answer = await page.goto(url.replace("127.0.0.1", "evil.example"));
  assert.equal(answer?.status(), 421);
  assert.doesNotMatch(await page.content(), /<div id="app">/);
  // The same page, by its own name.
  assert.equal((await page.goto(url))?.status(), 200);
  assert.equal((await page.goto(url.replace("127.0.0.1", "localhost")))?.status(), 200);
  await page.locator(".node.agent").waitFor();
});
