// Package canary makes up the personal and payment data of simulated customers so that every piece of it is recognised
// wherever it turns up, and finds it there. It is the one place where the marked values are written down. It must not know
// where they go: not the simulated Stripe that hands them out, nor the product that must not keep them.
package canary

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind of data.
type Kind string

// What is never kept, in any shape, anywhere.
const (
	Card    Kind = "card"    // numbers and fingerprints
	Address Kind = "address" // of billing and shipping
	Phone   Kind = "phone"
	TaxID   Kind = "tax id"
	Bank    Kind = "bank account" // IBAN, bank, holder and fingerprint
	Token   Kind = "token"        // of payment methods, cards, sources, mandates
	Text    Kind = "free text"    // descriptions, metadata, statement descriptors, comments
	Link    Kind = "link"         // of receipts and hosted invoices, which open without a password
	Network Kind = "IP address"
	// Payload is a field name that only a raw payload has. It stands for what is too short to be recognised, such as the
	// last four digits of a card.
	Payload Kind = "raw payload"
)

// What is kept sealed, and shown to those who may see it.
const (
	Email Kind = "e-mail"
	Name  Kind = "name"
)

// NeverKept lists the kinds that must be found nowhere.
func NeverKept() []Kind {
	return []Kind{Card, Address, Phone, TaxID, Bank, Token, Text, Link, Network, Payload}
}

// Sealed lists the kinds that may be kept sealed only.
func Sealed() []Kind { return []Kind{Email, Name} }

// The fixed part of each value. What follows it is the customer's own.
const (
	cardDigits  = "42424217171" // in the range of Stripe's test cards; 4 digits of the customer and a Luhn digit follow
	bankDigits  = "91717171171717"
	phoneDigits = "49300009171"
	homeDigits  = "0300009171" // the same number as it is dialled at home
	taxID       = "GB91717171"
	street      = "Kanariengasse 17"
	city        = "Kanarienmünster"
	cardPrint   = "KanariKarte"
	bankPrint   = "KanariKonto"
	bankName    = "Kanarienbank AG"
	bankHolder  = "Kanarienhalter"
	tokenMark   = "_1Kanari"
	note        = "Kanariennotiz"
	descriptor  = "KANARIENABO"
	link        = "Kanarienbeleg"
	network     = "2001:db8:917:171:"
	mailbox     = "billing@customer-"
	owner       = "owner@stripe-account.example"
)

// tokenPrefixes are those of what can be charged, or leads to it.
var tokenPrefixes = []string{"pm", "card", "src", "tok", "ba", "mandate", "txi"}

// payloadFields are names that no object of ours has.
var payloadFields = []string{
	`"last4"`, `"billing_details"`, `"payment_method_details"`, `"customer_address"`, `"customer_tax_ids"`, `"invoice_pdf"`,
	`"hosted_invoice_url"`, `"statement_descriptor"`, `"default_payment_method"`, `"invoice_settings"`, `"external_accounts"`,
}

// Mark is the fixed part of a value, by which it is recognised.
type Mark struct {
	Kind Kind
	Text string
	// Grouped are other ways to write it down, for numbers.
	Grouped []string
}

// Marks lists all of them.
func Marks() []Mark {
	marks := []Mark{
		{Card, cardDigits, inFours(cardDigits)}, {Card, cardPrint, nil},
		{Address, street, nil}, {Address, city, nil},
		{Phone, phoneDigits, []string{"49 30 0009171", "49-30-0009171"}},
		{Phone, homeDigits, []string{"030 0009171", "030-0009171", "030) 0009171"}},
		{TaxID, taxID, nil},
		{Bank, bankDigits, inFours(bankDigits)}, {Bank, bankPrint, nil}, {Bank, bankName, nil}, {Bank, bankHolder, nil},
		{Text, note, nil}, {Text, descriptor, nil},
		{Link, link, nil},
		{Network, network, nil},
		{Email, mailbox, nil}, {Email, owner, nil},
	}
	for _, prefix := range tokenPrefixes {
		marks = append(marks, Mark{Token, prefix + tokenMark, nil})
	}
	for _, field := range payloadFields {
		marks = append(marks, Mark{Payload, field, nil})
	}
	for n := range len(companyFirst) * len(companySecond) {
		marks = append(marks, Mark{Name, nameOf(n), nil})
	}
	return marks
}

// Bird is what the payloads about one customer carry.
type Bird struct {
	serial int
	tail   string
}

// New makes the values of a customer. Its serial is in the values that are all digits, which are told apart up to 9999;
// the letters of its id are in the others.
func New(serial int, id string) Bird {
	_, tail, ok := strings.Cut(id, "_")
	if !ok {
		tail = id
	}
	return Bird{serial: serial % 10_000, tail: tail}
}

// CardNumber has a Luhn digit at its end.
func (b Bird) CardNumber() string {
	digits := cardDigits + b.number()
	return digits + strconv.Itoa(luhn(digits))
}

// Last4 are the last digits of the card's number, the only ones that Stripe hands out.
func (b Bird) Last4() string { return b.CardNumber()[12:] }

// IBAN has check digits that are right.
func (b Bird) IBAN() string {
	account := bankDigits + b.number()
	rest := 0
	for _, d := range account + "131400" { // DE00, as the check of an IBAN reads it
		rest = (rest*10 + int(d-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, account)
}

// BankCode is the bank's part of the IBAN.
func (b Bird) BankCode() string { return bankDigits[:8] }

// BankLast4 are the last digits of the IBAN.
func (b Bird) BankLast4() string { return b.number() }

// CardFingerprint is the same for all payments with the card.
func (b Bird) CardFingerprint() string { return cardPrint + "0" + b.number() }

// BankFingerprint is the same for all payments from the account.
func (b Bird) BankFingerprint() string { return bankPrint + "0" + b.number() }

// BankName is the bank's.
func (b Bird) BankName() string { return bankName }

// BankHolder is whose account it is.
func (b Bird) BankHolder() string { return bankHolder + " " + b.tail }

// Street with a house number.
func (b Bird) Street() string { return street + " " + b.tail }

// City is the same for all.
func (b Bird) City() string { return city }

// Phone number in international form, in groups.
func (b Bird) Phone() string {
	return "+" + phoneDigits[:2] + " " + phoneDigits[2:4] + " " + phoneDigits[4:] + b.number()
}

// TaxID is a VAT number of twelve digits.
func (b Bird) TaxID() string { return taxID + b.number() }

// Token begins with a prefix such as pm or src.
func (b Bird) Token(prefix string) string { return prefix + tokenMark + b.tail }

// Note is what people write into free text: all that does not belong there.
func (b Bird) Note() string {
	return fmt.Sprintf("%s %s: paid by phone %s with card %s, else from %s, VAT %s, token %s",
		note, b.tail, b.Phone(), grouped(b.CardNumber(), "-"), grouped(b.IBAN(), " "), b.TaxID(), b.Token("tok"))
}

// Descriptor fits a bank statement's 22 characters.
func (b Bird) Descriptor() string { return descriptor + " " + b.number() }

// Link is a page that opens for everybody who has it.
func (b Bird) Link(page string) string {
	return "https://pay.stripe.example/" + page + "/" + link + b.tail + "?s=ap"
}

// IP is an address of the range for documentation.
func (b Bird) IP() string { return network + ":" + b.number() }

// Email of a customer, told apart by its serial.
func (b Bird) Email() string { return mailbox + strconv.Itoa(b.serial+1) + ".example" }

// OwnerEmail is that of an account's owner.
func OwnerEmail() string { return owner }

func (b Bird) number() string { return fmt.Sprintf("%04d", b.serial) }

// luhn is the digit that makes a card's number valid.
func luhn(digits string) int {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return (10 - sum%10) % 10
}

func inFours(number string) []string { return []string{grouped(number, " "), grouped(number, "-")} }

// grouped writes a number in groups of four.
func grouped(number, separator string) string {
	var groups []string
	for ; len(number) > 4; number = number[4:] {
		groups = append(groups, number[:4])
	}
	return strings.Join(append(groups, number), separator)
}
