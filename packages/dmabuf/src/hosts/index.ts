/// <reference lib="esnext.disposable" preserve="true" />
/** `dmabuf/hosts`: streams, fences and jobs between hosts, of which each has a domain of its own. */
export { Hosts } from "./hosts.js";
export type { HostInfo, OtherHost } from "./hosts-info.js";
export type { ConnectHostsOptions, HostsOptions } from "./hosts-options.js";
export type { RemoteFenceHandle, RemoteFenceOptions } from "./fences/remote-fence.js";
export type { FindStreamOptions, FollowStreamOptions, RemoteStreamOptions } from "./streams/find-stream.js";
export type { HostRelay, RemoteStream } from "./streams/host-streams.js";
export { HostQueue, type HostJobRequest, type HostQueueOptions } from "./jobs/host-queue.js";
export { HostWorker, type HostJob, type HostJobWork, type HostWorkerOptions } from "./jobs/host-worker.js";
