package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// finished is what a watch shows when everything that was asked for is done.
func finished(ctx context.Context, kube client.WithWatch, list client.ObjectList, _ ...client.ListOption) (watch.Interface, error) {
	if err := kube.List(ctx, list); err != nil {
		return nil, err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	shown := watch.NewFakeWithChanSize(len(items), false)
	for _, item := range items {
		switch seen := item.(type) {
		case *v1alpha1.Backfill:
			seen.Status.Phase, seen.Status.Signals = v1alpha1.BackfillSucceeded, 740
		case *v1alpha1.StripeConnection:
			seen.Status.Handled.RematchAt, seen.Status.Handled.RotateSecretAt = seen.Annotations[v1alpha1.RematchAtAnnotation], seen.Annotations[v1alpha1.RotateSecretAtAnnotation]
			seen.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonReady}}
		}
		shown.Add(item)
	}
	return shown, nil
}

// TestADocumentIsAllThatAScriptReads runs what acts on resources, with what it tells on the way beside the document.
func TestADocumentIsAllThatAScriptReads(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	live := &v1alpha1.StripeConnection{ObjectMeta: named("stripe-live"), Status: v1alpha1.StripeConnectionStatus{ConnectURL: "https://kustiq.example/connect"}}
	live.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "somebody", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: v1alpha1.GroupVersion.String(),
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1("{}"),
	}}
	for _, c := range []struct{ args, kind, told, holds string }{
		{"connect stripe-live", "StripeConnection", "https://kustiq.example/connect", `"connectURL": "https://kustiq.example/connect"`},
		{"connect stripe-live --wait", "StripeConnection", "Ready", `"type": "Ready"`},
		{"replay stripe-live", "Backfill", "created", `"window": "30d"`},
		{"replay stripe-live --wait", "Backfill", "740 signals", `"phase": "Succeeded"`},
		{"rematch stripe-live", "StripeConnection", "stripe-live asked", `"kustiq.io/rematch-at": "`},
		{"rematch stripe-live --wait", "StripeConnection", "all customers are matched", `"rematchAt": "`},
		{"rotate-secret stripe-live stripe-test --wait", "StripeConnectionList", "stripe-test: events are signed with a new secret", `"rotateSecretAt": "`},
		{"status", "StripeConnectionList", "", `"kind": "StripeConnection"`},
	} {
		p := &plugin{flags: genericclioptions.NewConfigFlags(true), namespace: "ns"}
		p.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(live.DeepCopy(), &v1alpha1.StripeConnection{ObjectMeta: named("stripe-test")}).
			WithInterceptorFuncs(interceptor.Funcs{Watch: finished}).Build()
		var out, told bytes.Buffer
		cmd := p.command()
		cmd.SetOut(&out)
		cmd.SetErr(&told)
		cmd.SetArgs(append(strings.Fields(c.args), "-o", "json"))
		err := cmd.ExecuteContext(t.Context())
		var document metav1.TypeMeta
		read := json.NewDecoder(bytes.NewReader(out.Bytes()))
		if wrong := read.Decode(&document); err != nil || wrong != nil || document.Kind != c.kind || document.APIVersion != v1alpha1.GroupVersion.String() {
			t.Errorf("%s: %v, %v\n%s", c.args, err, wrong, out.String())
		}
		if _, err := read.Token(); err != io.EOF {
			t.Errorf("%s prints more than a document:\n%s", c.args, out.String())
		}
		if !strings.Contains(out.String(), c.holds) || !strings.Contains(told.String(), c.told) || strings.Contains(out.String(), "managedFields") {
			t.Errorf("%s tells %q:\n%s", c.args, told.String(), out.String())
		}
	}
}
