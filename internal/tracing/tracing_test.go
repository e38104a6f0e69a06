package tracing_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/kustiq/kustiq/internal/tracing"
)

func TestOffUnlessTheEnvironmentAsks(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing is set":       {},
		"the SDK is disabled":  {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
		"no traces are wanted": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range environment {
				t.Setenv(key, value)
			}
			tracer, err := tracing.Open(t.Context(), "engine")
			if tracer != nil || err != nil {
				t.Fatalf("%v, %v", tracer, err)
			}
			_, span := tracer.Begin(t.Context(), "x")
			span.Text("a", "b")
			span.Number("a", 1)
			span.Fail("x")
			span.End()
			if parent := span.Parent(); parent != "" || tracer.Resume("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x", time.Time{}) != nil {
				t.Error("there is a span")
			}
			if err := tracer.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// collector takes what an OpenTelemetry collector would.
func collector(t *testing.T) (spans map[string]string, services *[]string) {
	t.Helper()
	spans, services = map[string]string{}, &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		content, _ := io.ReadAll(body)
		var request coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(content, &request); err != nil {
			t.Error(err)
		}
		for _, of := range request.ResourceSpans {
			for _, attribute := range of.Resource.Attributes {
				if attribute.Key == "service.name" {
					*services = append(*services, attribute.Value.GetStringValue())
				}
			}
			for _, scope := range of.ScopeSpans {
				for _, span := range scope.Spans {
					spans[span.Name] = string(span.ParentSpanId)
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return spans, services
}

func TestSpansAreExported(t *testing.T) {
	spans, services := collector(t)
	tracer, err := tracing.Open(t.Context(), "receiver")
	if err != nil {
		t.Fatal(err)
	}
	_, receive := tracer.Begin(t.Context(), "receive")
	score := tracer.Resume(receive.Parent(), "score", time.Now())
	score.End()
	receive.End()
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(spans) != 2 || spans["receive"] != "" || spans["score"] == "" {
		t.Errorf("%q", spans)
	}
	if strings.Join(*services, ",") != "kustiq-receiver" {
		t.Errorf("%q", *services)
	}
}

func TestWhatIsNotSampledIsNotCarriedOn(t *testing.T) {
	spans, _ := collector(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	tracer, err := tracing.Open(t.Context(), "receiver")
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Begin(t.Context(), "receive")
	if parent := span.Parent(); parent != "" {
		t.Errorf("%q", parent)
	}
	span.End()
	if err := tracer.Close(t.Context()); err != nil || len(spans) != 0 {
		t.Errorf("%q, %v", spans, err)
	}
}

func TestAProtocolThatIsNotThere(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := tracing.Open(t.Context(), "receiver"); err == nil || !strings.Contains(err.Error(), "use http/protobuf") {
		t.Error(err)
	}
}

// BenchmarkOff is what each event costs when nobody traces.
func BenchmarkOff(b *testing.B) {
	var tracer *tracing.Tracer
	b.ReportAllocs()
	for b.Loop() {
		_, span := tracer.Begin(b.Context(), "publish")
		span.Text("stripe.event.id", "evt_1")
		span.Text("stripe.event.type", "invoice.payment_failed")
		_ = span.Parent()
		span.End()
	}
}
