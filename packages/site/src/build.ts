/** Makes the site: pages of the documents, the reference, and of both what a web server can give. */
import { join, resolve } from "node:path";
import { build, createMarkdownRenderer, disposeMdItInstance } from "vitepress";
import { deadLinks } from "./links.js";
import { HOME, PAGES, writePages } from "./pages.js";
import { takePictures } from "./pictures.js";
import { writeReference } from "./reference.js";

/** Options for making the site. */
export interface BuildOptions {
  /** The path that the site is at: `/dmabuf/`. Default `/`. */
  readonly base: string;
  /** The folder that it is written to. */
  readonly out: string;
  /** Whether it has pictures of the inspector, where they can be taken. */
  readonly pictures: boolean;
}

/**
 * Makes the site.
 *
 * @throws {Error} if a link leads nowhere, or a comment of the sources is wrong.
 */
export async function buildSite({ base, out, pictures }: BuildOptions): Promise<void> {
  writePages(await createMarkdownRenderer(HOME));
  // VitePress keeps the first renderer that it makes, and its own has the site's options.
  disposeMdItInstance();
  await writeReference(join(PAGES, "reference"));
  const reason = pictures ? await takePictures() : "not wanted";
  if (reason !== undefined) console.log(`Without pictures of the inspector: ${reason}`);
  const folder = resolve(out);
  await build(HOME, { base, outDir: folder });
  const dead = deadLinks(folder, base);
  if (dead.length > 0) throw new Error(`Links that lead nowhere:\n${dead.join("\n")}`);
}
