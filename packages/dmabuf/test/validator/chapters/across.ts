/** Locks that are kept while their holder waits for something else, though another agent needs them. */
import type { Case } from "../case.js";
import { lockEach, sleep } from "../parts.js";

/** Milliseconds that work elsewhere takes: longer than a wait is short. */
const WORK_MS = 400;

export const ACROSS: readonly Case[] = [
  {
    id: "across-request",
    mistake: "A lock is kept while data come from elsewhere, and another agent waits for it",
    code: "lock-across-await",
    source: {
      project: "rustasync/team",
      title: "Synchronisation primitives for async code",
      where: "https://github.com/rustasync/team/issues/33",
    },
    wrong: {
      async fetcher({ a, say }) {
        using _lock = await a.reservation.lock();
        say("locked");
        await sleep(WORK_MS);
      },
      async other({ a, hear }) {
        await hear("locked");
        await lockEach(a);
      },
    },
    right: {
      async fetcher({ a, say }) {
        say("locked");
        await sleep(WORK_MS);
        using _lock = await a.reservation.lock();
      },
      async other({ a, hear }) {
        await hear("locked");
        await lockEach(a);
      },
    },
  },
  {
    id: "across-answer",
    mistake: "A lock is kept until an agent answers that must have the lock to answer",
    code: "lock-across-await",
    also: ["deadlock"],
    culprits: ["asker"],
    source: {
      project: "qcoro",
      title: "Implement an awaitable `QMutex`",
      where: "https://github.com/qcoro/qcoro/issues/146",
    },
    wrong: {
      async asker({ a, say, hear }) {
        using _lock = await a.reservation.lock();
        say("question");
        await hear("answer");
      },
      async answerer({ a, say, hear }) {
        await hear("question");
        await lockEach(a);
        say("answer");
      },
    },
    right: {
      async asker({ a, say, hear }) {
        say("question");
        await hear("answer");
        await lockEach(a);
      },
      async answerer({ a, say, hear }) {
        await hear("question");
        await lockEach(a);
        say("answer");
      },
    },
  },
  {
    id: "across-context",
    mistake: "All locks of a submission are kept while its shaders are compiled",
    code: "lock-across-await",
    wrong: {
      async compiler({ domain, a, b, say }) {
        using _both = await domain.lockAll([a, b]);
        say("locked");
        await sleep(WORK_MS);
      },
      async other({ domain, b, c, hear }) {
        await hear("locked");
        using _both = await domain.lockAll([b, c]);
      },
    },
    right: {
      async compiler({ domain, a, b, say }) {
        await sleep(WORK_MS);
        say("locked");
        using _both = await domain.lockAll([a, b]);
      },
      async other({ domain, b, c, hear }) {
        await hear("locked");
        using _both = await domain.lockAll([b, c]);
      },
    },
  },
];
