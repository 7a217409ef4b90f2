package execsvc

import "testing"

func TestDecimalsCompareByValue(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"1.50", "1.5", 0},
		{"0", "0.000000000000000000", 0},
		{"0.1", "0.09999999999999999", 1},
		{"-2", "1", -1},
		{"123456789012345678.000000000000000001", "123456789012345678", 1},
	} {
		got, err := CompareDecimals(row.a, row.b)
		if err != nil || got != row.want {
			t.Errorf("%s against %s: got %d, %v; want %d", row.a, row.b, got, err, row.want)
		}
	}
}

func TestOtherTextIsNoDecimal(t *testing.T) {
	for _, text := range []string{"", "1e3", "+1", "01", ".5", "1.", "-0", "1_0", "1/2", "0x1", " 1", "1\n", "1234567890123456789"} {
		if got, err := CompareDecimals(text, "1"); err == nil {
			t.Errorf("%q was read, as %d against 1", text, got)
		}
	}
}

func TestAPercentageIsRoundedDownToTheIncrement(t *testing.T) {
	for _, row := range []struct {
		price     string
		percent   int64
		increment string
		want      string
	}{
		{"60000.1", 97, "0.1", "58200.0"},
		{"60000.1", 100, "0.1", "60000.1"},
		{"3.17", 97, "0.05", "3.05"},
		{"0.0000123", 97, "0.0000001", "0.0000119"},
		{"999", 97, "5", "965"},
		{"0.01", 97, "0.1", "0.0"},
		{"123456789012345678.9", 97, "0.000000000000000001", "119753085341975308.533000000000000000"},
	} {
		got, err := PercentOf(row.price, row.percent, row.increment)
		if err != nil || got != row.want {
			t.Errorf("%d %% of %s: got %s, %v; want %s", row.percent, row.price, got, err, row.want)
		}
	}
}

func TestAPercentageNeedsAPriceAndAnIncrement(t *testing.T) {
	for _, row := range [][2]string{{"-1", "0.1"}, {"1", "0"}, {"1", "-0.1"}, {"x", "0.1"}, {"1", "x"}} {
		if got, err := PercentOf(row[0], 97, row[1]); err == nil {
			t.Errorf("97 %% of %s by %s gave %s", row[0], row[1], got)
		}
	}
}
