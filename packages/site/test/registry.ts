/** A registry of packages on loopback that has the packed library, and leads to the real one for all others. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { REPOSITORY } from "../src/pages.js";

/** The real registry, as this machine's npm knows it. */
export const REAL = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();

export interface Registry extends AsyncDisposable {
  readonly address: string;
}

/** Packs the library into `folder`, as it would be published, and serves it. */
export async function registryWithLibrary(folder: string): Promise<Registry> {
  const library = join(REPOSITORY, "packages/dmabuf");
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: library, stdio: "ignore", timeout: 120_000 });
  const archive = readFileSync(
    join(
      folder,
      readdirSync(folder).find((name) => name.endsWith(".tgz"))!,
    ),
  );
  const manifest = JSON.parse(readFileSync(join(library, "package.json"), "utf8")) as { version: string };
  const { version } = manifest;
  const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
  const server = createServer((request, response) => {
    const tarball = `http://${request.headers.host}/dmabuf/-/dmabuf-${version}.tgz`;
    if (request.url === "/dmabuf") {
      const versions = { [version]: { ...manifest, dist: { tarball, integrity } } };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ name: "dmabuf", "dist-tags": { latest: version }, versions }));
    } else if (request.url === new URL(tarball).pathname) response.end(archive);
    else response.writeHead(302, { location: new URL(request.url!.slice(1), REAL).href }).end();
  });
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
