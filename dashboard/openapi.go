package dashboard

import (
	_ "embed"
	"net/http"
)

// description of the JSON API in OpenAPI 3.1.
//
//go:embed openapi.yaml
var description []byte

func (d *Dashboard) apiDescription(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(description) // the client has gone
}
