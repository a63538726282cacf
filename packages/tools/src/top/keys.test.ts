import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, isQuit, type Pressed } from "./keys.js";
import { FIRST_CHOICE, type Choice } from "./screen.js";

const NO_KEY: Pressed["key"] = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageUp: false,
  pageDown: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  tab: false,
  shift: false,
  ctrl: false,
  backspace: false,
  delete: false,
};

function key(name: keyof Pressed["key"]): Partial<Pressed> {
  return { input: "", key: { ...NO_KEY, [name]: true } };
}

/** After some keys, with 100 rows of which 10 fit. */
function after(choice: Choice, ...keys: (string | Partial<Pressed>)[]): Choice {
  return keys.reduce<Choice>((now, each) => {
    const pressed = typeof each === "string" ? { input: each, key: NO_KEY } : each;
    return choose(now, { input: "", key: NO_KEY, count: 100, fit: 10, ...pressed });
  }, choice);
}

test("rows are scrolled no further than to the first and the last one", () => {
  assert.equal(after(FIRST_CHOICE, key("upArrow")).offset, 0);
  assert.equal(after(FIRST_CHOICE, key("downArrow"), "j").offset, 2);
  assert.equal(after(FIRST_CHOICE, key("end"), key("pageDown")).offset, 90);
  assert.equal(after(FIRST_CHOICE, "G", key("pageUp")).offset, 80);
  assert.equal(after(FIRST_CHOICE, "G", key("home")).offset, 0);
  // Fewer rows than before.
  assert.equal(after({ ...FIRST_CHOICE, offset: 500 }, key("upArrow")).offset, 89);
});

test("views, columns and the order go around, each view with its own", () => {
  assert.deepEqual(
    [after(FIRST_CHOICE, key("tab")).view, after(FIRST_CHOICE, ...Array.from({ length: 4 }, () => key("tab"))).view],
    [1, 0],
  );
  const choice = after(FIRST_CHOICE, key("leftArrow"), "r", "2", "r", "1");
  assert.deepEqual(choice.sorts[0], { column: 1, descending: false });
  assert.deepEqual(choice.sorts[1], { column: 4, descending: false });
  assert.equal(after(FIRST_CHOICE, "9").view, 0);
});

test("while a filter is typed keys are letters, and Ctrl-C quits still", () => {
  const typing = after(FIRST_CHOICE, "/", ..."qr2 x\u007f");
  assert.deepEqual([typing.filter, typing.view, typing.isTyping], ["qr2 ", 0, true]);
  const pressed = (input: string, ctrl = false): Pressed => ({ input, key: { ...NO_KEY, ctrl }, count: 0, fit: 1 });
  assert.deepEqual(
    [isQuit(typing, pressed("q")), isQuit(typing, pressed("c", true)), isQuit(FIRST_CHOICE, pressed("q"))],
    [false, true, true],
  );
  assert.equal(after(typing, key("backspace"), key("return")).filter, "qr2");
  assert.deepEqual(after(typing, key("escape")).filter, "");
  assert.equal(after(FIRST_CHOICE, " ", " ").isPaused, false);
});
