/**
 * Watches BTC/USD and ETH/USD, then places one small order far below the market, reads it and cancels it.
 *
 * Prints one JSON line per step. Usage: quickstart [updates to wait for, 5] [seconds of patience, 30]
 * Exit 0: done; 1: failed, with the reason on stderr; 8: the fate of the order is not known yet.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { compareDecimals, connect, fromEnv, percentOf, refusalOf, type Gateway } from "@execsvc/client";
import { FeedState, OrderStatus, Side, type Order, type SubscribeTickersResponse } from "@execsvc/client/v1";

const symbol = "BTC/USD";
const symbols = [symbol, "ETH/USD"];
// A status newer than this stub is in neither list: not terminal, so it is asked for again or cancelled.
const open = [OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT];
const ended = [
  OrderStatus.FILLED,
  OrderStatus.CANCELLED,
  OrderStatus.EXPIRED,
  OrderStatus.REJECTED,
  OrderStatus.NOT_PLACED,
];
const pollMs = 200;

class Stop extends Error {
  constructor(message: string, readonly exit = 1) {
    super(message);
  }
}

function say(step: string, facts: object): void {
  console.log(JSON.stringify({ step, ...facts }));
}

function facts(order: Order): object {
  const { clientOrderId, orderId, status, cancelRequested, filledQuantity } = order;
  return {
    client_order_id: clientOrderId,
    order_id: orderId,
    status: OrderStatus[status] ?? String(status),
    cancel_requested: cancelRequested,
    filled_quantity: filledQuantity,
  };
}

async function demandPaper({ admin, target }: Gateway): Promise<void> {
  const { version, venue, caller } = await admin.getServerInfo({});
  say("connected", { target, version, venue, caller });
  if (venue !== "paper" && process.env["EXECSVC_ALLOW_LIVE"] !== "1") {
    throw new Stop(`${target} trades real money: set EXECSVC_ALLOW_LIVE=1 if that is meant.`);
  }
}

/** The best bid of every symbol, as far as it may be acted on. */
class Board {
  readonly bids = new Map<string, string>();
  updates = 0;

  read({ meta, event }: SubscribeTickersResponse): void {
    if (event.case === "gap") {
      for (const lost of event.value.symbols.length > 0 ? event.value.symbols : symbols) this.bids.delete(lost);
    }
    // Anything but LIVE, a state newer than this stub included, is no price to act on.
    if ((event.case !== "snapshot" && event.case !== "update") || meta?.feedState !== FeedState.LIVE) return;
    for (const ticker of event.value.tickers) {
      if (ticker.bidPrice === "") this.bids.delete(ticker.symbol);
      else this.bids.set(ticker.symbol, ticker.bidPrice);
    }
    if (event.case === "update") this.updates += event.value.tickers.length;
  }

  complete(wanted: number): boolean {
    return this.updates >= wanted && symbols.every((one) => this.bids.has(one));
  }
}

/** Reads tickers until enough came; gives the best bid of the symbol. */
async function watch({ marketData }: Gateway, wanted: number, patienceMs: number): Promise<string> {
  const board = new Board();
  const enough = new AbortController();
  const patience = AbortSignal.timeout(patienceMs);
  try {
    const signal = AbortSignal.any([enough.signal, patience]);
    for await (const message of marketData.subscribeTickers({ symbols }, { signal })) {
      board.read(message);
      if (board.complete(wanted)) break;
    }
  } catch (error) {
    if (patience.aborted) throw new Stop(`Only ${board.updates} of ${wanted} live updates came in time.`);
    throw error;
  } finally {
    // connect-es leaves the stream open when the loop is left.
    enough.abort();
  }
  const bid = board.bids.get(symbol);
  if (bid === undefined) throw new Stop("The ticker stream ended early.");
  say("tickers", { updates: board.updates, bids: Object.fromEntries(board.bids) });
  return bid;
}

/** Asks until the fate of the order is known: always by the same id, and never by placing another. */
async function settle(gateway: Gateway, clientOrderId: string, known: Order | undefined, patienceMs: number): Promise<Order> {
  const until = performance.now() + patienceMs;
  let order = known;
  while (order === undefined || open.includes(order.status)) {
    say("in_doubt", { client_order_id: clientOrderId, next: "GetOrder with the same id" });
    if (performance.now() > until) {
      throw new Stop(`The fate of ${clientOrderId} is not known yet: ask for the same id again, place no other.`, 8);
    }
    await sleep(pollMs);
    order = (await lookUp(gateway, clientOrderId)) ?? order;
  }
  return order;
}

/** undefined: the question itself was lost, and is asked again. */
async function lookUp({ orders }: Gateway, clientOrderId: string): Promise<Order | undefined> {
  try {
    const ref = { id: { case: "clientOrderId", value: clientOrderId } } as const;
    return (await orders.getOrder({ order: ref })).order;
  } catch (error) {
    if (refusalOf(error)) throw error;
    return undefined;
  }
}

async function place(gateway: Gateway, bid: string, patienceMs: number): Promise<Order> {
  const { instruments } = await gateway.marketData.listInstruments({ symbols: [symbol] });
  const pair = instruments[0];
  if (pair === undefined) throw new Stop(`The gateway does not know ${symbol}.`);
  const limitPrice = percentOf(bid, 97, pair.priceIncrement);
  const baseQuantity = compareDecimals("0.0001", pair.minQuantity) < 0 ? pair.minQuantity : "0.0001";
  // Made once and shown before anything is sent: after a crash, the order can be looked up by it.
  const clientOrderId = `quickstart-${randomUUID()}`;
  say("placing", { client_order_id: clientOrderId, symbol, base_quantity: baseQuantity, limit_price: limitPrice });
  const spec = {
    symbol,
    side: Side.BUY,
    size: { case: "baseQuantity", value: baseQuantity },
    orderType: { case: "limit", value: { limitPrice, postOnly: true } },
  } as const;
  let order: Order | undefined;
  try {
    ({ order } = await gateway.orders.placeOrder({ clientOrderId, spec }));
  } catch (error) {
    // An error that is not the gateway's own (a timeout here, a proxy) says nothing about the order.
    if (refusalOf(error)) throw error;
    say("no_answer", { client_order_id: clientOrderId, error: String(error) });
  }
  order = await settle(gateway, clientOrderId, order, patienceMs);
  say("placed", facts(order));
  if (ended.includes(order.status) || order.status === OrderStatus.NEVER_SENT) {
    const why = order.endError ? `: ${order.endError.reason}, ${order.endError.message}` : "";
    throw new Stop(`The order ended as ${OrderStatus[order.status]}${why}.`);
  }
  return order;
}

async function read({ orders }: Gateway, { clientOrderId }: Order): Promise<void> {
  const { order } = await orders.getOrder({ order: { id: { case: "clientOrderId", value: clientOrderId } } });
  if (order !== undefined) say("read", facts(order));
}

async function cancel(gateway: Gateway, { clientOrderId }: Order, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  const ref = { id: { case: "clientOrderId", value: clientOrderId } } as const;
  let order = (await gateway.orders.cancelOrder({ order: ref })).order;
  if (order) say("cancelling", facts(order));
  while (order === undefined || !ended.includes(order.status)) {
    if (performance.now() > until) {
      throw new Stop(`The cancel of ${clientOrderId} is recorded, but the order has not ended yet.`, 8);
    }
    await sleep(pollMs);
    order = (await lookUp(gateway, clientOrderId)) ?? order;
  }
  if (order.status !== OrderStatus.CANCELLED) throw new Stop(`The order ended as ${OrderStatus[order.status]}.`);
  say("cancelled", facts(order));
}

async function main(updates: number, patienceMs: number): Promise<void> {
  const gateway = connect(fromEnv());
  try {
    await demandPaper(gateway);
    const bid = await watch(gateway, updates, patienceMs);
    const placed = await place(gateway, bid, patienceMs);
    await read(gateway, placed);
    await cancel(gateway, placed, patienceMs);
  } finally {
    gateway.close();
  }
}

function explain(error: unknown): string {
  const refusal = refusalOf(error);
  if (refusal === undefined) return error instanceof Error ? error.message : String(error);
  const { reason, message, metadata, retryAfterMs } = refusal;
  const again = retryAfterMs === undefined ? "" : ` Try again in ${retryAfterMs} ms.`;
  const id = { false: " The same id may be sent again.", true: " A new try needs a new id." }[metadata["id_used"] ?? ""];
  return `Refused by execsvc, ${reason}: ${message}${again}${id ?? ""}`;
}

/** Reads a whole number above 0 from the command line. */
function argument(position: number, otherwise: number): number {
  const text = process.argv[position];
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Stop(`Not a whole number above 0: ${text}`);
  return Number(text);
}

try {
  await main(argument(2, 5), argument(3, 30) * 1000);
} catch (error) {
  console.error(`quickstart: ${explain(error)}`);
  process.exitCode = error instanceof Stop ? error.exit : 1;
}
