package ingest

import (
	"testing"

	. "github.com/onsi/gomega"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kustiq/kustiq/internal/tracing"
)

func TestASpanFollowsThatOfTheReceiver(t *testing.T) {
	g := NewWithT(t)
	spans := tracetest.NewInMemoryExporter()
	tracer := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	b := newBench(t, func(o *Options) { o.Tracer = tracer })
	good, broken := message(subscribed("cus_1", "evt_1", 40)), bad("evt_2")
	good.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	broken.Trace = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01"
	b.deliver(good, broken, message(subscribed("cus_3", "evt_3", 40)))
	ended := map[string]tracetest.SpanStub{}
	for _, span := range spans.GetSpans() {
		ended[span.SpanContext.TraceID().String()] = span
	}
	g.Expect(ended).To(HaveLen(2), "nobody follows the third")
	g.Expect(ended["0af7651916cd43dd8448eb211c80319c"].Parent.SpanID().String()).To(Equal("b7ad6b7169203331"))
	g.Expect(ended["0af7651916cd43dd8448eb211c80319c"].Status.Description).To(BeEmpty())
	g.Expect(ended["0af7651916cd43dd8448eb211c80319d"].Status.Description).To(Equal("put back"))
	for _, span := range ended {
		g.Expect(span.Name).To(Equal("score"))
		for _, attribute := range span.Attributes {
			g.Expect(string(attribute.Key)).To(BeElementOf("stripe.event.id", "kustiq.batch", "kustiq.attempt"))
		}
	}
}
