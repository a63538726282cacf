import { ARRAY, check, checkOptions, FUNCTION, milliseconds, NAME, type Kind, type Kinds } from "../arguments.js";
import { agentOf, MEMBER, type DomainBase, type MemberOptions } from "../domain-base.js";
import type { JoinOptions } from "../join-options.js";
import { deadIn, isLive, slotOf } from "../domain/agent-slot.js";
import { DmaBufError, type PlainError } from "../errors.js";
import type { Invitation } from "../thread-domain.js";

/**
 * How a page introduces a worker, or a worklet, to its domain.
 *
 * introduction.1. There is one message, {@link Letter}. The answer comes by a port of its own: the handlers of the program
 *     see neither, and their messages are left alone.
 * introduction.2. An invitation ends in one of two ways, which its compare-exchange decides: it is used, and the call
 *     resolves, or it is taken back, and the call rejects. What fails after it was used is an uncaught error of an agent
 *     that has joined.
 */

/** A domain that invites: that of `dmabuf` or that of `dmabuf/streams`. */
export interface InvitingDomain {
  /** See `invite()` of a domain. */
  invite(options: { readonly name: string; readonly limit: number }): Invitation;
  /** See `revoke()` of a domain. */
  revoke(invitation: Invitation): boolean;
}

/** A class of domains that can be joined: that of `dmabuf` or that of `dmabuf/streams`. */
export interface JoinableDomain<Joined extends ReadyDomain> {
  /** See `Domain.join()`. */
  join(invitation: Invitation, options?: JoinOptions): Joined;
}

/** What joining has given. */
export interface ReadyDomain {
  /** See `ready` of a domain. */
  readonly ready: Promise<void>;
  /** Leaves it. */
  close(): void;
}

/** What the invited side has got. */
export interface Introduced<Joined, Data> {
  /** The domain, joined. */
  readonly domain: Joined;
  /** What the inviter has sent along. */
  readonly data: Data;
}

/** What the inviting side may choose. */
export interface IntroductionOptions {
  /** The agent's name, for people; at most 31 bytes of UTF-8. */
  readonly name?: string;
  /** What is sent along, such as handles: anything that can be posted. */
  readonly data?: unknown;
  /** What of `data` is transferred. */
  readonly transfer?: readonly object[];
  /** Milliseconds for the other side to join; `Infinity` for no limit. Default 60,000. */
  readonly limit?: number;
}

/** The message; `dmabuf` says what it is. */
interface Letter {
  readonly dmabuf: "invitation";
  readonly invitation: Invitation;
  readonly data: unknown;
  /** For the answer: null, or the error. */
  readonly answer: { postMessage(error: PlainError | null): void };
}

export const INTRODUCTION: Kinds<IntroductionOptions> = {
  name: NAME,
  data: { wanted: "anything", isKind: () => true },
  transfer: {
    wanted: "an array of objects",
    isKind: (value) => ARRAY.isKind(value) && (value as unknown[]).every((item) => typeof item === "object"),
  },
  limit: /* @__PURE__ */ milliseconds(0, Infinity),
};
const JOINABLE: Kind = {
  wanted: "the class Domain, of dmabuf or dmabuf/streams",
  // An array has a join(), too.
  isKind: (value) => FUNCTION.isKind(value) && FUNCTION.isKind((value as Partial<JoinableDomain<never>>).join),
};
const LIMIT = 60_000;
const LONGEST_TIMER = 0x7fff_ffff;

/** As much of an `EventTarget` as is used. */
interface Listened {
  addEventListener(type: string, heard: (event: Event) => void): void;
  removeEventListener(type: string, heard: (event: Event) => void): void;
}

/** Listens to several types of events; returns what ends that. */
export function listen(target: Listened, types: readonly string[], heard: (event: Event) => void): () => void {
  for (const type of types) target.addEventListener(type, heard);
  return () => {
    for (const type of types) target.removeEventListener(type, heard);
  };
}

/** What is introduced, as the inviting side knows it. */
export interface Acquaintance {
  /** Listens for what fails in it, and calls back each time: true if the call rejects with it. Returns what ends the listening. */
  readonly heed: (failed: (error: Error) => boolean) => () => void;
  /** Something has failed in it after it has joined. */
  readonly lost: (invitation: Invitation) => void;
}

/** Invites, posts the letter, and waits until the other side has joined and its end would be noticed. */
export async function introduce(
  domain: InvitingDomain,
  to: { postMessage(letter: Letter, transfer: never[]): void },
  { name = "worker", data, transfer = [], limit = LIMIT }: IntroductionOptions,
  { heed, lost }: Acquaintance,
): Promise<{ readonly name: string; readonly invitation: Invitation; readonly ended: Promise<void> }> {
  const invitation = domain.invite({ name, limit: Infinity });
  const { port1, port2 } = new MessageChannel();
  let hasJoined = false;
  let isLost = false;
  let isOver = false;
  let stopListening = (): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = endOf(domain, invitation);
  const ended = over.then(() => {
    isOver = true;
    stopListening();
  });
  const takesBack = (): boolean => !isOver && domain.revoke(invitation);
  try {
    await new Promise<void>((resolve, reject) => {
      stopListening = heed((error) => {
        const isTold = takesBack();
        if (isTold) reject(error);
        else if (hasJoined) lost(invitation);
        else isLost = true;
        return isTold;
      });
      const fails = (code: "ETIMEDOUT" | "ECANCELED", why: string): void =>
        reject(new DmaBufError(code, `Cannot connect "${name}": ${why}`));
      if (limit <= LONGEST_TIMER)
        timer = setTimeout(() => takesBack() && fails("ETIMEDOUT", `it has not joined in ${limit} ms`), limit);
      // One that has ended had joined: the answer may come later, or never.
      void over.then((isOwn) => (isOwn ? fails("ECANCELED", "this thread has left the domain") : resolve()));
      port1.onmessage = ({ data: error }: MessageEvent<PlainError | null>) =>
        error === null ? resolve() : reject(DmaBufError.from(error));
      const letter: Letter = { dmabuf: "invitation", invitation, data, answer: port2 };
      to.postMessage(letter, [invitation.port, port2, ...transfer] as never[]);
    });
  } catch (error) {
    takesBack();
    stopListening();
    throw error;
  } finally {
    clearTimeout(timer);
    port1.close();
  }
  hasJoined = true;
  if (isLost) lost(invitation);
  return { name, invitation, ended };
}

/**
 * Resolves when the agent has left, or is dead and what it held is given back, and when this one leaves; with whether it was
 * this one.
 */
function endOf(domain: InvitingDomain, { identity }: Invitation): Promise<boolean> {
  const agent = agentOf(domain as unknown as DomainBase);
  const isDead = (): boolean => deadIn(agent, slotOf(identity)) === identity;
  return new Promise((resolve) => {
    const gone = {
      arm() {},
      ready: () => !isLive(agent, identity) && !isDead(),
      // Nothing tells of the end of what its reaper does.
      recheckAfter: () => (isDead() ? 1 : Infinity),
    };
    agent.watch(
      gone,
      () => resolve(false),
      () => resolve(true),
    );
  });
}

/** Waits for the letter, and joins. @param from Where it comes. @param begin Called once its arrival is listened for. */
export async function beIntroduced<Joined extends ReadyDomain, Data>(
  call: string,
  from: Listened,
  begin: () => void,
  Domain: JoinableDomain<Joined>,
  options?: JoinOptions,
): Promise<Introduced<Joined, Data>> {
  check(call, "Domain", Domain, JOINABLE);
  if (options !== undefined) checkOptions<MemberOptions>(call, options, MEMBER);
  const { invitation, data, answer } = await new Promise<Letter>((resolve) => {
    const end = listen(from, ["message"], (event) => {
      const letter = (event as MessageEvent<Letter | null | undefined>).data;
      if (letter?.dmabuf !== "invitation") return;
      end();
      event.stopImmediatePropagation();
      resolve(letter);
    });
    begin();
  });
  try {
    const domain = Domain.join(invitation, options);
    await domain.ready;
    answer.postMessage(null);
    return { domain, data: data as Data };
  } catch (error) {
    answer.postMessage(error instanceof DmaBufError ? error.toPlain() : { code: "EINVAL", message: String(error) });
    throw error;
  }
}
