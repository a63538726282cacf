// main.js: the page. It starts both workers, and shows each picture that is new when the screen is drawn
import { Domain } from "dmabuf";
import { capabilities, connectWorker, eachAnimationFrame, toVideoFrame } from "dmabuf/web";

const said = document.querySelector("output");
const { isolated } = capabilities();
if (!isolated.has) said.value = `${isolated.reason}: ${isolated.remedy}`;

const domain = Domain.create({ name: "page" });
const start = (name, heard, data) => {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => heard(data);
  return connectWorker(domain, worker, { name, data }); // it has joined when this resolves
};

const handle = await new Promise((got, failed) => {
  start("painter", ({ stream }) => got(stream)).catch(failed);
});
const stream = domain.import(handle);
const measured = ({ brightness, copied }) => (said.value = `brightness ${brightness}, ${copied} bytes copied`);
const meter = await start("meter", measured, { stream: stream.handle() });

const picture = document.querySelector("canvas").getContext("2d");
eachAnimationFrame(stream.frames({ policy: "newest" }), (frame) => {
  const shown = toVideoFrame(frame); // the browser's own copy, for drawing
  picture.drawImage(shown, 0, 0);
  shown.close();
});
document.querySelector("button").addEventListener("click", () => meter.terminate());
meter.ended.then(() => (said.value = `the meter has gone; here are still ${domain.agents.join(" and ")}`));
