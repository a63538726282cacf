import { DmaBufError } from "../errors.js";
import { Core, type Feature } from "./feature.js";
import { hasFeature } from "./shared-features.js";

/** A feature in a domain that may have been made without it: its members are then there, and refuse. */
export function orRefused(feature: Feature): Feature {
  const { shares, install } = feature;
  return {
    ...feature,
    install(core) {
      const { sizes } = core.agent.layout;
      const isAbsent = shares.length > 0 && shares.every((name) => !hasFeature(sizes, name));
      return isAbsent ? refused(feature, core) : install(core);
    },
  };
}

function refused({ name, install }: Feature, { agent }: Core): object {
  const refuse = (): never => {
    throw new DmaBufError("EOPNOTSUPP", `The domain was made without the feature "${name}"`);
  };
  return Object.fromEntries(Object.keys(install(new Core(agent, {}))).map((member) => [member, refuse]));
}
