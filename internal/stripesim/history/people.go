package history

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// people makes up persons at companies, nearly all of them in the account's own country.
type people struct {
	home  []place
	names map[string]int // how many persons have had an address already
}

// place is where somebody can live. Phone ranges are those that regulators keep for fiction.
type place struct{ country, city, state, postal, phone string }

var places = []place{
	{"US", "Portland", "OR", "972%02d", "+1 503 555 01%02d"},
	{"US", "Austin", "TX", "787%02d", "+1 512 555 01%02d"},
	{"US", "Boston", "MA", "021%02d", "+1 617 555 01%02d"},
	{"US", "Denver", "CO", "802%02d", "+1 303 555 01%02d"},
	{"GB", "Leeds", "", "LS%d 4DY", "+44 113 496 0%03d"},
	{"GB", "Bristol", "", "BS%d 5TR", "+44 117 496 0%03d"},
	{"DE", "Berlin", "", "101%02d", "+49 30 23125 %03d"},
	{"DE", "Hamburg", "", "203%02d", "+49 40 66969 %03d"},
	{"DE", "Köln", "", "506%02d", "+49 221 4710 %03d"},
	{"FR", "Lyon", "", "690%02d", "+33 2 61 91 %04d"},
	{"NL", "Utrecht", "", "35%02d AB", "+31 85 512 %04d"},
}

func newPeople(country string) *people {
	p := &people{names: map[string]int{}}
	for _, x := range places {
		if x.country == country {
			p.home = append(p.home, x)
		}
	}
	if p.home == nil {
		p.home = places
	}
	return p
}

var (
	firstNames = strings.Fields(`Amara Anders Anna Arjun Beatriz Carlos Chiara Daniel Diego Elena Emma Erik Fatima Felix
		Freya Grace Hana Hugo Ingrid Isabel Jakob James Jana Johan Julia Kenji Lars Laura Leila Lena Liam Lucia Luis
		Magnus Maria Marta Mateo Maya Mia Milan Mina Nadia Niklas Nora Olga Oliver Omar Paula Pedro Priya Rafael Rosa
		Samir Sara Simon Sofia Stefan Tariq Theo Thomas Tomas Valentina Victor Wei Yara Yusuf Zoe`)
	lastNames = strings.Fields(`Adeyemi Andersson Bauer Becker Berg Bianchi Brandt Brown Campbell Carvalho Chen Clarke Costa
		Dubois Eriksen Evans Farah Fernandez Fischer Garcia Haddad Hansen Hartmann Hoffmann Ivanova Jansen Johnson Kaya
		Keller Khan Kim Klein Kowalski Krause Larsen Lehmann Lindqvist Lopez Martin Meyer Miller Moreau Morgan Nakamura
		Nguyen Novak Okafor Olsen Patel Peeters Petrov Rossi Roy Santos Sato Schmidt Schneider Silva Singh Smit Sousa
		Suzuki Taylor Vogel Wagner Walker Weber Wilson Wolf Yilmaz Zhang`)
	companyFirst = strings.Fields(`Northwind Alpine Cobalt Juniper Lumen Marble Orchard Quarry Sable Tidal Verdant Willow
		Zephyr Amber Birch Copper Delta Ember Fjord Granite Harbor Indigo Jasper Kestrel Larch Meridian Nimbus Onyx Pioneer
		Quill Ridge Summit Tundra Umber Vista Wren Yarrow Beacon Cedar Drift`)
	companySecond = strings.Fields(`Robotics Analytics Foods Logistics Studio Health Press Labs Energy Travel Systems Books
		Works Media Security Mobility Design Research Optics Software Supply Learning Partners Networks`)
	streets = []string{"Linden", "Mill", "Station", "Harbor", "Church", "Market", "Garden", "Bridge", "Park", "Forest"}
	brands  = []string{"visa", "visa", "visa", "mastercard", "mastercard", "amex"}
)

// draw makes up a customer.
func (p *people) draw(rng *rand.Rand, at int64) *ledger.Customer {
	first, last := oneOf(rng, firstNames), oneOf(rng, lastNames)
	company := oneOf(rng, companyFirst) + " " + oneOf(rng, companySecond)
	local := ascii(first) + "." + ascii(last)
	address := local + "@" + domain(company)
	p.names[address]++
	if n := p.names[address]; n > 1 {
		address = fmt.Sprintf("%s%d@%s", local, n, domain(company))
	}
	c := &ledger.Customer{Name: first + " " + last, Email: address, Description: company}
	p.settle(rng, c)
	p.newCard(rng, c, at)
	return c
}

func (p *people) settle(rng *rand.Rand, c *ledger.Customer) {
	from := p.home
	if rng.Float64() < 0.15 {
		from = places
	}
	x := from[rng.IntN(len(from))]
	c.Address = ledger.Address{
		Line1: fmt.Sprintf("%d %s Street", 1+rng.IntN(180), oneOf(rng, streets)), City: x.city,
		PostalCode: fmt.Sprintf(x.postal, 10+rng.IntN(89)), State: x.state, Country: x.country,
	}
	c.Phone = fmt.Sprintf(x.phone, rng.IntN(100))
}

func (p *people) newCard(rng *rand.Rand, c *ledger.Customer, at int64) {
	c.Card.Brand, c.Card.Last4 = oneOf(rng, brands), fmt.Sprintf("%04d", rng.IntN(10000))
	c.Card.ExpMonth, c.Card.ExpYear = 1+rng.IntN(12), time.Unix(at, 0).UTC().Year()+1+rng.IntN(4)
	c.Card.Country = c.Address.Country
}

// move is what customers update: where they are, their card, or their phone.
func (p *people) move(rng *rand.Rand, c *ledger.Customer, at int64) {
	switch rng.IntN(3) {
	case 0:
		p.settle(rng, c)
	case 1:
		c.Card.PaymentMethod = ledger.NewID(rng, "pm_1", 23)
		c.Card.Fingerprint = ledger.NewID(rng, "", 16)
		p.newCard(rng, c, at)
	case 2:
		c.Phone = fmt.Sprintf(p.home[0].phone, rng.IntN(100))
	}
}

// domain is a company's, below the top-level domain that nobody can own.
func domain(company string) string {
	return strings.ReplaceAll(ascii(company), " ", "-") + ".example"
}

// ascii lowers a name and drops what an address cannot have.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return -1
	}, strings.ToLower(s))
}
