// What a server is bundled from; it runs.
import { Domain } from "dmabuf";
import { capabilities, ProcessDomain } from "dmabuf/node";
import { DmaHeap } from "dmabuf/linux";

for (const kind of [Domain, ProcessDomain]) {
  const domain = kind.create();
  domain.allocate(4096).close();
  domain.close();
}
console.log(typeof DmaHeap.open, capabilities().missing.length);
