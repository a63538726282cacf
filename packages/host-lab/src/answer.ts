/** The side of a program that is a {@link Party}: orders come as lines of JSON, and answers and news go as such. */
import process from "node:process";
import { createInterface } from "node:readline";

/** Something that was asked; `id` is that of its answer. */
export interface Asked {
  readonly id: number;
  readonly order: string;
  readonly body: unknown;
}

export type Said =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failed: string; readonly code: string | undefined }
  | { readonly news: string; readonly body: unknown };

/**
 * Carries out orders that come by the standard input, each as soon as it comes, and ends this process when that ends.
 *
 * @param orders What is done for each order; what it returns is the answer.
 */
export function answer(orders: Readonly<Record<string, (body: never) => unknown>>): void {
  const obey = async ({ id, order, body }: Asked): Promise<void> => {
    try {
      const act = orders[order];
      if (act === undefined) throw new Error(`Cannot obey: there is no order ${order}`);
      write({ id, answer: (await act(body as never)) ?? null });
    } catch (error) {
      const { stack, code } = error as Error & { code?: string };
      write({ id, failed: stack ?? String(error), code });
    }
  };
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => void obey(JSON.parse(line) as Asked));
  // Its owner has died.
  lines.on("close", () => process.exit(1));
}

/** Tells the owner something that it has not asked for. */
export function tell(news: string, body: unknown = null): void {
  write({ news, body });
}

function write(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
