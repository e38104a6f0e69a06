package bus

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/onsi/gomega"
)

// TestStreamsReserveWhatTheyWereGiven asks the server what it has made of the options.
func TestStreamsReserveWhatTheyWereGiven(t *testing.T) {
	g, h := gomega.NewWithT(t), start(t)
	const size = 1 << 20
	place := Placement{Cluster: "c", Tags: []string{"region:us"}}
	b, err := Open(t.Context(), Options{
		Server: h.server, Region: "us", StreamBytes: size, Placement: place, Logger: slog.New(slog.DiscardHandler),
	})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(b.Close)

	_, reserved, err := h.server.nats.JetStreamReservedResources()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(reserved).To(gomega.BeEquivalentTo(5*streamBytes+5*size), "five streams of each region, and no bucket")

	ours := 0
	list := b.js.ListStreams(t.Context())
	for info := range list.Info() {
		if name := strings.ToLower(info.Config.Name); strings.Contains(name, "_us") {
			ours++
			g.Expect(info.Config.Placement).To(gomega.HaveValue(gomega.Equal(jetstream.Placement(place))), name)
			g.Expect(info.Config.Storage).To(gomega.Equal(jetstream.FileStorage), name)
		}
	}
	g.Expect(list.Err()).NotTo(gomega.HaveOccurred())
	g.Expect(ours).To(gomega.BeNumerically(">", 5), "streams and buckets")
}

func TestABusWithoutSpaceSaysSo(t *testing.T) {
	h := start(t)
	_, err := Open(t.Context(), Options{Server: h.server, Region: "us", StreamBytes: 1 << 60, Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("got %v", err)
	}
}
