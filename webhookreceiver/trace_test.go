package webhookreceiver

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kustiq/kustiq/internal/tracing"
)

func TestASpanCrossesTheBusWithItsEvent(t *testing.T) {
	g := NewWithT(t)
	spans := tracetest.NewInMemoryExporter()
	tracer := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	b := start(t, func(o *Options) { o.Tracer = tracer })
	body := failedInvoice("evt_1", "acct_1", true)
	b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now))
	ended := spans.GetSpans()
	g.Expect(ended).To(HaveLen(2))
	publish, receive := ended[0], ended[1]
	g.Expect([]string{publish.Name, receive.Name}).To(Equal([]string{"publish", "receive"}))
	g.Expect(publish.Parent.SpanID()).To(Equal(receive.SpanContext.SpanID()))
	g.Expect(b.receiveOne().Trace).To(And(ContainSubstring(publish.SpanContext.TraceID().String()), ContainSubstring(publish.SpanContext.SpanID().String())))
	for _, span := range ended {
		for _, attribute := range span.Attributes {
			g.Expect([]string{"kustiq.outcome=accepted", "stripe.event.id=evt_1", "stripe.event.type=invoice.payment_failed"}).
				To(ContainElement(string(attribute.Key) + "=" + attribute.Value.AsString()))
		}
	}
}

func TestNothingIsTracedUnlessAskedFor(t *testing.T) {
	b := start(t, nil)
	body := failedInvoice("evt_1", "acct_1", true)
	if answer := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); !strings.Contains(answer.Body.String(), "accepted") {
		t.Fatal(answer.Body)
	}
	if trace := b.receiveOne().Trace; trace != "" {
		t.Errorf("the message carries %q", trace)
	}
}
