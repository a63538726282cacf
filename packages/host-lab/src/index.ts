/**
 * Several hosts on one machine: network namespaces with a network between them that can be slow, lose packets and break, NATS
 * servers that can die, and processes on these hosts that are told what to do by lines of JSON.
 *
 * All of it ends with its owner, also when that is killed.
 */
export { DelayProxy } from "./delay.js";
export { Lab, type LabHost } from "./lab.js";
export { missing, type Need } from "./missing.js";
export { startCluster, startNats, type NatsServer } from "./nats.js";
export { Party } from "./party.js";
export { answer, tell } from "./answer.js";
