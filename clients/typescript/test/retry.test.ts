import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { retryPolicy } from "@execsvc/client";
import { waitBefore } from "../src/retry.js";

const middle = { attempts: 1, backoffs: 0, chance: 0.5 };

function failure(code: Code, pushback?: string): ConnectError {
  return new ConnectError("no", code, pushback === undefined ? {} : { "grpc-retry-pushback-ms": pushback });
}

test("only what the policy names is repeated, and only so often", () => {
  const unavailable = failure(Code.Unavailable);
  assert.equal(waitBefore(retryPolicy, failure(Code.ResourceExhausted), middle)?.ms, 50);
  assert.equal(waitBefore(retryPolicy, failure(Code.DeadlineExceeded), middle), undefined);
  assert.equal(waitBefore(retryPolicy, failure(Code.Internal, "5"), middle), undefined);
  assert.equal(waitBefore(retryPolicy, unavailable, { ...middle, attempts: 3 })?.ms, 50);
  assert.equal(waitBefore(retryPolicy, unavailable, { ...middle, attempts: 4 }), undefined);
});

test("the backoff doubles up to its bound, spread by a fifth", () => {
  const wait = (backoffs: number, chance = 0.5) =>
    waitBefore(retryPolicy, failure(Code.Unavailable), { attempts: 1, backoffs, chance })?.ms;
  assert.deepEqual([0, 1, 2, 9].map((backoffs) => wait(backoffs)), [50, 100, 200, 1000]);
  assert.deepEqual([0, 1].map((chance) => wait(0, chance)), [40, 60]);
});

test("the server's pushback is obeyed to the millisecond, and anything but a whole number says no", () => {
  const wait = (pushback: string) => waitBefore(retryPolicy, failure(Code.ResourceExhausted, pushback), middle);
  assert.deepEqual(wait("430"), { ms: 430, pushedBack: true });
  assert.deepEqual(wait("0"), { ms: 0, pushedBack: true });
  for (const refusal of ["-1", "", "soon", "1.5", "9999999999"]) assert.equal(wait(refusal), undefined, refusal);
});
