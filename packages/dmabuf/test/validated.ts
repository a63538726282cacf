import type { DomainOptions } from "../src/thread-domain.js";
import type { Domain } from "../src/threads.js";
import type { ValidationReport } from "../src/validation-report.js";
import type { ValidateOptions } from "../src/domain/validation.js";
import { createDomain, joinDomain } from "./agents.js";

type Context = Parameters<typeof createDomain>[0];

/** An agent of a validated domain, and what it has reported. */
export interface Validated {
  readonly domain: Domain;
  readonly reports: readonly ValidationReport[];
  /** The codes of what was reported since the last call. */
  readonly takeCodes: () => string[];
}

function seen(create: (validate: ValidateOptions) => Domain): Validated {
  const reports: ValidationReport[] = [];
  let taken = 0;
  const domain = create({ onReport: (report) => void reports.push(report) });
  const takeCodes = (): string[] => reports.slice(taken, (taken = reports.length)).map(({ code }) => code);
  return { domain, reports, takeCodes };
}

export function createValidated(t: Context, options: DomainOptions = {}, more: ValidateOptions = {}): Validated {
  return seen((validate) => createDomain(t, { ...options, validate: { ...more, ...validate } }));
}

export function joinValidated(t: Context, inviter: Domain, name = "worker"): Validated {
  return seen((validate) => joinDomain(t, inviter, name, { validate }));
}
