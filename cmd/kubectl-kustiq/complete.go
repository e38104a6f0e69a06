package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// complete offers fixed words for a flag.
func (p *plugin) complete(cmd *cobra.Command, flag string, words ...string) {
	// It fails only for a flag that there is not.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeAll gives every command what it has in common with others: names of Workspaces, no files.
func (p *plugin) completeAll(cmd *cobra.Command) {
	if cmd.Flags().Lookup("workspace") != nil {
		_ = cmd.RegisterFlagCompletionFunc("workspace", p.workspaceNames)
	}
	if cmd.ValidArgsFunction == nil && cmd.Name() != "import" {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		p.completeAll(sub)
	}
}

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// names offers what list finds in the namespace. The shell has not run the command's own preparation.
func (p *plugin) names(list func(ctx context.Context, in client.ListOption) ([]string, error)) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if err := p.reachCluster(); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		found, err := list(cmd.Context(), client.InNamespace(p.namespace))
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		found = slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) || !strings.HasPrefix(name, begun) })
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func (p *plugin) connectionNames(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return p.names(func(ctx context.Context, in client.ListOption) (names []string, err error) {
		var list v1alpha1.StripeConnectionList
		err = p.kube.List(ctx, &list, in)
		for _, c := range list.Items {
			names = append(names, c.Name)
		}
		return names, err
	})(cmd, args, begun)
}

func (p *plugin) workspaceNames(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return p.names(func(ctx context.Context, in client.ListOption) (names []string, err error) {
		var list v1alpha1.WorkspaceList
		err = p.kube.List(ctx, &list, in)
		for _, w := range list.Items {
			names = append(names, w.Name)
		}
		return names, err
	})(cmd, args, begun)
}
