/** What a person can do with the page, in one engine and on one page, from the first look to the end. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launch, missing, type Engine, type EngineName } from "dmabuf-browsers";
import { servePage } from "../src/server.js";
import { CLIP, Drive, LANES, LONG, PUBLISHED, type Server } from "./drive.js";

/** What each line of the page's list of abilities is about, as the engine itself says it. */
const ABILITIES: Readonly<Record<string, string>> = {
  isolated: "crossOriginIsolated",
  sharedMemory: '"SharedArrayBuffer" in globalThis',
  webCodecs: '"VideoDecoder" in globalThis',
  webGpu: '"gpu" in navigator',
};

/** Who is in the domain while nothing but the lanes looks at pictures. */
const AGENTS = ["page", "source", ...LANES];

/** What does not copy a frame says so. */
const IN_PLACE = /from the shared memory itself|in place/;

/** The tests of one engine. */
export function story(name: EngineName): void {
  describe("on the page", { skip: missing(name) ?? false, timeout: 850_000 }, () => {
    let folder: string;
    let server: Server;
    let engine: Engine | undefined;
    let drive: Drive;
    /** Whether the engine decodes the clip; else the test pattern plays. */
    let isDecoded: boolean;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "dmabuf-web-demo-"));
      server = await servePage({});
      engine = await launch(name, { gpu: true, audio: true });
      drive = await Drive.open(engine, server.url);
      await drive.page.resize(1280, 900);
      isDecoded = await drive.page.evaluate<boolean>(IS_DECODED);
    }, LONG);
    after(async () => {
      await engine?.close();
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    }, LONG);

    test("it is isolated, and says of everything that is missing why", LONG, async () => {
      const { page } = drive;
      assert.match(await drive.text("[data-mark=isolated]"), /isolated: yes/);
      await drive.untilAgents(AGENTS);
      for (const [ability, has] of Object.entries(ABILITIES)) {
        const line = `[data-ability="${ability}"]`;
        const isSaid = await page.evaluate(`document.querySelector('${line}').dataset.has === "true"`);
        assert.equal(isSaid, await page.evaluate(has), ability);
      }
      const lacking = await page.evaluate<string[]>(
        `[...document.querySelectorAll('[data-ability][data-has="false"]')].map((line) => line.textContent)`,
      );
      for (const line of lacking) assert.match(line, /^no \S.*\./);
    });

    test("the keyboard alone plays it, and one sees where the focus is", LONG, async () => {
      const { page } = drive;
      const isAt = `document.activeElement.matches("[data-mark=play]")`;
      for (let presses = 0; !(await page.evaluate(isAt)); presses++) {
        assert.ok(presses < 20, "Tab does not lead to the button that plays");
        await page.press("Tab");
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 20))");
      }
      const outline = await page.evaluate<string[]>(`(({ outlineStyle, outlineWidth }) => [outlineStyle, outlineWidth])(
        getComputedStyle(document.activeElement))`);
      assert.deepEqual(outline, ["solid", "2px"]);
      await page.press(" ");
      await drive.untilText("[data-mark=play]", /Pause/);
    });

    test("it plays: the clip, or the test pattern, and why not the clip", LONG, async () => {
      await drive.untilAllPlay();
      const about = await drive.text("[data-lane=source] [data-mark=about]");
      const trouble = await drive.text("[data-mark=trouble-source]");
      if (isDecoded) {
        assert.match(about, /^The clip, 1280 × 720, avc1/);
        assert.equal(trouble, "");
      } else {
        assert.match(about, /^Test pattern/);
        assert.match(trouble, /VideoDecoder|Cannot decode/);
        assert.match(trouble, /The test pattern plays instead/);
      }
      // A lane that copies says so, and what it would need.
      for (const role of LANES) {
        const how = await drive.untilText(`[data-lane=${role}] [data-mark=how]`, /\w+/);
        if (!IN_PLACE.test(how)) assert.match(how, /cop(y|ies).*(missing|no )/);
      }
    });

    test(
      "the bytes that are copied are those that the decoder copies, and of lanes that say that they copy",
      LONG,
      async () => {
        const { page } = drive;
        const hows = await Promise.all(LANES.map(async (role) => drive.text(`[data-lane=${role}] [data-mark=how]`)));
        const copying: string[] = LANES.filter((_, n) => !IN_PLACE.test(hows[n]!));
        await drive.click("[data-value=fast]");
        if (isDecoded && copying.length === 0) await drive.untilText("[data-mark=ratio]", /^1\.00 ×$/);
        if (isDecoded) await drive.until(`${LINES}.some((line) => line.startsWith("1.00 × source"))`);
        if (!isDecoded && copying.length === 0) await drive.untilText("[data-mark=ratio]", /^0\.00 ×$/);
        const who = await page.evaluate<string[]>(`${LINES}.map((line) => line.split(" ")[2])`);
        const allowed = [...(isDecoded ? ["source"] : []), ...copying];
        for (const agent of who) assert.ok(allowed.includes(agent), `${agent} copies`);
        await drive.click("[data-value=recorded]");
      },
    );

    test("a worker that is killed goes grey, another one joins, and the rest goes on", LONG, async () => {
      const { page } = drive;
      for (const role of LANES) {
        await drive.forget();
        await drive.click(`[data-lane=${role}] [data-mark=kill]`);
        await drive.untilNotRunning(role);
        await drive.untilState(role, "running");
        await drive.untilText(`[data-lane=${role}] [data-mark=death]`, /A new one has joined/);
        await drive.untilAllPlay();
      }
      const grey = await page.evaluate(`(() => {
        const lane = document.querySelector("[data-lane=motion]").cloneNode(true);
        lane.className = "card lane killed";
        document.querySelector(".lanes").append(lane);
        const { filter } = getComputedStyle(lane.querySelector(".lane-body"));
        lane.remove();
        return filter;
      })()`);
      assert.equal(grey, "grayscale(1)");
    });

    test("when the decoder is killed, the lanes hear ESRCH, and the next stream takes over", LONG, async () => {
      await drive.forget();
      await drive.click("[data-lane=source] [data-mark=kill]");
      await drive.untilNotRunning("source");
      await drive.untilState("source", "running");
      await drive.untilText("[data-lane=source] [data-mark=death]", /A new one has joined/);
      await drive.until(`seen.some((what) => /ESRCH/.test(what))`);
      await drive.untilAllPlay();
    });

    test("the dead have left nothing: no agent, no buffer", LONG, async () => {
      await drive.untilAgents(AGENTS);
      await drive.until(`[...document.querySelectorAll("[data-buffers]")].map(
        (group) => group.dataset.buffers + " " + group.querySelectorAll(".place").length).join() === "pictures 8"`);
    });

    test("with postMessage instead the number climbs, and falls again with shared memory", LONG, async () => {
      await drive.click("[data-value=copies]");
      await drive.until(`${RATIO} > 2.5`);
      await drive.untilAllPlay();
      await drive.click("[data-value=shared]");
      await drive.until(`${RATIO} < 2.1`);
      await drive.untilAllPlay();
    });

    test("a slow consumer misses what its policy says, and the page compares them", LONG, async () => {
      const { page } = drive;
      const missed = (policy: string): string =>
        `Number(document.querySelector("[data-policy=${policy}] div:nth-child(3) dd").textContent.replaceAll(",", ""))`;
      const card = (policy: string): string => `[data-policy="${policy}"]`;
      for (const policy of ["newest", "drop-oldest"]) {
        await drive.click(`${card(policy)} button`);
        await drive.until(`${missed(policy)} > 0`);
      }
      await drive.click(`${card("block")} button`);
      // It has got several, and has missed none.
      await drive.until(
        `Number.parseFloat(document.querySelector('${card("block")} div:nth-child(2) dd').textContent) > 0`,
      );
      assert.equal(await page.evaluate(missed("block")), 0);
      await drive.click(`${card("block")} button`);
      await drive.untilText(card("block"), /As it was when it was tried/);
      assert.ok((await page.evaluate<number>(missed("newest"))) > 0);
      await drive.untilAllPlay();
    });

    test(
      "a file that is dropped plays; one that is neither video nor picture is said to be so, and all goes on",
      LONG,
      async () => {
        const { page } = drive;
        const about = "[data-lane=source] [data-mark=about]";
        const trouble = "[data-mark=trouble-source]";
        const picture = join(folder, `${name}.png`);
        await page.screenshot(picture);
        await page.drop("main", picture);
        await drive.untilText(about, new RegExp(`^${name}\\.png, \\d+ × \\d+, RGBA`));
        await drive.untilAllPlay();
        assert.equal(await drive.text(trouble), "");

        const note = join(folder, "note.txt");
        await writeFile(note, "Nothing moves here.\n");
        await page.drop("main", note);
        await drive.untilText(trouble, /“note\.txt” is neither a video nor a picture/);
        assert.match(await drive.text(about), /\.png/);
        await drive.untilAllPlay();

        const broken = join(folder, "broken.mp4");
        await writeFile(broken, "Nothing moves here either.\n");
        await page.drop("main", broken);
        await drive.untilText(trouble, /The test pattern plays instead/);
        await drive.untilText(about, /^Test pattern/);
        await drive.untilAllPlay();

        await page.drop("main", CLIP);
        if (isDecoded) await drive.untilText(about, /^clip\.mp4, 1280 × 720/);
        else await drive.untilText(trouble, /VideoDecoder|Cannot decode/);
        await drive.untilAllPlay();
      },
    );

    test("five seconds are recorded and replayed, or the page says what is missing for it", LONG, async () => {
      const { page } = drive;
      // A private window may have the interface, and no files.
      const hasFiles = await page.evaluate<boolean>(`(async () => {
        try {
          await (await navigator.storage.getDirectory()).getFileHandle("trial", { create: true });
          return true;
        } catch {
          return false;
        }
      })()`);
      await drive.click("[data-mark=record-start]");
      await drive.until(`/Recorded: \\d+ frames/.test(document.querySelector("[data-mark=record]").textContent) ||
        document.querySelector("[data-mark=trouble-record]").textContent !== ""`);
      if (!hasFiles) {
        assert.match(await drive.text("[data-mark=trouble-record]"), /\S.*\. \S.*\./);
        return;
      }
      assert.match(await drive.text("[data-mark=record]"), /Recorded: \d+ frames/);
      await drive.click("[data-mark=replay]");
      await drive.untilText("[data-lane=source] [data-mark=about]", /recording/i);
      await drive.untilAllPlay();
      assert.equal(await drive.text("[data-mark=trouble-record]"), "");
    });

    const skip = name !== "chromium" && "what a page may store is limited in Chromium alone";
    test("without room for five seconds, what was recorded until then plays", { ...LONG, skip }, async () => {
      const { page } = drive;
      const about = "[data-lane=source] [data-mark=about]";
      // A recording that plays is not recorded over.
      await page.drop("main", CLIP);
      await drive.untilText(about, isDecoded ? /^clip\.mp4/ : /^Test pattern/);
      await drive.untilAllPlay();
      // A few pictures.
      await page.limitStorage(10e6);
      await drive.click("[data-mark=record-start]");
      const says = /Cannot record more than ([1-9]\d*) frames?, .*no room.*can be replayed/;
      const frames = Number(says.exec(await drive.untilText("[data-mark=trouble-record]", says))![1]);
      assert.match(await drive.text("[data-mark=recorded]"), /^Recorded: less than was wanted, \d/);
      await drive.click("[data-mark=replay]");
      await drive.untilText(about, /^Recording/);
      // The stream before has published more than was recorded of it.
      await drive.until(`${PUBLISHED} > 0 && ${PUBLISHED} <= ${frames}`);
    });

    test("nothing has failed unnoticed", LONG, async () => {
      await drive.assertNoErrors();
    });
  });
}

/** The number of the page. */
const RATIO = 'Number.parseFloat(document.querySelector("[data-mark=ratio]").textContent)';

/** Who has copied, line by line. */
const LINES = '[...document.querySelectorAll(".copies .lines li")].map((line) => line.textContent)';

/** Asks the engine itself. */
const IS_DECODED = `(async () => "VideoDecoder" in globalThis &&
  (await VideoDecoder.isConfigSupported({ codec: "avc1.640032", codedWidth: 1280, codedHeight: 720 })).supported)()`;
