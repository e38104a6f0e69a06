package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kustiq/kustiq/api/errcode"
)

// constant is one condition or reason of conditions.go.
type constant struct{ name, value, comment string }

// conditionBlocks reads conditions.go: a block per condition, the condition first and its reasons after it.
func conditionBlocks(t *testing.T) [][]constant {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var blocks [][]constant
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST || !strings.HasPrefix(group.Specs[0].(*ast.ValueSpec).Names[0].Name, "Condition") {
			continue
		}
		var block []constant
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec)
			value, err := strconv.Unquote(s.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			block = append(block, constant{s.Names[0].Name, value, s.Doc.Text()})
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func TestEachBlockIsOneConditionAndSaysWhenItsReasonsSurface(t *testing.T) {
	blocks := conditionBlocks(t)
	if len(blocks) != 14 {
		t.Errorf("%d conditions", len(blocks))
	}
	// Kubernetes refuses a status with any other reason.
	valid := regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)
	for _, block := range blocks {
		for _, c := range block[1:] {
			if !strings.HasPrefix(c.name, "Reason") || !valid.MatchString(c.value) {
				t.Errorf("%s: %s = %q is no reason", block[0].value, c.name, c.value)
			}
			if !strings.HasPrefix(c.comment, c.name+" surfaces") {
				t.Errorf("%s does not say when it surfaces", c.name)
			}
		}
	}
}

func TestEachErrorCodeIsAReason(t *testing.T) {
	reasons := map[string]bool{}
	for _, block := range conditionBlocks(t) {
		for _, c := range block[1:] {
			reasons[c.value] = true
		}
	}
	for _, e := range errcode.All() {
		if !reasons[string(e.Code)] {
			t.Errorf("no condition has the reason %s", e.Code)
		}
		delete(reasons, string(e.Code))
	}
	for reason := range reasons {
		if strings.HasPrefix(reason, "ERR_") {
			t.Errorf("%s is none of the ten codes", reason)
		}
	}
}

func TestEachConditionHasASectionThatListsItsReasons(t *testing.T) {
	var sections []string
	for _, page := range []string{"stripeconnection", "backfill", "workspace"} {
		text, err := os.ReadFile("../../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		sections = append(sections, strings.Split(string(text), "\n### ")...)
	}
	for _, block := range conditionBlocks(t) {
		var section string
		for _, s := range sections {
			if strings.HasPrefix(s, block[0].value+"\n") {
				section = s
			}
		}
		for _, c := range block[1:] {
			if !strings.Contains(section, "`"+c.value+"`") {
				t.Errorf("the section of %s does not list %s", block[0].value, c.value)
			}
		}
	}
}
