package main

// What never changes. Values are made up, shapes are those of the published examples.
const (
	assets = `{` +
		`"XXBT":{"aclass":"currency","altname":"XBT","decimals":10,"display_decimals":5,"status":"enabled"},` +
		`"XETH":{"aclass":"currency","altname":"ETH","decimals":10,"display_decimals":5,"status":"enabled"},` +
		`"ZUSD":{"aclass":"currency","altname":"USD","decimals":4,"display_decimals":2,"status":"enabled"}}`

	pairs = `{` +
		`"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","aclass_base":"currency","base":"XXBT",` +
		`"aclass_quote":"currency","quote":"ZUSD","lot":"unit","cost_decimals":5,"pair_decimals":1,"lot_decimals":8,` +
		`"lot_multiplier":1,"leverage_buy":[2,3],"leverage_sell":[2,3],"fees":[[0,0.4]],"fees_maker":[[0,0.25]],` +
		`"fee_volume_currency":"ZUSD","margin_call":80,"margin_stop":40,"ordermin":"0.0001","costmin":"0.5",` +
		`"tick_size":"0.1","status":"online"},` +
		`"XETHZUSD":{"altname":"ETHUSD","wsname":"ETH/USD","aclass_base":"currency","base":"XETH",` +
		`"aclass_quote":"currency","quote":"ZUSD","lot":"unit","cost_decimals":5,"pair_decimals":2,"lot_decimals":8,` +
		`"lot_multiplier":1,"leverage_buy":[2,3],"leverage_sell":[2,3],"fees":[[0,0.4]],"fees_maker":[[0,0.25]],` +
		`"fee_volume_currency":"ZUSD","margin_call":80,"margin_stop":40,"ordermin":"0.002","costmin":"0.5",` +
		`"tick_size":"0.01","status":"online"}}`

	tickers = `{"XXBTZUSD":{"a":["90000.10000","1","1.000"],"b":["90000.00000","1","1.000"],` +
		`"c":["90000.00000","0.00067643"],"v":["4083.67001100","4412.73601799"],"p":["89706.77771","89689.13205"],` +
		`"t":[34619,38907],"l":["88868.30000","88868.30000"],"h":["91631.00000","91631.00000"],"o":"89502.80000"}}`
)

// replies are the results of private calls but AddOrder. A look for orders finds none: nothing here is remembered of them.
var replies = map[string]string{
	"GetApiKeyInfo": `{"api_key_name":"benchmark","api_key":"BENCH","nonce":"0","nonce_window":"0","permissions":` +
		`["query-funds","query-open-trades","query-closed-trades","modify-trades","close-trades","create-ws-token"],` +
		`"valid_until":"0","query_from":"0","query_to":"0","ip_allowlist":[]}`,
	"GetWebSocketsToken": `{"token":"benchmark","expires":900}`,
	"CancelOrder":        `{"count":1}`,
	"OpenOrders":         `{"open":{}}`,
	"ClosedOrders":       `{"closed":{},"count":0}`,
	"QueryOrders":        `{}`,
	"BalanceEx":          `{"ZUSD":{"balance":"1000000.0000","hold_trade":"0.0000"},"XXBT":{"balance":"10.0","hold_trade":"0.0"}}`,
	"TradesHistory":      `{"trades":{},"count":0}`,
}
