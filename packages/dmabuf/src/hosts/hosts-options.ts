import {
  ABORT_SIGNAL,
  FLAG,
  isName,
  isText,
  listOf,
  milliseconds,
  NAME,
  OBJECT,
  required,
  TEXT,
  TIMEOUT,
  integer,
  type Kind,
  type Kinds,
} from "../arguments.js";
import { USERS } from "../node/joining/join-options.js";
import { ADDRESS, parseAddress } from "./links/address.js";
import { LEAST_LIMIT, MOST_LIMIT } from "./links/facts.js";

/** Options of a host that joins others. */
export interface HostsOptions {
  /** The host's name, for people; 1 to 31 bytes of UTF-8, without control characters. Default: the machine's. */
  readonly name?: string;
  /**
   * The address of this machine that the host listens at, for all others: there is no default, because all that can reach the
   * address can try to connect. `127.0.0.1` is for hosts on one machine.
   */
  readonly bind: string;
  /** The port that it listens at. Default: one that is free. */
  readonly port?: number;
  /**
   * Where others find this host, as `10.0.0.1:7400`, if that is not where it listens. Default: the address and the port that it
   * listens at; of a host that listens at all of its addresses, the one that the other has met it at.
   */
  readonly advertise?: string;
  /**
   * NATS servers, by which hosts find each other, as `nats://10.0.0.1:4222`: of one cluster of servers, any that is there is used.
   * Neither frames nor beats go through them.
   */
  readonly servers?: readonly string[];
  /** More options of the `connect()` of `@nats-io/transport-node`, such as `user`, `pass`, `token` or `tls`. */
  readonly nats?: object;
  /** Where other hosts are, as `10.0.0.2:7400`. This one connects to each, and again whenever it is lost. */
  readonly peers?: readonly string[];
  /** What all hosts of the cluster know, and no other: at least 16 bytes of UTF-8. A host proves that it knows it, and does not say it. */
  readonly key?: string;
  /**
   * Whether all that hosts say and send to each other goes through TLS, with a key from `key` or from NATS: so no other one on the network
   * can read or change it, and it costs more than half of the throughput. All hosts of the cluster have it, or none. Default: no.
   */
  readonly tls?: boolean;
  /** Hosts of one name of a cluster find each other: letters, digits, `-` and `_`. Default "dmabuf". */
  readonly cluster?: string;
  /**
   * Milliseconds of silence after which a host counts as lost. Of two hosts the larger limit counts for both. Default 1,000.
   */
  readonly hostLimit?: number;
  /** Bytes of other hosts' buffers that workers of this one keep for later jobs. Default 256 MiB. */
  readonly cacheBytes?: number;
  /**
   * Other users whose processes may use this host's agent, beside this user's and root's, by their numbers: as those that the
   * domain lets in. Default: none.
   */
  readonly users?: readonly number[];
  /** The names of this host's streams that other hosts may have. Default: all of its domain. */
  readonly offers?: "all" | readonly string[];
}

/** Options of a process that joins other hosts through its host's agent. */
export interface ConnectHostsOptions {
  /** Milliseconds to wait for the agent's answer. Default 5,000. */
  readonly timeout?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
  /** Other users whose agent it may be, as in {@link HostsOptions}. */
  readonly users?: readonly number[];
}

const KEY_BYTES = 16;

const KEY: Kind = {
  wanted: `a string of at least ${KEY_BYTES} bytes of UTF-8`,
  isKind: (value) => typeof value === "string",
  isTaken: (key: string) => isText(key) && Buffer.byteLength(key) >= KEY_BYTES,
  // It is a secret.
  nameOf: () => "another value",
};

const BIND: Kind = {
  wanted: 'an address of this machine, such as "10.0.0.1"',
  isKind: (value) => typeof value === "string",
  isTaken: (bind: string) =>
    bind !== "" && parseAddress(bind.includes(":") ? `[${bind}]:1` : `${bind}:1`) !== undefined,
};

const CLUSTER: Kind = {
  wanted: 'a name of letters, digits, "-" and "_"',
  isKind: (value) => typeof value === "string",
  isTaken: (name: string) => /^[\w-]{1,31}$/.test(name),
  code: "EINVAL",
};

const SERVER: Kind = { ...TEXT, isTaken: (server: string) => server !== "" };
const SERVERS = listOf('addresses of NATS servers, such as ["nats://10.0.0.1:4222"]', SERVER, 1);

const ADDRESSES = listOf('addresses and ports, such as ["10.0.0.2:7400"]', ADDRESS);

const OFFERS: Kind = {
  wanted: '"all" or an array of names, each of 1 to 31 bytes of UTF-8',
  isKind: (value) => value === "all" || (Array.isArray(value) && value.every((one) => typeof one === "string")),
  isTaken: (value: "all" | readonly string[]) => value === "all" || value.every((name) => name !== "" && isName(name)),
};

/** It is in lines of other hosts' terminals and in a hello of limited length, where a control character takes six bytes. */
const HOST_NAME: Kind = {
  ...NAME,
  wanted: `${NAME.wanted}, not empty and without control characters`,
  isTaken: (name: string) => name !== "" && isName(name) && !/\p{Cc}/u.test(name),
};

export const HOSTS: Kinds<HostsOptions> = {
  name: HOST_NAME,
  bind: required(BIND),
  port: integer(0, 65_535),
  advertise: ADDRESS,
  servers: SERVERS,
  nats: OBJECT,
  peers: ADDRESSES,
  key: KEY,
  tls: FLAG,
  cluster: CLUSTER,
  hostLimit: milliseconds(LEAST_LIMIT, MOST_LIMIT),
  cacheBytes: integer(0),
  users: USERS,
  offers: OFFERS,
};

export const CONNECT_HOSTS: Kinds<ConnectHostsOptions> = { timeout: TIMEOUT, signal: ABORT_SIGNAL, users: USERS };
