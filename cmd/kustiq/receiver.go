package main

import (
	"net/http"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/webhookreceiver"
)

func newReceiverCommand() *cobra.Command {
	var flags roleFlags
	var onBus busFlags
	var listen, keysDir string
	cmd := &cobra.Command{
		Use:   "receiver",
		Short: "Run the receiver of Stripe's webhook events",
		Long: `Runs the receiver of one region: it verifies what Stripe posts to /webhooks/stripe/live and /webhooks/stripe/test, and
answers 2xx only when the bus has made the signals durable. It keeps no state: run as many as the load needs, behind
whatever ends TLS.

It reaches the bus and nothing else. Of the keysets it needs bus.` + environmentHelp,
		Example: `  kustiq receiver --region EU --bus-url nats://kustiq-bus:4222 --bus-token-file /etc/kustiq/bus/token \
    --keys-dir /etc/kustiq/keys`,
		Args: cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := onBus.check(); err != nil {
				return err
			}
			if err := missing(needKeysDir(keysDir)); err != nil {
				return err
			}
			return runRole(cmd, flags, newMetrics(), func(r *role) error { return r.startReceiver(onBus, listen, keysDir) })
		},
	}
	onBus.add(cmd)
	addKeysDir(cmd, &keysDir)
	cmd.Flags().StringVar(&listen, "listen", ":8080", "address of the webhook endpoints; port 0 takes a free one")
	flags.add(cmd)
	return cmd
}

func addKeysDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "keys-dir", "", "folder into which the Secret "+keys.SecretName+" is mounted; changes are picked up within minutes")
}

func needKeysDir(dir string) need {
	return need{"keys-dir", dir, "the folder into which the Secret " + keys.SecretName + " is mounted"}
}

func (r *role) startReceiver(onBus busFlags, listen, keysDir string) error {
	set, err := r.openKeys(keys.Folder(keysDir), keys.Bus)
	if err != nil {
		return err
	}
	l, err := listenOn("listen", listen)
	if err != nil {
		return err
	}
	handler := &lateHandler{}
	r.serve(webhookreceiver.NewServer("", handler), l)
	r.log.Info("listening for Stripe", "url", baseURL(l)+"/webhooks/stripe")
	b, err := r.openBus("receiver", onBus)
	if err != nil {
		return err
	}
	receiver, err := r.newReceiver(b, set)
	if err != nil {
		return err
	}
	r.readyz = receiver.Handler()
	handler.set(r.readyz)
	r.runOnBus("receiver", receiver.Run)
	return nil
}

// lateHandler answers 503, upon which Stripe tries again, until there is a handler.
type lateHandler struct{ handler atomic.Pointer[http.Handler] }

func (l *lateHandler) set(h http.Handler) { l.handler.Store(&h) }

func (l *lateHandler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if h := l.handler.Load(); h != nil {
		(*h).ServeHTTP(w, req)
		return
	}
	w.Header().Set("Retry-After", "5")
	http.Error(w, "the receiver is starting: send it again later", http.StatusServiceUnavailable)
}
