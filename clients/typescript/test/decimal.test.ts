import assert from "node:assert/strict";
import { test } from "node:test";
import { compareDecimals, percentOf } from "@execsvc/client";

test("decimals compare by value", () => {
  const rows = [
    ["1.50", "1.5", 0],
    ["0", "0.000000000000000000", 0],
    ["0.1", "0.09999999999999999", 1],
    ["-2", "1", -1],
    ["123456789012345678.000000000000000001", "123456789012345678", 1],
  ] as const;
  for (const [a, b, want] of rows) assert.equal(compareDecimals(a, b), want, `${a} against ${b}`);
});

test("other text is no decimal", () => {
  for (const text of ["", "1e3", "+1", "01", ".5", "1.", "-0", "1_0", "1/2", "0x1", " 1", "1\n", "1234567890123456789"]) {
    assert.throws(() => compareDecimals(text, "1"), RangeError, JSON.stringify(text));
  }
});

test("a percentage is rounded down to the increment", () => {
  const rows = [
    ["60000.1", 97, "0.1", "58200.0"],
    ["60000.1", 100, "0.1", "60000.1"],
    ["3.17", 97, "0.05", "3.05"],
    ["0.0000123", 97, "0.0000001", "0.0000119"],
    ["999", 97, "5", "965"],
    ["0.01", 97, "0.1", "0.0"],
    ["123456789012345678.9", 97, "0.000000000000000001", "119753085341975308.533000000000000000"],
  ] as const;
  for (const [price, percent, increment, want] of rows) {
    assert.equal(percentOf(price, percent, increment), want, `${percent} % of ${price}`);
  }
});

test("a percentage needs a price and an increment", () => {
  for (const [price, increment] of [["-1", "0.1"], ["1", "0"], ["1", "-0.1"], ["x", "0.1"], ["1", "x"]] as const) {
    assert.throws(() => percentOf(price, 97, increment), RangeError, `97 % of ${price} by ${increment}`);
  }
});
