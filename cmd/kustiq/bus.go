package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/keys"
)

// serverFlags are those of kustiq bus.
type serverFlags struct {
	dir, listen, tokenFile, keysDir string
	name, clusterListen             string
	clusterMembers                  []string
}

func (f *serverFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "dir", "", "folder that keeps the streams; it must survive restarts")
	flags.StringVar(&f.listen, "listen", ":4222", "address for the other roles")
	flags.StringVar(&f.tokenFile, "token-file", "", "file with the token that clients have to present")
	flags.StringVar(&f.keysDir, "keys-dir", "", "folder into which the Secret "+keys.SecretName+" is mounted; "+keys.BusFilesKey+" is read")
	flags.StringVar(&f.name, "name", "", "name of this server in its cluster, which it must keep")
	flags.StringVar(&f.clusterListen, "cluster-listen", ":6222", "address for the other servers of the cluster")
	flags.StringSliceVar(&f.clusterMembers, "cluster-members", nil, "host:port of all servers of the cluster; none for a server that stands alone")
}

func (f *serverFlags) check() error {
	err := missing(need{"dir", f.dir, "the folder that keeps the streams"},
		need{"token-file", f.tokenFile, "a file with the token that clients have to present"}, needKeysDir(f.keysDir))
	if err == nil && len(f.clusterMembers) > 0 {
		err = missing(need{"name", f.name, "a name that no other server of the cluster has"})
	}
	return err
}

// cluster is nil for a server that stands alone.
func (f *serverFlags) cluster() *bus.ClusterOptions {
	if len(f.clusterMembers) == 0 {
		return nil
	}
	return &bus.ClusterOptions{Name: f.name, Listen: f.clusterListen, Members: f.clusterMembers}
}

func newBusCommand() *cobra.Command {
	var flags roleFlags
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "bus",
		Short: "Run the bus: a NATS server with JetStream",
		Long: `Runs one NATS server with JetStream. Its files are encrypted, and each write is synced to disk before it is
acknowledged. Two regions need a bus each. Three servers that name each other by --cluster-members keep three copies, and
go on when one of them fails; the other roles then ask for --bus-replicas 3. An external NATS cluster can take the place
of all of them.` + environmentHelp,
		Example: `  kustiq bus --dir /var/lib/kustiq/bus --token-file /etc/kustiq/keys/bus-token --keys-dir /etc/kustiq/keys`,
		Args:    cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := server.check(); err != nil {
				return err
			}
			return runRole(cmd, flags, newMetrics(), func(r *role) error { return r.startBus(server) })
		},
	}
	server.add(cmd)
	flags.add(cmd)
	return cmd
}

func (r *role) startBus(flags serverFlags) error {
	token, err := readSecret("token-file", flags.tokenFile)
	if err != nil {
		return err
	}
	key, err := keys.BusFiles(r.ctx, keys.Folder(flags.keysDir))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(flags.dir, 0o700); err != nil {
		return err
	}
	// Two servers on the same files would destroy them.
	release, err := lockFile(filepath.Join(flags.dir, "lock"), "kustiq bus")
	if err != nil {
		return err
	}
	r.atEnd(func() error { release(); return nil })
	server, err := bus.StartServer(r.ctx, bus.ServerOptions{
		Dir: flags.dir, EncryptionKey: key, Listen: flags.listen, Token: token, Cluster: flags.cluster(), Logger: r.log,
	})
	if err != nil {
		return err
	}
	r.atEnd(server.Close)
	r.checks = append(r.checks, func(context.Context) bool { return server.Ready() })
	r.log.Info("the bus takes connections", "url", server.ClientURL())
	return nil
}
