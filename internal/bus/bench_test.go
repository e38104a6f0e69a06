package bus

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/kustiq/kustiq/engine/signal"
)

// BenchmarkPublishLive makes messages of one workspace durable for a number of callers at once. The embedded server
// encrypts and syncs; each message is about 600 bytes.
func BenchmarkPublishLive(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			server, err := StartServer(b.Context(), ServerOptions{Dir: b.TempDir(), EncryptionKey: key, Logger: log})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = server.Close() }()
			bus, err := Open(b.Context(), Options{Server: server, Region: "eu", Logger: log})
			if err != nil {
				b.Fatal(err)
			}
			defer bus.Close()
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for caller := range callers {
				group.Go(func() {
					for n := caller; n < b.N; n += callers {
						m := message(fmt.Sprint("evt_", n), "cus_1")
						m.Signals[0].Invoice = &signal.Invoice{ID: "in_1", Currency: "eur", AttemptCount: 2, AmountDue: 4900, Created: 1e9}
						if _, err := bus.PublishLive(b.Context(), m); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
