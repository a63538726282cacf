/**
 * `dmabuf/node`: domains between processes. Importing it works on every system; `capabilities()` says whether the rest
 * does.
 */
export { capabilities, type Capabilities, type MissingCapability } from "./capabilities.js";
export { Domain } from "./domain.js";
export type { ConnectOptions, ListenOptions } from "./join-options.js";
export type { ExportableMemory } from "./file-carrier.js";
export type { DescriptorDirectory } from "./descriptor-directory.js";
export { Guest, type GuestFrame, type VisitOptions } from "./guest.js";
export type { Follower, FollowOptions } from "./follower.js";
export type { ProcessInvitation, WorkerInvitation } from "./invitation.js";
export type { Show, ShowOptions } from "./show.js";
