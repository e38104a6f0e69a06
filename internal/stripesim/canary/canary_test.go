package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// transformations are written apart from Shapes, as somebody else's code would make them.
var transformations = map[string]func(string) string{
	"as it is":   func(s string) string { return s },
	"upper case": strings.ToUpper,
	"lower case": strings.ToLower,
	"in JSON":    func(s string) string { b, _ := json.Marshal(map[string]string{"a": s}); return string(b) },
	"in JSON in JSON": func(s string) string {
		inner, _ := json.Marshal(s)
		b, _ := json.Marshal(string(inner))
		return string(b)
	},
	"in JSON of ASCII": func(s string) string {
		b, _ := json.Marshal(s)
		var out strings.Builder
		for _, r := range string(b) {
			if r < 128 {
				out.WriteRune(r)
			} else {
				fmt.Fprintf(&out, "\\u%04X", r)
			}
		}
		return out.String()
	},
	"JSON with slashes": func(s string) string { b, _ := json.Marshal(s); return strings.ReplaceAll(string(b), "/", `\/`) },
	"query":             func(s string) string { return "?q=" + url.QueryEscape(s) + "&r=1" },
	"path":              func(s string) string { return "/a/" + url.PathEscape(s) + "/b" },
	"hex":               func(s string) string { return hex.EncodeToString([]byte("x" + s + "y")) },
	"upper case hex":    func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"base64":            func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 at 1":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s + " and on")) },
	"base64 at 2":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xy" + s)) },
	"base64 for URLs":   func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("xyz" + s + "?")) },
	"upper in base64":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(s))) },
	"lower in base64":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(strings.ToLower(s))) },
	"without spaces":    func(s string) string { return strings.ReplaceAll(s, " ", "") },
	"with dashes":       func(s string) string { return strings.ReplaceAll(s, " ", "-") },
	"among bytes":       func(s string) string { return "\x00\xff\xc3" + s + "\x00\x01" },
}

// values are all that a customer's payloads carry, by kind.
func (b Bird) values() map[Kind][]string {
	tokens := []string{}
	for _, prefix := range tokenPrefixes {
		tokens = append(tokens, b.Token(prefix))
	}
	return map[Kind][]string{
		Card:    {b.CardNumber(), grouped(b.CardNumber(), " "), grouped(b.CardNumber(), "-"), b.CardFingerprint()},
		Address: {b.Street(), b.City()},
		Phone:   {b.Phone(), strings.ReplaceAll(b.Phone(), " ", "-"), "030 " + strings.Fields(b.Phone())[2], "(030) " + strings.Fields(b.Phone())[2]},
		TaxID:   {b.TaxID()},
		Bank:    {b.IBAN(), grouped(b.IBAN()[4:], " "), b.BankFingerprint(), b.BankName(), b.BankHolder()},
		Token:   tokens,
		Text:    {b.Note(), b.Descriptor()},
		Link:    {b.Link("receipts")},
		Network: {b.IP()},
		Payload: {`{"last4":"` + b.Last4() + `"}`},
		Email:   {b.Email(), OwnerEmail()},
		Name:    {CustomerName(b.serial), CustomerName(b.serial + 300)},
	}
}

func TestEveryValueIsFoundInEveryShape(t *testing.T) {
	for kind, values := range New(42, "cus_1AbC").values() {
		only := NewFinder(kind)
		for _, value := range values {
			for shape, transform := range transformations {
				if planted := transform(value); len(only.Find([]byte(planted))) == 0 {
					t.Errorf("%s, %s: not found in %s", kind, shape, planted)
				}
			}
		}
	}
}

func TestNumbersAreFoundHoweverTheyAreGrouped(t *testing.T) {
	only, number := NewFinder(Card), New(7, "cus_1").CardNumber()
	for _, separator := range []string{" ", "-", ".", " - ", "/", "\t"} {
		for size := 1; size < 8; size++ {
			var groups []string
			rest := number
			for ; len(rest) > size; rest = rest[size:] {
				groups = append(groups, rest[:size])
			}
			text := strings.Join(append(groups, rest), separator)
			if len(only.Find([]byte(text))) == 0 {
				t.Errorf("not found in %s", text)
			}
		}
	}
}

func TestAFinderFindsOnlyItsKindsAndNothingWhereNothingIs(t *testing.T) {
	all := New(42, "cus_1AbC").values()
	all[Text] = all[Text][1:] // a note names much else
	for kind := range all {
		only := NewFinder(kind)
		for other, values := range all {
			for _, value := range values {
				if found := only.Find([]byte(value)); (len(found) > 0) != (kind == other) {
					t.Errorf("%s in %s of kind %s: %v", kind, value, other, found)
				}
			}
		}
	}
	innocent := `cus_1AbC evt_1 ch_1 in_1 {"card":"visa","status":"past_due"} 4242 4242 4242 4242 +49 30 5550001 2026-11-24T12:00:00Z`
	if found := NewFinder().Find([]byte(innocent)); len(found) > 0 {
		t.Error(found)
	}
}

func TestFindSaysWhereAndStopsAtSome(t *testing.T) {
	b := New(1, "cus_1")
	found := NewFinder(Address).Find([]byte("at " + b.Street()))
	if len(found) == 0 || found[0].Offset != 3 || found[0].Kind != Address || !strings.Contains(found[0].String(), "kanariengasse 17 1") {
		t.Errorf("%v", found)
	}
	if found := NewFinder().Find([]byte(strings.Repeat(b.Note(), 100))); len(found) != maxSightings {
		t.Errorf("%d sightings", len(found))
	}
	if kinds := NewFinder().Kinds([]byte(strings.Repeat(b.City()+"\n", 100))); kinds[Address] < 100 {
		t.Errorf("%v", kinds)
	}
}

func TestNumbersAreValidAndTheCustomersOwn(t *testing.T) {
	seen := map[string]bool{}
	for serial := range 10_000 {
		b := New(serial, "cus_1")
		number := b.CardNumber()
		if len(number) != 16 || luhn(number[:15]) != int(number[15]-'0') || b.Last4() != number[12:] {
			t.Fatalf("card %s, last %s", number, b.Last4())
		}
		if iban := b.IBAN(); len(iban) != 22 || remainder(iban) != 1 {
			t.Fatalf("IBAN %s leaves %d", iban, remainder(iban))
		}
		if len(b.Descriptor()) > 22 {
			t.Fatalf("descriptor %s", b.Descriptor())
		}
		for _, value := range []string{number, b.IBAN(), b.Phone(), b.TaxID(), b.IP(), b.Email()} {
			if seen[value] {
				t.Fatalf("%s is somebody else's too", value)
			}
			seen[value] = true
		}
	}
	if luhn("7992739871") != 3 { // the example of ISO/IEC 7812
		t.Error("the Luhn digit is wrong")
	}
	if New(1, "cus_a").Note() == New(1, "cus_b").Note() {
		t.Error("two customers have one note")
	}
}

// remainder of an IBAN by 97 is 1 when its check digits are right.
func remainder(iban string) int {
	rest := 0
	for _, r := range iban[4:] + iban[:4] {
		if r >= 'A' {
			rest = (rest*100 + int(r-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(r-'0')) % 97
		}
	}
	return rest
}

func BenchmarkFind(b *testing.B) {
	f, text := NewFinder(), []byte(strings.Repeat(`{"id":"in_1","status":"paid","customer":"cus_1AbC"}`, 20_000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f.Find(text)
	}
}
