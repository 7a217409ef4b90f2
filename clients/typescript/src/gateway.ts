/**
 * One connection to a gateway, with the four clients of the contract on it.
 *
 * It adds what every caller needs and nothing more: address and token from the environment, TLS everywhere but on this
 * machine, a deadline on every unary call, and the retry policy. Streams, orders and errors are those of the stubs.
 */

import { createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { AccountService } from "./gen/execsvc/v1/account_service_pb.js";
import { AdminService } from "./gen/execsvc/v1/admin_service_pb.js";
import { MarketDataService } from "./gen/execsvc/v1/market_data_service_pb.js";
import { OrderService } from "./gen/execsvc/v1/order_service_pb.js";
import { retryInterceptor } from "./retry.js";
import { readToken } from "./token-file.js";
import { secureOptions, tlsFromEnv, type TlsFiles } from "./tls.js";

/** Version of this client, told to the server with every call. */
export const version = "0.1.0";

const defaultTarget = "127.0.0.1:50051";
const defaultTimeoutMs = 10_000;
// A reader that stalls must not hoard stale ticks: 64 KiB is HTTP/2's own default, pinned here against a larger one.
const receiveWindow = 65_535;
const maxMessage = 16 * 1024 * 1024;
// Finds a dead link in about a minute, and stays within what a server takes for politeness.
const alive = { pingIntervalMs: 45_000, pingTimeoutMs: 15_000 };

export interface GatewayOptions {
  /** host:port */
  readonly target?: string;
  /** The caller's bearer token. */
  readonly token?: string;
  /** TLS with these files, to this machine too; without them TLS with Node's roots, to others alone. */
  readonly tls?: TlsFiles;
  /** Without TLS; by default to this machine only. */
  readonly plaintext?: boolean;
  /** Deadline of unary calls that name none. */
  readonly timeoutMs?: number;
}

export interface Gateway {
  readonly target: string;
  readonly marketData: Client<typeof MarketDataService>;
  readonly orders: Client<typeof OrderService>;
  readonly account: Client<typeof AccountService>;
  readonly admin: Client<typeof AdminService>;
  /** Ends the connection and every stream on it. */
  close(): void;
}

/**
 * EXECSVC_TARGET, EXECSVC_TOKEN or the content of EXECSVC_TOKEN_FILE, and the names of the TLS files. Throws when two
 * variables contradict each other, and on a token file that cannot be read, is empty, or is read by others too.
 */
export function fromEnv(env: NodeJS.ProcessEnv = process.env): GatewayOptions {
  const target = env["EXECSVC_TARGET"] || defaultTarget;
  const token = tokenFrom(env["EXECSVC_TOKEN"] ?? "", env["EXECSVC_TOKEN_FILE"] ?? "");
  const tls = tlsFromEnv(env);
  return { target, ...(token === "" ? {} : { token }), ...(tls === undefined ? {} : { tls }) };
}

function tokenFrom(token: string, file: string): string {
  if (file === "") return token;
  if (token !== "") throw new RangeError("EXECSVC_TOKEN and EXECSVC_TOKEN_FILE are both set: keep one");
  return readToken(file);
}

/** Makes the clients; the connection is opened by the first call. Throws where a token would travel in the open. */
export function connect(options: GatewayOptions = {}): Gateway {
  const { target = defaultTarget, token, tls, timeoutMs = defaultTimeoutMs } = options;
  if (tls !== undefined && options.plaintext === true) throw new RangeError("tls and plaintext: keep one");
  const { hostname } = new URL(`http://${target}`);
  const local = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  const plaintext = tls === undefined && (options.plaintext ?? local);
  if (token !== undefined && plaintext && !local) {
    throw new RangeError(`the token is not sent to ${target} without TLS`);
  }
  const baseUrl = `${plaintext ? "http" : "https"}://${target}`;
  const session = new Http2SessionManager(baseUrl, alive, {
    settings: { initialWindowSize: receiveWindow },
    ...(tls === undefined ? {} : secureOptions(tls)),
  });
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: session,
    readMaxBytes: maxMessage,
    interceptors: [identify(token), retryInterceptor()],
  });
  const timed = withTimeout(transport, timeoutMs);
  return {
    target,
    marketData: createClient(MarketDataService, timed),
    orders: createClient(OrderService, timed),
    account: createClient(AccountService, timed),
    admin: createClient(AdminService, timed),
    close: () => session.abort(),
  };
}

function identify(token: string | undefined): Interceptor {
  return (next) => (req) => {
    req.header.set("x-client-name", "execsvc-typescript");
    req.header.set("x-client-version", version);
    if (token !== undefined) req.header.set("authorization", `Bearer ${token}`);
    return next(req);
  };
}

/** A default deadline for unary calls alone: connect-es has one for all calls, which would end every stream. */
function withTimeout(inner: Transport, defaultMs: number): Transport {
  return {
    unary: (method, signal, timeoutMs, ...rest) => inner.unary(method, signal, timeoutMs ?? defaultMs, ...rest),
    stream: (...all) => inner.stream(...all),
  };
}
