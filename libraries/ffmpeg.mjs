// ffmpeg reads a picture that is a shared buffer, as a file: node libraries/ffmpeg.mjs
import { spawn } from "node:child_process";
import { once } from "node:events";
import { buffer as collect } from "node:stream/consumers";
import { copiedBytes, imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const { size, planes } = imageFormat("NV12", 641, 479);
const domain = ProcessDomain.create();
const buffer = domain.allocate(size, { name: "picture", exact: true }); // ffmpeg reads to the end of the file
{
  const access = await buffer.access("write");
  access.bytes.fill(150, 0, planes[1].offset);
  access.bytes.fill(128, planes[1].offset);
  access.close();
}

const access = await buffer.access("read"); // no agent writes as long as ffmpeg reads
const file = domain.openFile(buffer);
const input = ["-f", "rawvideo", "-pixel_format", "nv12", "-video_size", "641x479", "-i", "/proc/self/fd/3"];
const output = ["-vf", "scale=64:48", "-pix_fmt", "gray", "-f", "rawvideo", "-"];
const ffmpeg = spawn("ffmpeg", ["-loglevel", "error", ...input, ...output], {
  stdio: ["ignore", "pipe", "inherit", file.descriptor], // its descriptor 3
});
const [thumbnail, [status]] = await Promise.all([collect(ffmpeg.stdout), once(ffmpeg, "exit")]);
file.close();
access.close();

console.log("ffmpeg has ended with", status, "and made", thumbnail.length, "bytes of brightness", thumbnail[0]);
console.log("producer: 1 buffer of", size, "bytes,", copiedBytes(), "bytes were copied");
domain.close();
