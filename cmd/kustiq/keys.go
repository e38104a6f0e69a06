package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/keys"
)

// keysFlags are those of every keys command.
type keysFlags struct {
	cluster  clusterFlags
	settling time.Duration
}

func newKeysCommand() *cobra.Command {
	var flags keysFlags
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, rotate, list and prune the keysets that seal what Kustiq keeps",
		Long: `Make, rotate, list and prune the keysets that seal what Kustiq keeps: tokens, bus and identity.

They are in the Secret ` + keys.SecretName + ` of the operator's namespace. Key material is never printed.`,
	}
	flags.cluster.add(cmd.PersistentFlags())
	cmd.AddCommand(newKeysInitCommand(&flags), newKeysRotateCommand(&flags),
		newKeysListCommand(&flags), newKeysPruneCommand(&flags))
	return cmd
}

func newKeysInitCommand(flags *keysFlags) *cobra.Command {
	var kmsURI string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make fresh keysets, unless there are some",
		Example: `  kustiq keys init
  kustiq keys init --kms-uri aws-kms://arn:aws:kms:eu-central-1:123456789012:key/0f4a…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keeper, err := flags.keeper(cmd)
			if err != nil {
				return err
			}
			created, err := keeper.Init(cmd.Context(), kmsURI)
			if err != nil {
				return err
			}
			if !created {
				fmt.Fprintln(cmd.ErrOrStderr(), "the keysets exist already and are left as they are")
			}
			return printKeysets(cmd, keeper)
		},
	}
	cmd.Flags().StringVar(&kmsURI, "kms-uri", "",
		"wrap the keysets by this key: aws-kms://…, gcp-kms://… or hcvault://… (default: not wrapped)")
	return cmd
}

func newKeysRotateCommand(flags *keysFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate KEYSET...",
		Short: "Give keysets a new primary key, and seal tokens anew with it",
		Long: `Give keysets a new primary key, and seal tokens anew with it.

The new key is added first and made primary when all roles that run have picked it up. Old keys still open what they
sealed. Repeat the command when it was interrupted: it goes on where it was.`,
		Example: `  kustiq keys rotate tokens
  kustiq keys rotate tokens bus identity
  kustiq keys rotate tokens --settling 0s   # only when no role runs`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.change(cmd, args, func(keeper *keys.Keeper, names []keys.Name) error {
				if err := keeper.Rotate(cmd.Context(), names...); err != nil {
					return err
				}
				return reseal(cmd, keeper, names)
			})
		},
	}
	flags.addSettling(cmd)
	return cmd
}

func newKeysListCommand(flags *keysFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys of all keysets, without their material",
		Example: `  kustiq keys list`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keeper, err := flags.keeper(cmd)
			if err != nil {
				return err
			}
			return printKeysets(cmd, keeper)
		},
	}
}

func newKeysPruneCommand(flags *keysFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prune tokens",
		Short: "Remove the old keys of a keyset, when nothing needs them",
		Long: `Remove the old keys of a keyset, when nothing needs them.

Tokens that are still sealed under an old key are sealed anew first. The old keys are removed only when every token
opens without them. The keysets bus and identity cannot be pruned: what they seal is not sealed again, and needs its
key.`,
		Example: `  kustiq keys prune tokens`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.change(cmd, args, func(keeper *keys.Keeper, names []keys.Name) error {
				if err := reseal(cmd, keeper, names); err != nil {
					return err
				}
				return keeper.Prune(cmd.Context(), names[0])
			})
		},
	}
	flags.addSettling(cmd)
	return cmd
}

func (f *keysFlags) addSettling(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.settling, "settling", keys.Settling,
		"how long roles that run have to pick up a change; 0s only when none runs")
}

func (f *keysFlags) keeper(cmd *cobra.Command) (*keys.Keeper, error) {
	kube, _, err := f.cluster.connect()
	if err != nil {
		return nil, err
	}
	return keys.New(kube, f.cluster.namespace, keys.Options{
		KMS: keys.OpenKMS, Clock: clock.RealClock{}, Settling: f.settling,
		Progress: func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) },
	}), nil
}

// change does something with the keysets that are named, and shows what became of them all.
func (f *keysFlags) change(cmd *cobra.Command, args []string, do func(*keys.Keeper, []keys.Name) error) error {
	var names []keys.Name
	for _, arg := range args {
		name, err := keys.ParseName(arg)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	keeper, err := f.keeper(cmd)
	if err != nil {
		return err
	}
	if err := do(keeper, names); err != nil {
		return err
	}
	return printKeysets(cmd, keeper)
}

// reseal seals the tokens anew, if it is their keyset that is changed.
func reseal(cmd *cobra.Command, keeper *keys.Keeper, names []keys.Name) error {
	if !slices.Contains(names, keys.Tokens) {
		return nil
	}
	done, err := keeper.Reseal(cmd.Context())
	if err != nil {
		return fmt.Errorf("%d tokens sealed anew before: %w", done.Anew, err)
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "%d tokens sealed anew, %d under the primary key already\n", done.Anew, done.Current)
	if done.Unreadable > 0 {
		fmt.Fprintf(out, "%d tokens open with no key of the keyset: their connections need consent again\n", done.Unreadable)
	}
	return nil
}

func printKeysets(cmd *cobra.Command, keeper *keys.Keeper) error {
	keysets, kmsURI, err := keeper.List(cmd.Context())
	if err != nil {
		return err
	}
	if kmsURI != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "wrapped by", kmsURI)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEYSET\tKEY ID\tSTATE\tSTATUS\tCHANGED")
	for _, keyset := range keysets {
		changed := "-"
		if !keyset.Changed.IsZero() {
			changed = keyset.Changed.Format(time.RFC3339)
		}
		for _, key := range keyset.Keys {
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", keyset.Name, key.ID, key.State, key.Status, changed)
		}
	}
	return table.Flush()
}
