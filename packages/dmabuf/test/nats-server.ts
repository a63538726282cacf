import type { TestContext } from "node:test";
import { missing, startNats, type NatsServer } from "dmabuf-host-lab";

/** Options of a test that needs a NATS server. */
export const WITH_NATS = { skip: missing("nats") ?? false, timeout: 120_000 };

/**
 * Starts a real one, which ends with the test.
 *
 * @param settings Lines of its configuration.
 */
export async function startServer(t: TestContext, ...settings: readonly string[]): Promise<NatsServer> {
  const server = await startNats(undefined, settings);
  t.after(() => server.close());
  return server;
}
