package bus

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestAClusterGoesOnWithoutOneOfThree(t *testing.T) {
	g := gomega.NewWithT(t)
	log := slog.New(slog.DiscardHandler)
	members := []string{freeAddress(t), freeAddress(t), freeAddress(t)}
	servers, urls := make([]*Server, len(members)), make([]string, len(members))
	for i, address := range members {
		server, err := StartServer(t.Context(), ServerOptions{
			Dir: t.TempDir(), EncryptionKey: key, Listen: "127.0.0.1:0", Token: "token", Logger: log,
			Cluster: &ClusterOptions{Name: fmt.Sprint("bus-", i), Listen: address, Members: members},
		})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		t.Cleanup(func() { _ = server.Close() })
		servers[i], urls[i] = server, server.ClientURL()
	}
	for i, server := range servers {
		g.Eventually(server.Ready).WithTimeout(time.Minute).Should(gomega.BeTrue(), "server %d", i)
	}
	var b *Bus
	g.Eventually(func() (err error) {
		b, err = Open(t.Context(), Options{
			URL: strings.Join(urls, ","), Token: "token", Region: "eu", Replicas: 3, StreamBytes: 1 << 20, Logger: log,
		})
		return err
	}).WithTimeout(time.Minute).Should(gomega.Succeed())
	t.Cleanup(b.Close)
	published := func(event string) func() error {
		return func() error {
			_, err := b.PublishLive(t.Context(), message(event, "cus_1"))
			return err
		}
	}
	g.Eventually(published("evt_1")).WithTimeout(time.Minute).Should(gomega.Succeed())

	g.Expect(servers[0].Close()).To(gomega.Succeed())

	g.Eventually(published("evt_2")).WithTimeout(time.Minute).Should(gomega.Succeed())
	h := &harness{t: t, bus: b}
	events := map[string]bool{}
	h.consume(func(batch []Delivery) bool {
		for _, d := range batch {
			events[d.Message.EventID] = true
			if err := d.Ack(); err != nil {
				t.Error(err)
			}
		}
		return len(events) == 2
	})
}
