import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, fromEnv, type GatewayOptions } from "@execsvc/client";

test("a token never leaves this machine in the open", () => {
  const rows: [GatewayOptions, boolean][] = [
    [{ target: "10.1.2.3:50051", token: "t", plaintext: true }, true],
    [{ target: "gateway.internal:50051", token: "t", plaintext: true }, true],
    [{ target: "127.0.0.1.example.com:50051", token: "t", plaintext: true }, true],
    [{ target: "gateway.internal:50051", token: "t" }, false],
    [{ target: "gateway.internal:50051", plaintext: true }, false],
    [{ target: "127.0.0.1:50051", token: "t" }, false],
    [{ target: "[::1]:50051", token: "t" }, false],
    [{ target: "localhost:50051", token: "t" }, false],
    [{ token: "t" }, false],
  ];
  for (const [options, refused] of rows) {
    const attempt = () => connect(options).close();
    if (refused) assert.throws(attempt, RangeError, JSON.stringify(options));
    else assert.doesNotThrow(attempt, JSON.stringify(options));
  }
});

test("a token comes from one place or not at all", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "execsvc-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const [full, empty] = [join(folder, "full"), join(folder, "empty")];
  writeFileSync(full, "from-file\n");
  writeFileSync(empty, " \n");
  const read = (token: string, file: string) => fromEnv({ EXECSVC_TOKEN: token, EXECSVC_TOKEN_FILE: file }).token;
  assert.equal(read("from-env", ""), "from-env");
  assert.equal(read("", full), "from-file");
  assert.equal(read("", ""), undefined);
  for (const [token, file] of [["from-env", full], ["", empty], ["", join(folder, "absent")]] as const) {
    assert.throws(() => read(token, file), Error, `${token} and ${file}`);
  }
});
