package notify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14": true, "8.8.8.8": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "1.1.1.1": true, "172.32.0.1": true,
		"100.128.0.1": true, "169.253.255.255": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "169.254.0.1": false, "100.64.0.1": false,
		"100.100.100.200": false, "100.127.255.255": false, "192.0.0.192": false, "192.0.2.1": false, "198.18.0.1": false,
		"198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "239.255.255.255": false,
		"240.0.0.1": false, "255.255.255.255": false, "168.63.129.16": false, "192.88.99.1": false,
		"::": false, "::1": false, "fe80::1": false, "fec0::1": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"2001:db8::1": false, "2002:7f00:1::": false, "2001::1": false, "100::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::8.8.8.8": false, "64:ff9b:1::1": false, "::ffff:0:127.0.0.1": false,
		"::ffff:8.8.8.8": true, "fe80::1%eth0": false, "2606:4700::1%eth0": false,
	} {
		ip := netip.MustParseAddr(address)
		if got := (guard{}).permits(ip); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
		if (guard{onlyAllowed: true}).permits(ip) {
			t.Errorf("%s: permitted although no network is allowed", address)
		}
	}
	home := guard{allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd12::/16")}, onlyAllowed: true}
	for address, want := range map[string]bool{"127.0.0.1": true, "::ffff:127.0.0.1": true, "fd12::1": true, "10.0.0.1": false, "::1": false, "8.8.8.8": false} {
		if got := home.permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s with networks allowed: %v, want %v", address, got, want)
		}
	}
	if (guard{}).permits(netip.Addr{}) {
		t.Error("no address at all is permitted")
	}
	for _, address := range []string{"", "localhost:443", "127.0.0.1", "[fe80::1%eth0]:443", "127.0.0.1:443"} {
		if err := (guard{}).control("tcp", address, nil); !errors.Is(err, errRefused) {
			t.Errorf("dial %q: %v", address, err)
		}
	}
}

// names answers every question for an IPv4 address with what answer says, as a name server of an attacker's may.
func names(t *testing.T, answer func() [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0},
					Body: &dnsmessage.AResource{A: answer()}}}
			}
			if reply, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

const testSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

func (s *sender) try(t *testing.T, url string) (int, failure) {
	return s.send(t.Context(), Receiver{URL: url, Secrets: []string{testSecret}}, "msg_1", []byte(`{}`), start)
}

// Every way to write an address inside must fail, without a byte sent to it.
func TestNothingIsSentInside(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	s := newSender(nil, names(t, func() [4]byte { return [4]byte{127, 0, 0, 1} }), nil)
	for _, host := range []string{
		"127.0.0.1", "localhost", "hooks.example", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "0.0.0.0", "[::]",
		"2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "127.0.0.1.", "169.254.169.254", "[fd00:ec2::254]",
		"metadata.google.internal",
	} {
		for _, scheme := range []string{"https", "http"} {
			// Go takes none of the odd spellings for an address, and no name server is asked for those that are all digits.
			if code, why := s.try(t, scheme+"://"+host+":"+port+"/"); code != 0 || (why != failedAddress && why != failedName) {
				t.Errorf("%s://%s: %d %s", scheme, host, code, why)
			}
		}
	}
	for _, bad := range []string{"", "hooks.example", "ftp://hooks.example", "https://", "https://user:word@hooks.example/", "file:///etc/passwd"} {
		if code, why := s.try(t, bad); code != 0 || why != failedURL {
			t.Errorf("%q: %d %s", bad, code, why)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the server inside was asked %d times", asked.Load())
	}
}

// A name that leads outside when it is looked at and inside when it is dialled is refused, since it is the dialled
// address that is looked at.
func TestRebinding(t *testing.T) {
	var inside, outside atomic.Int32
	listen := func(host string, count *atomic.Int32, port string) *httptest.Server {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			count.Add(1)
			w.Header().Set("Connection", "close")
		})}}
		server.Start()
		t.Cleanup(server.Close)
		return server
	}
	public := listen("127.0.0.2", &outside, "0")
	_, port, _ := net.SplitHostPort(public.Listener.Addr().String())
	listen("127.0.0.1", &inside, port)
	last := byte(2)
	s := newSender([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, names(t, func() [4]byte { return [4]byte{127, 0, 0, last} }), nil)
	if code, why := s.try(t, "http://rebind.example:"+port); code != 200 || why != failedNone {
		t.Fatalf("%d %s", code, why)
	}
	last = 1
	if code, why := s.try(t, "http://rebind.example:"+port); code != 0 || why != failedAddress {
		t.Errorf("%d %s", code, why)
	}
	if outside.Load() != 1 || inside.Load() != 0 {
		t.Errorf("asked outside %d times, inside %d times", outside.Load(), inside.Load())
	}
}

func TestAProxyIsNotAsked(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	s := newSender(nil, names(t, func() [4]byte { return [4]byte{10, 0, 0, 1} }), nil)
	if _, why := s.try(t, "https://hooks.example/"); why != failedAddress || asked.Load() != 0 {
		t.Errorf("%s, the proxy was asked %d times", why, asked.Load())
	}
	if strings.Contains(string(failedAddress), "hooks") {
		t.Error("a failure names its host")
	}
}
