package dashboard

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// TestTheDescriptionIsOpenAPI holds openapi.yaml against OpenAPI 3.1's own schema.
func TestTheDescriptionIsOpenAPI(t *testing.T) {
	d := open(t)
	resp := d.do("GET", "/api/v1/openapi.yaml", nil)
	document, err := libopenapi.NewDocument([]byte(text(t, resp)))
	if err != nil || resp.Header.Get("Content-Type") != "application/yaml" {
		t.Fatal(resp.Header, err)
	}
	check, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if valid, problems := check.ValidateDocument(); !valid {
		for _, p := range problems {
			t.Error(p)
		}
	}
}

// TestTheDescriptionHasEveryRoute compares openapi.yaml with the mux, both ways.
func TestTheDescriptionHasEveryRoute(t *testing.T) {
	var served []string
	for _, r := range open(t).dashboard.routes() {
		if _, path, ok := strings.Cut(r.pattern, " "); ok && strings.HasPrefix(path, "/api/v1/") {
			served = append(served, r.pattern)
		}
	}
	described := slices.Collect(maps.Keys(operations(t)))
	slices.Sort(served)
	slices.Sort(described)
	for _, pattern := range served {
		if !slices.Contains(described, pattern) {
			t.Errorf("%s is served, and openapi.yaml does not describe it", pattern)
		}
	}
	for _, pattern := range described {
		if !slices.Contains(served, pattern) {
			t.Errorf("%s is described in openapi.yaml, and nothing serves it", pattern)
		}
	}
}

// operation is what openapi.yaml says of one pattern of the mux.
type operation struct {
	// query are the names of its query parameters.
	query []string
	// answers has by status, or "default", the schema of each media type; nil for one that is not checked.
	answers map[string]map[string]*jsonschema.Schema
}

// readOperations reads openapi.yaml, with its schemas closed to fields that it does not name.
var readOperations = sync.OnceValues(func() (map[string]operation, error) {
	raw, err := yaml.YAMLToJSON(description)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	root := document.(map[string]any)
	closeSchemas(root["paths"])
	closeSchemas(lookUp(root, "components", "responses"))
	for _, component := range lookUp(root, "components", "schemas").(map[string]any) {
		closeParts(component) // itself it is closed where it is referred to: it may be a part of an allOf
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", root); err != nil {
		return nil, err
	}
	all := map[string]operation{}
	for path, item := range root["paths"].(map[string]any) {
		for method, value := range item.(map[string]any) {
			if method == "parameters" || method == "summary" || method == "description" {
				continue
			}
			found := operation{query: queryOf(root, item, value), answers: map[string]map[string]*jsonschema.Schema{}}
			at := []string{"paths", path, method, "responses"}
			for status := range lookUp(root, at...).(map[string]any) {
				if found.answers[status], err = answerSchemas(compiler, root, append(at, status)); err != nil {
					return nil, fmt.Errorf("%s %s %s: %w", method, path, status, err)
				}
			}
			all[strings.ToUpper(method)+" "+path] = found
		}
	}
	return all, nil
})

func operations(t testing.TB) map[string]operation {
	t.Helper()
	all, err := readOperations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// closeSchemas makes every schema refuse properties that it does not describe, but for the parts of an allOf, whose whole
// does. A client is to pass over what it does not know; a test is not.
func closeSchemas(node any) {
	closeParts(node)
	object, _ := node.(map[string]any)
	reference, _ := object["$ref"].(string)
	_, properties := object["properties"].(map[string]any)
	if strings.HasPrefix(reference, "#/components/schemas/") || (properties && object["type"] == "object") {
		object["unevaluatedProperties"] = false
	}
}

func closeParts(node any) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if key != "allOf" {
				closeSchemas(value)
			}
		}
	case []any:
		for _, value := range node {
			closeSchemas(value)
		}
	}
}

func lookUp(node any, path ...string) any {
	for _, key := range path {
		object, _ := node.(map[string]any)
		node = object[key]
	}
	return node
}

// follow replaces a reference by the path that it leads to.
func follow(root any, path []string) []string {
	if reference, ok := lookUp(root, append(slices.Clone(path), "$ref")...).(string); ok {
		return strings.Split(strings.TrimPrefix(reference, "#/"), "/")
	}
	return path
}

func queryOf(root any, of ...any) (names []string) {
	for _, node := range of {
		list, _ := lookUp(node, "parameters").([]any)
		for _, parameter := range list {
			if reference, ok := lookUp(parameter, "$ref").(string); ok {
				parameter = lookUp(root, strings.Split(strings.TrimPrefix(reference, "#/"), "/")...)
			}
			if lookUp(parameter, "in") == "query" {
				names = append(names, lookUp(parameter, "name").(string))
			}
		}
	}
	return names
}

func answerSchemas(compiler *jsonschema.Compiler, root any, at []string) (map[string]*jsonschema.Schema, error) {
	at = append(follow(root, at), "content")
	schemas := map[string]*jsonschema.Schema{}
	content, _ := lookUp(root, at...).(map[string]any)
	for media := range content {
		schemas[media] = nil
		if media != "application/json" {
			continue
		}
		pointer := ""
		for _, key := range append(slices.Clone(at), media, "schema") {
			pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		}
		compiled, err := compiler.Compile("openapi.json#" + pointer)
		if err != nil {
			return nil, err
		}
		schemas[media] = compiled
	}
	return schemas, nil
}

// answered are the operations that a test has seen answered with success.
var answered sync.Map

// described holds every answer of the API that a test gets against openapi.yaml.
func described(t *testing.T, next *Dashboard) http.Handler {
	t.Helper()
	all, handler, mux := operations(t), next.Handler(), http.NewServeMux()
	for _, r := range next.routes() {
		mux.HandleFunc(r.pattern, r.serve)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/v1/") {
			handler.ServeHTTP(w, r)
			return
		}
		_, pattern := mux.Handler(r)
		seen := &recorder{ResponseWriter: w}
		handler.ServeHTTP(seen, r)
		if of, ok := all[pattern]; ok {
			if err := of.check(r, seen); err != nil {
				t.Errorf("%s %s answers otherwise than openapi.yaml says: %v\n%s", r.Method, r.URL.Path, err, seen.body.Bytes())
			} else if seen.status < 300 {
				answered.Store(pattern, true)
			}
		}
	})
}

// recorder keeps what is answered, and answers it.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.body.Write(data)
	return r.ResponseWriter.Write(data)
}

func (o operation) check(r *http.Request, got *recorder) error {
	if got.status == 0 {
		got.status = http.StatusOK
	}
	content, ok := o.answers[strconv.Itoa(got.status)]
	if !ok && got.status < 300 {
		return fmt.Errorf("there is no status %d", got.status)
	}
	if !ok {
		content = o.answers["default"]
	}
	if got.status < 300 {
		for name := range r.URL.Query() {
			if !slices.Contains(o.query, name) {
				return fmt.Errorf("there is no query parameter %s", name)
			}
		}
	}
	media, _, _ := strings.Cut(got.Header().Get("Content-Type"), ";")
	schema, ok := content[media]
	if len(content) == 0 && got.body.Len() == 0 {
		return nil
	}
	if !ok {
		return fmt.Errorf("status %d has no content of type %q", got.status, media)
	}
	if schema == nil {
		return nil
	}
	var document any
	decoder := json.NewDecoder(bytes.NewReader(got.body.Bytes()))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil && err != io.EOF {
		return err
	}
	return schema.Validate(document)
}

// TestMain fails a run of all tests in which an operation was never answered with success: its schema was not checked.
func TestMain(m *testing.M) {
	code := m.Run()
	all, err := readOperations()
	if filter := flag.Lookup("test.run"); code == 0 && err == nil && filter.Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		for pattern := range all {
			if _, ok := answered.Load(pattern); !ok {
				fmt.Printf("no test has %s answered: let one call it through the handler of open\n", pattern)
				code = 1
			}
		}
	}
	os.Exit(code)
}
