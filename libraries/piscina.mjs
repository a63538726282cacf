// The threads of a pool work on shared buffers, in place: node libraries/piscina.mjs
import { isMainThread } from "node:worker_threads";
import { copiedBytes } from "dmabuf";
import { ProcessDomain } from "dmabuf/node"; // of threads that another library starts a domain of processes knows, too
import { Piscina } from "piscina";

const SIZE = 4 << 20;
const domain = isMainThread ? ProcessDomain.create() : await ProcessDomain.inherit();

/** The task, in a thread of the pool: doubles all numbers. */
export default async function double({ handle }) {
  const buffer = domain.import(handle);
  const access = await buffer.access("write");
  const numbers = new Float32Array(access.bytes.buffer);
  numbers.forEach((number, place) => (numbers[place] = number * 2));
  buffer.close(); // and its access
  return copiedBytes();
}

if (isMainThread) {
  domain.shareWithWorkers(); // before there are any
  const pool = new Piscina({ filename: import.meta.url, maxThreads: 2 });
  const buffers = Array.from({ length: 6 }, (_, n) => domain.allocate(SIZE, { name: `numbers ${n}` }));
  const tasks = buffers.map(async (buffer, n) => {
    const access = await buffer.access("write");
    new Float32Array(access.bytes.buffer).fill(n + 1);
    access.close();
    return pool.run({ handle: buffer.handle() });
  });
  const copied = await Promise.all(tasks);
  for (const buffer of buffers) {
    const access = await buffer.access("read");
    console.log(buffer.name, "are", new Float32Array(access.bytes.buffer).at(-1));
    access.close();
  }
  console.log("consumer:", Math.max(...copied), "bytes were copied");
  console.log("producer: 6 buffers of", SIZE, "bytes,", copiedBytes(), "bytes were copied");
  await pool.destroy();
  domain.close();
}
