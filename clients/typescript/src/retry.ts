/**
 * Repeats calls as the gRPC service config of the project says (clients/retry.json).
 *
 * connect-es reads no service config and repeats nothing, so this interceptor does what the libraries of other languages
 * do by themselves: it repeats a call only before its answer began, obeys `grpc-retry-pushback-ms`, and tells the server
 * on every attempt how much of the caller's time is left. Repeating a placement is safe: its client order id is its key.
 */

import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { serviceConfig } from "./gen/retry.js";

const pushbackTrailer = "grpc-retry-pushback-ms";
const timeoutHeader = "grpc-timeout";
// The spread that gRPC puts on every backoff, so that callers refused together do not come back together.
const jitter = 0.2;

export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly backoffMultiplier: number;
  readonly codes: ReadonlySet<Code>;
}

/** The project's policy, the same figures in every language. */
export const retryPolicy: RetryPolicy = read(serviceConfig.methodConfig[0].retryPolicy);

type WirePolicy = (typeof serviceConfig)["methodConfig"][0]["retryPolicy"];

function read(wire: WirePolicy): RetryPolicy {
  return {
    maxAttempts: wire.maxAttempts,
    initialBackoffMs: milliseconds(wire.initialBackoff),
    maxBackoffMs: milliseconds(wire.maxBackoff),
    backoffMultiplier: wire.backoffMultiplier,
    codes: new Set(wire.retryableStatusCodes.map(codeNamed)),
  };
}

/** JSON writes a duration as seconds with an "s". */
function milliseconds(duration: string): number {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(duration);
  if (match === null) throw new RangeError(`not a duration: ${duration}`);
  return Number(match[1]) * 1000;
}

/** gRPC writes RESOURCE_EXHAUSTED where connect-es writes ResourceExhausted. */
function codeNamed(name: string): Code {
  const wanted = name.replaceAll("_", "").toLowerCase();
  for (const [key, value] of Object.entries(Code)) {
    if (key.toLowerCase() === wanted && typeof value === "number") return value;
  }
  throw new RangeError(`not a gRPC code: ${name}`);
}

/**
 * How long to wait before the next attempt, in milliseconds; undefined: there is none.
 *
 * @param backoffs how many waits since the last one that the server chose
 */
export function waitBefore(
  policy: RetryPolicy,
  error: ConnectError,
  { attempts, backoffs, chance }: { attempts: number; backoffs: number; chance: number },
): { ms: number; pushedBack: boolean } | undefined {
  if (attempts >= policy.maxAttempts || !policy.codes.has(error.code)) return undefined;
  const pushback = error.metadata.get(pushbackTrailer);
  if (pushback !== null) {
    // -1, and whatever is no whole number, says: do not repeat.
    return /^\d{1,9}$/.test(pushback) ? { ms: Number(pushback), pushedBack: true } : undefined;
  }
  const backoff = Math.min(policy.initialBackoffMs * policy.backoffMultiplier ** backoffs, policy.maxBackoffMs);
  return { ms: Math.round(backoff * (1 - jitter + 2 * jitter * chance)), pushedBack: false };
}

/** The interceptor; put it last, so that it is the one next to the wire. */
export function retryInterceptor(policy: RetryPolicy = retryPolicy): Interceptor {
  return (next) => async (req) => {
    const fresh = await repeatable(req);
    if (fresh === undefined) return next(req);
    const deadline = deadlineOf(req.header);
    let backoffs = 0;
    for (let attempts = 1; ; attempts++) {
      try {
        return await next(fresh());
      } catch (cause) {
        const error = ConnectError.from(cause);
        const wait = waitBefore(policy, error, { attempts, backoffs, chance: Math.random() });
        // A wait that outlasts the caller's time would end in a bare timeout: the refusal itself says more.
        if (wait === undefined || wait.ms >= deadline - performance.now() || req.signal.aborted) throw cause;
        backoffs = wait.pushedBack ? 0 : backoffs + 1;
        await sleep(wait.ms, req.signal);
        const left = deadline - performance.now();
        if (left !== Infinity) req.header.set(timeoutHeader, `${Math.max(1, Math.floor(left))}m`);
      }
    }
  };
}

/** Makes a request that can be sent several times; undefined where the caller's own stream is in it. */
async function repeatable(req: UnaryRequest | StreamRequest): Promise<(() => UnaryRequest | StreamRequest) | undefined> {
  if (!req.stream) return () => req;
  if (req.method.methodKind !== "server_streaming") return undefined;
  const messages: unknown[] = [];
  for await (const message of req.message) messages.push(message);
  return () => ({ ...req, message: replay(messages) }) as StreamRequest;
}

async function* replay(messages: readonly unknown[]): AsyncGenerator<unknown> {
  yield* messages;
}

/** When the caller's time is up, on the clock of performance.now(); Infinity without a deadline. */
function deadlineOf(header: Headers): number {
  const match = /^(\d+)m$/.exec(header.get(timeoutHeader) ?? "");
  return match === null ? Infinity : performance.now() + Number(match[1]);
}

/** Waits, or throws what the signal was aborted with. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(ConnectError.from(signal.reason, Code.Canceled));
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
