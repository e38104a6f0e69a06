package install

import (
	"encoding/json"
	"regexp"
	"testing"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
)

// healthScript is the one of docs/gitops.md, as somebody copies it from there.
func healthScript(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```lua\n(.*?)```").FindSubmatch(read(t, root+"/docs/gitops.md"))
	if m == nil {
		t.Fatal("docs/gitops.md has no script")
	}
	return string(m[1])
}

// health runs the script as Argo CD does: obj is the resource, and what it returns is its health.
func health(t *testing.T, script string, object any) (status, message string) {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", toLua(state, value))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	answer := state.Get(-1).(*lua.LTable)
	return answer.RawGetString("status").String(), answer.RawGetString("message").String()
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, field := range v {
			table.RawSetString(key, toLua(state, field))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, element := range v {
			table.Append(toLua(state, element))
		}
		return table
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	}
	return lua.LNil
}

func TestArgoCDHealth(t *testing.T) {
	script := healthScript(t)
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "about " + reason}
	}
	for name, tc := range map[string]struct {
		generation, observed int64
		suspend              bool
		conditions           []metav1.Condition
		want, message        string
	}{
		"nobody has looked yet":  {1, 0, false, nil, "Progressing", "Waiting for the operator"},
		"a change is not seen":   {2, 1, false, []metav1.Condition{condition(v1alpha1.ConditionReady, "True", "Ready")}, "Progressing", "Waiting for the operator to see the change"},
		"ready":                  {1, 1, false, []metav1.Condition{condition(v1alpha1.ConditionReady, "True", "Ready")}, "Healthy", "about Ready"},
		"on its way":             {1, 1, false, []metav1.Condition{condition(v1alpha1.ConditionReady, "False", "Progressing"), condition(v1alpha1.ConditionReconciling, "True", "Progressing")}, "Progressing", "about Progressing"},
		"somebody has to act":    {1, 1, false, []metav1.Condition{condition(v1alpha1.ConditionReady, "False", string(errcode.ST401)), condition(v1alpha1.ConditionStalled, "True", string(errcode.ST401))}, "Degraded", "about ERR_ST_401"},
		"it waits for a consent": {1, 1, false, []metav1.Condition{condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonAwaitingConsent), condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonAwaitingConsent)}, "Suspended", "about AwaitingConsent"},
		"it is suspended":        {1, 1, true, []metav1.Condition{condition(v1alpha1.ConditionReady, "False", "Suspended")}, "Suspended", "about Suspended"},
	} {
		t.Run(name, func(t *testing.T) {
			connection := &v1alpha1.StripeConnection{}
			connection.Generation, connection.Spec.Suspend = tc.generation, tc.suspend
			connection.Status.ObservedGeneration, connection.Status.Conditions = tc.observed, tc.conditions
			if status, message := health(t, script, connection); status != tc.want || message != tc.message {
				t.Errorf("%s: %s", status, message)
			}
		})
	}
	t.Run("of a Workspace", func(t *testing.T) {
		workspace := &v1alpha1.Workspace{}
		workspace.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionReady, "True", "Ready")}
		if status, _ := health(t, script, workspace); status != "Healthy" {
			t.Error(status)
		}
	})
}
