package matching

import (
	"strings"
	"unicode"
)

// Keys are what a profile is found by, in the form in which both sides compare. Either may be empty.
type Keys struct{ Email, Domain string }

// Keys of the profile.
func (p Profile) Keys() Keys {
	keys := keysOf(p.Email)
	if p.Domain != "" {
		keys.Domain = businessDomain(p.Domain)
	}
	return keys
}

// Keys of the customer.
func (c Customer) Keys() Keys { return keysOf(c.Email) }

func keysOf(address string) Keys {
	email, domain := normalEmail(address)
	return Keys{Email: email, Domain: businessDomain(domain)}
}

// IsAddress says whether somebody can be found by the e-mail address.
func IsAddress(email string) bool { return keysOf(email).Email != "" }

// IsDomain says whether the name is a domain, be it one that everybody can have an address in.
func IsDomain(name string) bool { return strings.Contains(normalDomain(name), ".") }

// normalEmail returns the address in lower case without surrounding space, and its domain; both are empty when it is no
// address. Lower case, because no mailbox provider of note tells local parts apart by it. Nothing else is folded: at
// some providers a dot or a "+tag" makes another mailbox.
func normalEmail(address string) (email, domain string) {
	email = strings.ToLower(strings.TrimSpace(address))
	at := strings.LastIndexByte(email, '@')
	if at < 1 || strings.ContainsFunc(email, unicode.IsSpace) {
		return "", ""
	}
	domain = normalDomain(email[at+1:])
	if domain == "" {
		return "", ""
	}
	return email[:at+1] + domain, domain
}

// normalDomain returns the domain in lower case without surrounding space and without the dot of the root; empty when
// it is none.
func normalDomain(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(domain), "."))
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") ||
		strings.ContainsAny(domain, "@/:") || strings.ContainsFunc(domain, unicode.IsSpace) {
		return ""
	}
	return domain
}

// businessDomain returns the domain unless everybody can have an address in it, or it is no name in the public tree.
func businessDomain(domain string) string {
	domain = normalDomain(domain)
	if !strings.Contains(domain, ".") || publicMailbox[domain] {
		return ""
	}
	return domain
}
