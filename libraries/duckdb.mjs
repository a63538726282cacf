// DuckDB queries a Parquet file that is a shared buffer, in another process: node libraries/duckdb.mjs
import { once } from "node:events";
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { copiedBytes } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const duckdb = await (await DuckDBInstance.create(":memory:")).connect();

if (process.argv[2] !== "child") {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  const path = join(folder, "orders.parquet");
  await duckdb.run(`COPY (SELECT range AS id, range % 100 AS price FROM range(100000)) TO '${path}' (FORMAT parquet)`);

  const domain = ProcessDomain.create();
  const file = openSync(path);
  const { size } = fstatSync(file);
  const buffer = domain.allocate(size, { name: "orders", exact: true }); // Parquet is read from its end
  const access = await buffer.access("write");
  readSync(file, access.bytes); // from the disk into the shared memory itself
  access.close();
  closeSync(file);

  const child = domain.fork(new URL(import.meta.url), ["child"]);
  child.send(buffer.handle());
  await once(child, "exit");
  console.log("producer: 1 buffer of", size, "bytes,", copiedBytes(), "bytes were copied");
  domain.close();
  rmSync(folder, { recursive: true });
} else {
  const domain = await ProcessDomain.inherit();
  const [handle] = await once(process, "message");
  const buffer = domain.import(handle);
  const access = await buffer.access("read"); // no agent writes as long as DuckDB reads
  const orders = domain.openFile(buffer);
  const answer = await duckdb.runAndReadAll(`SELECT count(*), sum(price) FROM read_parquet('${orders.path}')`);
  console.log("orders and their prices:", ...answer.getRows()[0]);
  orders.close();
  access.close();
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
  process.disconnect();
}
