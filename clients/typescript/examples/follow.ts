/**
 * Reads the public trades and the candles of BTC/USD and the balances of the account, each on a stream of its own, until
 * every one of them had news while LIVE.
 *
 * Prints one JSON line per message that has any. Usage: follow [seconds of patience, 30]
 * Exit 0: done; 1: failed, with the reason on stderr.
 */

import { connect, fromEnv, refusalOf } from "@execsvc/client";
import {
  FeedState,
  GapReason,
  type Balance,
  type Candle,
  type Gap,
  type StreamMeta,
  type SubscribeBalancesResponse,
  type SubscribeCandlesResponse,
  type SubscribeTradesResponse,
} from "@execsvc/client/v1";

const symbol = "BTC/USD";

/**
 * Prints what a message brought; true when it was news of a stream that is LIVE: anything else, a state newer than this
 * stub included, is nothing to act on.
 */
function say(step: string, event: string, meta: StreamMeta | undefined, facts: object): boolean {
  const state = meta?.feedState ?? FeedState.UNSPECIFIED;
  console.log(JSON.stringify({ step, event, state: FeedState[state] ?? String(state), ...facts }));
  return event !== "gap" && state === FeedState.LIVE;
}

function sayGap(step: string, meta: StreamMeta | undefined, { reason }: Gap): boolean {
  return say(step, "gap", meta, { reason: GapReason[reason] ?? String(reason) });
}

/** Trades have no snapshot: a gap is a hole, and listTrades has what happened in it. */
function trades({ meta, event }: SubscribeTradesResponse): boolean {
  if (event.case === "gap") return sayGap("trades", meta, event.value);
  if (event.case !== "trades") return false;
  const last = event.value.trades.at(-1);
  return say("trades", "trades", meta, {
    count: event.value.trades.length,
    price: last?.price,
    quantity: last?.quantity,
  });
}

/** A snapshot of each symbol, the open candle last; then an update replaces the candle of its open time. */
function candles({ meta, event }: SubscribeCandlesResponse): boolean {
  const said = (rows: readonly Candle[]): boolean => {
    const last = rows.at(-1);
    return say("candles", event.case ?? "", meta, {
      count: rows.length,
      close_price: last?.closePrice,
      closed: last?.closed,
    });
  };
  if (event.case === "gap") return sayGap("candles", meta, event.value);
  return event.case === "snapshot" || event.case === "update" ? said(event.value.candles) : false;
}

/** All that are not zero; then an update replaces the balance of its asset. */
function balances({ meta, event }: SubscribeBalancesResponse): boolean {
  const said = (rows: readonly Balance[]): boolean => {
    const totals = Object.fromEntries(rows.map(({ asset, total }) => [asset, total]));
    return say("balances", event.case ?? "", meta, { totals });
  };
  if (event.case === "gap") return sayGap("balances", meta, event.value);
  if (event.case === "snapshot") return said(event.value.balances);
  return event.case === "update" ? said([event.value]) : false;
}

/** Takes messages until one is enough. connect-es leaves a stream open when its loop is left: the caller aborts it. */
async function read<M>(stream: AsyncIterable<M>, enough: (message: M) => boolean): Promise<void> {
  for await (const message of stream) if (enough(message)) return;
}

async function main(patienceMs: number): Promise<void> {
  const gateway = connect(fromEnv());
  const { marketData, account } = gateway;
  const done = new AbortController();
  const patience = AbortSignal.timeout(patienceMs);
  const options = { signal: AbortSignal.any([done.signal, patience]) };
  const interval = { seconds: 60n };
  try {
    await Promise.all([
      read(marketData.subscribeTrades({ symbols: [symbol] }, options), trades),
      read(marketData.subscribeCandles({ symbols: [symbol], interval, historyCount: 10 }, options), candles),
      read(account.subscribeBalances({}, options), balances),
    ]);
  } catch (error) {
    throw patience.aborted ? new Error("Not every stream had news in time.") : error;
  } finally {
    done.abort();
    gateway.close();
  }
}

function explain(error: unknown): string {
  const refusal = refusalOf(error);
  if (refusal !== undefined) return `Refused by execsvc, ${refusal.reason}: ${refusal.message}`;
  return error instanceof Error ? error.message : String(error);
}

try {
  const text = process.argv[2] ?? "30";
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new RangeError(`Not a whole number above 0: ${text}`);
  await main(Number(text) * 1000);
} catch (error) {
  console.error(`follow: ${explain(error)}`);
  process.exitCode = 1;
}
