package execsvc

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Prices and quantities are text on the wire and stay text here. big.Rat is exact, but reads more than the contract
// allows (exponents, fractions, underscores), so the grammar is checked first.
var grammar = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$`)

// parse reads a decimal of the contract, and how many digits stand after its point.
func parse(text string) (*big.Rat, int, error) {
	if !grammar.MatchString(text) {
		return nil, 0, fmt.Errorf("not a decimal of the contract: %q", text)
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok || (value.Sign() == 0 && strings.HasPrefix(text, "-")) {
		return nil, 0, fmt.Errorf("not a decimal of the contract: %q", text)
	}
	_, fraction, _ := strings.Cut(text, ".")
	return value, len(fraction), nil
}

// CompareDecimals compares two decimals by value (1.50 equals 1.5): -1, 0 or 1.
func CompareDecimals(a, b string) (int, error) {
	left, _, err := parse(a)
	if err != nil {
		return 0, err
	}
	right, _, err := parse(b)
	if err != nil {
		return 0, err
	}
	return left.Cmp(right), nil
}

// PercentOf takes a whole percentage of a price and rounds down to a multiple of the increment, which gives the scale of
// the answer.
func PercentOf(price string, percent int64, increment string) (string, error) {
	value, _, err := parse(price)
	if err != nil {
		return "", err
	}
	step, scale, err := parse(increment)
	if err != nil {
		return "", err
	}
	if value.Sign() < 0 || percent < 0 || step.Sign() <= 0 {
		return "", fmt.Errorf("a price is never negative (%s), an increment above 0 (%s)", price, increment)
	}
	exact := value.Mul(value, big.NewRat(percent, 100))
	exact.Quo(exact, step)
	steps := new(big.Int).Quo(exact.Num(), exact.Denom())
	return step.Mul(step, new(big.Rat).SetInt(steps)).FloatString(scale), nil
}
