import { Hosts } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";

// Mostly each of the two is on a machine of its own, with an address of its own.
using cameras = ProcessDomain.create();
using screens = ProcessDomain.create();
const key = "the same on all hosts";
await using one = await Hosts.join(cameras, { name: "one", bind: "127.0.0.1", key });
await using two = await Hosts.join(screens, { name: "two", bind: "127.0.0.1", key, peers: [one.self.address] });
await new Promise<void>((resolve) => {
  two.onHost(({ name, lost }) => {
    console.log(name, "is there");
    lost.addEventListener("abort", () => console.log(name, "is lost"));
    resolve();
  });
});

using timeline = cameras.createTimeline({ name: "render" });
const fence = timeline.createFence();
// Plain data, which goes to the other host by whatever way there is.
const handle = one.share(fence);
using rendered = two.fence(handle, { timeout: 1_000 });
setTimeout(() => fence.signal(), 10);
console.log(await rendered.wait()); // "signaled"
