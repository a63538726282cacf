import { check, checkObject, FUNCTION } from "../arguments.js";
import type { Feature } from "../domain/feature.js";
import type { ValidationReport } from "../validation-report.js";
import { COOKIE, NO_COOKIE, type SignallingCookie } from "./signalling.js";
import { Validator } from "./validator.js";

/** What a domain does to show mistakes of the program. */
export interface ValidatorMembers {
  /** What the validator of this thread has found, in the order in which it was found; nothing in a domain without one. */
  readonly reports: readonly ValidationReport[];
  /**
   * Says that what this code does from now on must be done before a fence signals that others know: a signalling section. A
   * validated domain reports what waits for a fence in it, locks a reservation, asks an exporter, or takes something of
   * the domain. Otherwise it does nothing.
   *
   * @returns What {@link endSignalling} is to get.
   */
  beginSignalling(): SignallingCookie;
  /**
   * Ends a signalling section.
   *
   * @param cookie What {@link beginSignalling} has given.
   * @throws {TypeError} If it is none.
   */
  endSignalling(cookie: SignallingCookie): void;
  /** A signalling section that ends with its scope: `using section = domain.signallingSection()`. */
  signallingSection(): Disposable;
  /**
   * Runs a function as a signalling section, which lasts until the function has returned, or the promise that it returns
   * has settled.
   *
   * @returns What the function returns.
   * @throws What the function throws.
   */
  signalling<T>(run: () => T): T;
}

/** Looks for mistakes in one agent, if the domain was made so. */
export const VALIDATOR: Feature<ValidatorMembers> = {
  name: "validator",
  shares: ["validator"],
  steps: [],
  install(core) {
    const { agent } = core;
    const { validate = true } = agent.options;
    const isOn = agent.layout.sizes.orders > 0 && validate !== false;
    const validator = isOn ? new Validator(agent, validate === true ? {} : validate) : undefined;
    const signalling = validator?.signalling;
    agent.validation = validator;
    if (validator !== undefined) {
      agent.held.validation = validator;
      core.onClose(() => validator.finish());
      core.onLeft(() => validator.close());
    }
    const beginSignalling = (): SignallingCookie => signalling?.begin() ?? NO_COOKIE;
    const endSignalling = (cookie: SignallingCookie): void => {
      checkObject("Domain.endSignalling()", "cookie", cookie, COOKIE);
      signalling?.end(cookie);
    };
    return {
      reports: validator?.reports.list ?? [],
      beginSignalling,
      endSignalling,
      signallingSection() {
        const cookie = beginSignalling();
        return { [Symbol.dispose]: () => endSignalling(cookie) };
      },
      signalling(run) {
        check("Domain.signalling()", "run", run, FUNCTION);
        return signalling === undefined ? run() : signalling.run(run);
      },
    };
  },
};
