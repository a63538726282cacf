import type { Feature } from "../domain/feature.js";
import type { ValidationReport } from "../validation-report.js";
import { Validator } from "./validator.js";

/** What a domain does to show mistakes of the program. */
export interface ValidatorMembers {
  /** What the validator of this thread has found, in the order in which it was found; nothing in a domain without one. */
  readonly reports: readonly ValidationReport[];
}

/** Looks for mistakes in one agent, if the domain was made so. */
export const VALIDATOR: Feature<ValidatorMembers> = {
  name: "validator",
  shares: ["validator"],
  steps: [],
  install({ agent }) {
    const { validate = true } = agent.options;
    if (agent.layout.sizes.orders === 0 || validate === false) return { reports: [] };
    const validator = new Validator(agent, validate === true ? {} : validate);
    agent.validation = validator;
    agent.held.validation = validator;
    return { reports: validator.reports.list };
  },
};
