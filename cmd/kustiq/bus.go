package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/keys"
)

func newBusCommand() *cobra.Command {
	var flags roleFlags
	var dir, listen, tokenFile, keysDir string
	cmd := &cobra.Command{
		Use:   "bus",
		Short: "Run the bus: a NATS server with JetStream",
		Long: `Runs one NATS server with JetStream. Its files are encrypted, and each write is synced to disk before it is
acknowledged. Two regions need a bus each. A cluster is an external one: the other roles reach it by --bus-url just the
same.` + environmentHelp,
		Example: `  kustiq bus --dir /var/lib/kustiq/bus --token-file /etc/kustiq/bus/token --keys-dir /etc/kustiq/keys`,
		Args:    cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := missing(need{"dir", dir, "the folder that keeps the streams"},
				need{"token-file", tokenFile, "a file with the token that clients have to present"}, needKeysDir(keysDir))
			if err != nil {
				return err
			}
			return runRole(cmd, flags, newMetrics(), func(r *role) error { return r.startBus(dir, listen, tokenFile, keysDir) })
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder that keeps the streams; it must survive restarts")
	cmd.Flags().StringVar(&listen, "listen", ":4222", "address for the other roles")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with the token that clients have to present")
	cmd.Flags().StringVar(&keysDir, "keys-dir", "", "folder into which the Secret "+keys.SecretName+" is mounted; "+keys.BusFilesKey+" is read")
	flags.add(cmd)
	return cmd
}

func (r *role) startBus(dir, listen, tokenFile, keysDir string) error {
	token, err := readSecret("token-file", tokenFile)
	if err != nil {
		return err
	}
	key, err := keys.BusFiles(r.ctx, keys.Folder(keysDir))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Two servers on the same files would destroy them.
	release, err := lockFile(filepath.Join(dir, "lock"), "kustiq bus")
	if err != nil {
		return err
	}
	r.atEnd(func() error { release(); return nil })
	server, err := bus.StartServer(r.ctx, bus.ServerOptions{
		Dir: dir, EncryptionKey: key, Listen: listen, Token: token, Logger: r.log,
	})
	if err != nil {
		return err
	}
	r.atEnd(server.Close)
	r.log.Info("the bus takes connections", "url", server.ClientURL())
	return nil
}
