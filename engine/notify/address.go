package notify

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errRefused says that a receiver's name led to an address that events are never sent to.
var errRefused = errors.New("the address is not a public one")

// inside are the networks that no event is sent to, by their registries' lists of special-purpose addresses (RFC 6890),
// with what else leads to a cloud's metadata. Those that carry an IPv4 address inside an IPv6 one are refused as a whole:
// nobody serves a webhook there.
var inside = func() (all []netip.Prefix) {
	for _, network := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32", // Azure's platform address is a public one
		"::/96",            // unspecified, loopback, IPv4-compatible
		"::ffff:0:0:0/96",  // IPv4-translated
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		all = append(all, netip.MustParsePrefix(network))
	}
	return all
}()

// guard decides on addresses.
type guard struct {
	allowed []netip.Prefix
	// onlyAllowed refuses public addresses too: plain HTTP is for a developer's own machine.
	onlyAllowed bool
}

// permits says whether events may be sent to an address.
func (g guard) permits(ip netip.Addr) bool {
	ip = ip.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	for _, network := range g.allowed {
		if network.Contains(ip) {
			return true
		}
	}
	if g.onlyAllowed {
		return false
	}
	for _, network := range inside {
		if network.Contains(ip) {
			return false
		}
	}
	return true
}

// control is asked with the address that is about to be dialled, after the name was resolved: whatever the name led to a
// moment ago, and however the address was written, this is where the connection goes.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: it cannot be read", errRefused)
	}
	if !g.permits(at.Addr()) {
		return errRefused
	}
	return nil
}
