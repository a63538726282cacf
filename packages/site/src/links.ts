/** The links of the finished site: each leads to a page or a file of it, and to a place that is there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** What is wrong: `first-pipeline.html: #no-such-heading`. Links to other hosts are not looked at. */
export function deadLinks(site: string, base: string): string[] {
  const pages = readdirSync(site, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
  const texts = new Map(pages.sort().map((page) => [page, readFileSync(join(site, page), "utf8")]));
  const places = new Map([...texts].map(([page, html]) => [page, new Set(valuesOf(html, "id"))]));
  return [...texts].flatMap(([page, html]) => {
    const links = [...new Set([...valuesOf(html, "href"), ...valuesOf(html, "src")])];
    return links.filter((link) => !isRight(link, page, base, site, places)).map((link) => `${page}: ${link}`);
  });
}

function isRight(link: string, page: string, base: string, site: string, places: Map<string, Set<string>>): boolean {
  const { protocol, host, pathname, hash } = new URL(link, `site://site${base}${page}`);
  if (protocol === "data:" || protocol === "mailto:" || host !== "site") return true;
  if (!pathname.startsWith(base)) return false;
  const path = decodeURI(pathname.slice(base.length));
  const file = path === "" || path.endsWith("/") ? posix.join(path, "index.html") : path;
  const anchors = places.get(file);
  if (anchors === undefined) return existsSync(join(site, file));
  return hash === "" || anchors.has(decodeURIComponent(hash.slice(1)));
}

/** The values of an attribute, in the form in which Vue writes it. */
function valuesOf(html: string, attribute: "href" | "id" | "src"): string[] {
  const found = html.matchAll(new RegExp(`<[^>]* ${attribute}="([^"]*)"`, "g"));
  return Array.from(found, ([, value]) => value!.replaceAll("&amp;", "&"));
}
