import { check, checkOptions, type Kinds } from "../../arguments.js";
import type { Host } from "../../host/host.js";
import { FRAME_STREAM, type FrameStream } from "../../stream/frame-stream.js";
import { checkPlace } from "../joining/join-options.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";

/** What a server of visitors needs of the domain that it is in. */
export interface ServiceParts {
  readonly host: Host;
  readonly ledger: ResourceLedger;
  /** To be called when the server is closed. */
  readonly closed: () => void;
}

/** A domain, as it serves visitors. */
export interface ServiceHost extends Pick<ServiceParts, "host" | "ledger"> {
  /** What ends with the domain. */
  readonly endings: Set<() => void>;
}

/** A way to serve a stream to visitors. */
export interface VisitorService<Options, Server> {
  readonly kinds: Kinds<Options>;
  readonly make: (where: string, stream: FrameStream, options: Options, parts: ServiceParts) => Server;
}

/** Begins to serve, until the server is closed or the domain is left. @param domain Throws if it is left already. */
export function serve<Options extends object, Server extends Disposable>(
  call: string,
  { kinds, make }: VisitorService<Options, Server>,
  { where, stream, options }: { readonly where: string; readonly stream: FrameStream; readonly options: Options },
  domain: () => ServiceHost,
): Server {
  checkPlace(call, where);
  check(call, "stream", stream, FRAME_STREAM);
  checkOptions(call, options, kinds);
  const { endings, ...parts } = domain();
  const end = (): void => server[Symbol.dispose]();
  const server = make(where, stream, options, { ...parts, closed: () => void endings.delete(end) });
  endings.add(end);
  return server;
}
