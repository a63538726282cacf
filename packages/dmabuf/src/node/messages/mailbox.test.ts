import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { claimAgentSlot, retireAgentSlot, slotOf, type Member } from "../../domain/agent-slot.js";
import { ControlSegment } from "../joining/control-segment.js";
import { ALL_FEATURES } from "../../domain/shared-features.js";
import { leaveLedger } from "../resources/process-ledgers.js";
import { threadLedger } from "../resources/thread-ledger.js";
import { closeDescriptor, createPipe, readDescriptor } from "../system-calls/index.js";
import { Mailbox } from "./mailbox.js";
import type { Message } from "./message.js";

const LIMITED = { timeout: 30_000 };
const ASK: Message = { kind: "ask for streams" };

/** A domain with room for two agents, and what gives it another one with its mailbox. */
function domain(t: TestContext) {
  const ledger = threadLedger();
  const segment = ControlSegment.create({ agents: 2 }, ALL_FEATURES, ledger);
  t.after(() => {
    segment.close();
    leaveLedger(segment.files.ledger);
  });
  const warnings: string[] = [];
  const join = (name: string): { readonly member: Member; readonly mailbox: Mailbox } => {
    const { memory, layout, protocol, files } = segment;
    const member = { memory, layout, protocol, identity: claimAgentSlot(segment, name) };
    return { member, mailbox: new Mailbox(member, files, ledger, (warning) => warnings.push(warning)) };
  };
  return { segment, join, warnings };
}

test("mailbox.2: a full mailbox refuses a message, and takes one again when some were taken out", LIMITED, (t) => {
  const { join } = domain(t);
  const [{ mailbox: sender }, { member, mailbox: receiver }] = [join("sender"), join("receiver")];
  let sent = 0;
  while (sender.send(member.identity, ASK)) sent++;
  assert.ok(sent > 0);
  assert.equal(sender.send(member.identity, ASK), false);
  assert.equal([...receiver.take()].length, sent);
  assert.equal(sender.send(member.identity, ASK), true);
});

test("mailbox.4: the next agent in a slot gets nothing that was meant for the one before", LIMITED, (t) => {
  const { segment, join, warnings } = domain(t);
  const [{ mailbox: sender }, first] = [join("sender"), join("first")];
  const { reader, writer } = createPipe();
  t.after(() => closeDescriptor(reader));
  assert.ok(sender.send(first.member.identity, { kind: "descriptor", name: "pipe" }, [writer]));
  closeDescriptor(writer);
  retireAgentSlot(segment, first.member.identity);
  const second = join("second");
  assert.equal(slotOf(second.member.identity), slotOf(first.member.identity));
  assert.equal(sender.send(first.member.identity, ASK), false);
  assert.ok(sender.send(second.member.identity, ASK));
  assert.deepEqual(
    [...second.mailbox.take()].map(({ message }) => message),
    [ASK],
  );
  assert.deepEqual(warnings, []);
  // The descriptor was closed with the message.
  assert.equal(readDescriptor(reader, Buffer.alloc(1)), 0);
});

test("mailbox.6: an agent whose messages never end goes on, and comes back for the rest", LIMITED, (t) => {
  const { segment, join } = domain(t);
  const [{ mailbox: sender }, { member, mailbox: receiver }] = [join("sender"), join("receiver")];
  assert.ok(sender.send(member.identity, ASK));
  const bell = segment.files.bells[slotOf(member.identity)]!;
  let taken = 0;
  for (const { message } of receiver.take()) {
    assert.deepEqual(message, ASK);
    assert.ok(++taken < 10_000, "it goes on with its own work");
    assert.ok(sender.send(member.identity, ASK));
    while ((readDescriptor(bell, Buffer.alloc(64)) ?? 0) > 0);
  }
  assert.ok(taken > 100);
  assert.equal(receiver.hasMessages, true);
  assert.equal(readDescriptor(bell, Buffer.alloc(64)), 1, "its event loop is woken once more");
});
