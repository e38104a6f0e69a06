package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/report"
)

// pollEvery is how often a command asks how far something is that it waits for.
const pollEvery = time.Second

func (p *plugin) profilesCommand() *cobra.Command {
	var s scope
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "Import, list and delete the profiles that customers are matched to",
	}
	cmd.PersistentFlags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: the only one of the namespace)")
	cmd.AddCommand(p.importCommand(&s), p.listProfilesCommand(&s), p.deleteProfilesCommand(&s))
	return cmd
}

func (p *plugin) importCommand(s *scope) *cobra.Command {
	var as string
	var wait bool
	var timeout time.Duration
	var printed output
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import a file of profiles, CSV or NDJSON",
		Long: `Sends a file of profiles, as it is read. Profiles of a known id are replaced, others stay. When a line is at fault nothing is
imported, and the first 20 lines at fault are named. FILE may be - for the standard input.

CSV has a header profile_id,email or profile_id,email,domain, NDJSON an object of the same fields in each line.`,
		Example: `  kubectl kustiq profiles import customers.csv
  psql -c "copy (select id as profile_id, email from customers) to stdout csv header" | kubectl kustiq profiles import - --format csv

  # how it ended, for a script
  kubectl kustiq profiles import customers.csv -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := fileFormat(as, args[0])
			if err != nil {
				return err
			}
			workspace, api, err := p.reach(cmd.Context(), *s)
			if err != nil {
				return err
			}
			file, size, err := openFile(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer file.Close()
			progress := &progress{file: file, size: size, out: cmd.ErrOrStderr(), every: 4 << 20}
			done, err := api.ImportProfiles(cmd.Context(), workspace, format, progress)
			progress.end()
			if err != nil {
				return err
			}
			printf(printed.notes(cmd), "%d profiles are good and being imported (%s)\n", done.Profiles, done.ID)
			if wait {
				ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
				defer cancel()
				if done, err = awaitImport(ctx, api, workspace, done, printed.notes(cmd), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			_, err = printed.document(cmd.OutOrStdout(), done)
			return err
		},
	}
	cmd.Flags().StringVar(&as, "format", "", "csv or ndjson (default: by the file's name)")
	cmd.Flags().BoolVar(&wait, "wait", true, "wait until the profiles are in place, with their progress")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "how long to wait")
	printed.addTo(cmd, "json", "yaml")
	p.complete(cmd, "format", "csv", "ndjson")
	return cmd
}

func fileFormat(as, name string) (string, error) {
	if as == "" {
		as = map[string]string{".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}[strings.ToLower(filepath.Ext(name))]
	}
	if as != "csv" && as != "ndjson" {
		return "", errors.New("say by --format whether the file is csv or ndjson")
	}
	return as, nil
}

func openFile(name string, stdin io.Reader) (file io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// progress tells how much of a file was sent.
type progress struct {
	file       io.Reader
	size, sent int64
	told       int64
	every      int64
	out        io.Writer
}

func (p *progress) Read(into []byte) (int, error) {
	n, err := p.file.Read(into)
	p.sent += int64(n)
	if p.sent-p.told >= p.every {
		p.told = p.sent
		if p.size > 0 {
			printf(p.out, "\rsent %d of %d MiB (%d %%)", p.sent>>20, p.size>>20, 100*p.sent/p.size)
		} else {
			printf(p.out, "\rsent %d MiB", p.sent>>20)
		}
	}
	return n, err
}

// end finishes the line.
func (p *progress) end() {
	if p.told > 0 {
		printf(p.out, "\n")
	}
}

func awaitImport(ctx context.Context, api *report.Client, workspace string, i report.Import, out, hints io.Writer) (report.Import, error) {
	late := errors.New("it is not done in time and goes on by itself as soon as an engine runs: kubectl kustiq profiles list --imports tells how far it is")
	for told := int64(-1); ; {
		found, err := api.Import(ctx, workspace, i.ID)
		if err != nil && ctx.Err() != nil {
			return i, late
		}
		if i = found; err != nil || i.Phase == report.ImportDone {
			if err != nil {
				return i, err
			}
			break
		}
		if done := i.Added + i.Updated; done != told {
			told = done
			printf(hints, "\r%d of %d in place", done, i.Profiles)
		}
		if pause(ctx, pollEvery) != nil {
			printf(hints, "\n")
			return i, late
		}
	}
	printf(hints, "\r")
	printf(out, "imported %d profiles: %d new, %d replaced; customers are being matched anew\n", i.Profiles, i.Added, i.Updated)
	return i, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (p *plugin) listProfilesCommand(s *scope) *cobra.Command {
	var format output
	var limit int
	var after string
	var imports bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List profiles in the order of their ids, or the last imports",
		Example: `  kubectl kustiq profiles list --limit 200
  kubectl kustiq profiles list --imports -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			workspace, api, err := p.reach(cmd.Context(), *s)
			if err != nil {
				return err
			}
			if imports {
				found, err := api.Imports(cmd.Context(), workspace)
				if err != nil {
					return err
				}
				if done, err := format.document(cmd.OutOrStdout(), found); done || err != nil {
					return err
				}
				return report.ImportTable(cmd.OutOrStdout(), found)
			}
			page, err := api.Profiles(cmd.Context(), workspace, limit, after)
			if err != nil {
				return err
			}
			if done, err := format.document(cmd.OutOrStdout(), page); done || err != nil {
				return err
			}
			if err := report.ProfileTable(cmd.OutOrStdout(), page); err != nil {
				return err
			}
			if page.Next != "" {
				printf(cmd.ErrOrStderr(), "The next page: --after %s\n", page.Next)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "profiles to list, 1 to 200")
	cmd.Flags().StringVar(&after, "after", "", "go on after an earlier page")
	cmd.Flags().BoolVar(&imports, "imports", false, "list the last imports instead")
	format.addTo(cmd, "json", "yaml")
	return cmd
}

func (p *plugin) deleteProfilesCommand(s *scope) *cobra.Command {
	return &cobra.Command{
		Use:     "delete PROFILE...",
		Short:   "Delete profiles, and the decisions on them",
		Example: "  kubectl kustiq profiles delete p-1001 p-1002",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			workspace, api, err := p.reach(cmd.Context(), *s)
			if err != nil {
				return err
			}
			for _, id := range args {
				if err := api.DeleteProfile(cmd.Context(), workspace, id); err != nil {
					return fmt.Errorf("%s: %w", id, err)
				}
				printf(cmd.OutOrStdout(), "deleted %s\n", report.Printable(id))
			}
			return nil
		},
	}
}
