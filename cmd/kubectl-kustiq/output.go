package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// output is the -o flag of a command. It refuses what the command cannot print before the command does anything.
type output struct {
	format string
	kinds  []string
}

func (o *output) addTo(cmd *cobra.Command, kinds ...string) {
	o.kinds = kinds
	cmd.Flags().VarP(o, "output", "o", "output format: "+o.choice())
	// It fails only for a flag that there is not.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
}

// choice names the kinds in words.
func (o *output) choice() string {
	last := len(o.kinds) - 1
	return strings.Join(o.kinds[:last], ", ") + " or " + o.kinds[last]
}

func (o *output) Set(format string) error {
	if !slices.Contains(o.kinds, format) {
		return fmt.Errorf("use %s", o.choice())
	}
	o.format = format
	return nil
}

func (o *output) String() string { return o.format }
func (o *output) Type() string   { return "format" }

func (o *output) wide() bool { return o.format == "wide" }

// document prints a value as JSON or YAML; done is false when the format is for people.
func (o *output) document(w io.Writer, value any) (done bool, err error) {
	switch o.format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return true, encoder.Encode(value)
	case "yaml":
		text, err := yaml.Marshal(value)
		if err == nil {
			_, err = w.Write(text)
		}
		return true, err
	}
	return false, nil
}

// notes is where a command tells how it gets on: beside a document, so that a script reads the document alone.
func (o *output) notes(cmd *cobra.Command) io.Writer {
	if o.format == "json" || o.format == "yaml" {
		return cmd.ErrOrStderr()
	}
	return cmd.OutOrStdout()
}

// documents prints one value as it is and several as a list.
func documents[T any](o *output, w io.Writer, values []T) (done bool, err error) {
	if len(values) == 1 {
		return o.document(w, values[0])
	}
	return o.document(w, values)
}

// connectionDocuments prints connections as kubectl get does.
func (o *output) connectionDocuments(w io.Writer, found []v1alpha1.StripeConnection) (done bool, err error) {
	for i := range found {
		asGot(&found[i], "StripeConnection")
	}
	if len(found) == 1 {
		return o.document(w, found[0])
	}
	list := v1alpha1.StripeConnectionList{Items: found}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("StripeConnectionList"))
	return o.document(w, list)
}

// asGot makes a resource what kubectl get prints: it names its kind, and not who wrote which field.
func asGot(obj client.Object, kind string) {
	obj.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	obj.SetManagedFields(nil)
}
