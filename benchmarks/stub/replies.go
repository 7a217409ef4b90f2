package main

import (
	"fmt"
	"math"
	"strings"
)

// What never changes. Values are made up, shapes are those of the published examples.
const (
	tickers = `{"XXBTZUSD":{"a":["90000.10000","1","1.000"],"b":["90000.00000","1","1.000"],` +
		`"c":["90000.00000","0.00067643"],"v":["4083.67001100","4412.73601799"],"p":["89706.77771","89689.13205"],` +
		`"t":[34619,38907],"l":["88868.30000","88868.30000"],"h":["91631.00000","91631.00000"],"o":"89502.80000"}}`
)

// bases are what is traded here, against the dollar: Kraken's own name, the altname, and the decimals of the price.
var bases = []struct {
	id, altname string
	decimals    int
}{
	{"XXBT", "XBT", 1}, {"XETH", "ETH", 2}, {"SOL", "SOL", 2}, {"ADA", "ADA", 6}, {"DOT", "DOT", 4},
	{"LINK", "LINK", 5}, {"XLTC", "LTC", 2}, {"ATOM", "ATOM", 4}, {"AVAX", "AVAX", 2}, {"XXRP", "XRP", 5},
}

var assets, pairs = listed()

func listed() (string, string) {
	held := []string{`"ZUSD":{"aclass":"currency","altname":"USD","decimals":4,"display_decimals":2,"status":"enabled"}`}
	var traded []string
	for _, base := range bases {
		held = append(held, fmt.Sprintf(`%q:{"aclass":"currency","altname":%q,"decimals":10,"display_decimals":5,`+
			`"status":"enabled"}`, base.id, base.altname))
		traded = append(traded, fmt.Sprintf(`"%[1]sZUSD":{"altname":"%[2]sUSD","wsname":"%[2]s/USD","aclass_base":"currency",`+
			`"base":%[1]q,"aclass_quote":"currency","quote":"ZUSD","lot":"unit","cost_decimals":5,"pair_decimals":%[3]d,`+
			`"lot_decimals":8,"lot_multiplier":1,"leverage_buy":[2,3],"leverage_sell":[2,3],"fees":[[0,0.4]],`+
			`"fees_maker":[[0,0.25]],"fee_volume_currency":"ZUSD","margin_call":80,"margin_stop":40,"ordermin":"0.0001",`+
			`"costmin":"0.5","tick_size":"%.[3]*[4]f","status":"online"}`,
			base.id, base.altname, base.decimals, math.Pow10(-base.decimals)))
	}
	return "{" + strings.Join(held, ",") + "}", "{" + strings.Join(traded, ",") + "}"
}

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
