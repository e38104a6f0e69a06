//go:build !image

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// offerEnv writes dev.env and keeps it up to date.
func (s *devStack) offerEnv() error {
	s.run("dev.env", s.keepEnv)
	return s.writeEnv()
}

// keepEnv writes dev.env again whenever the operator has registered or replaced an endpoint, with its new secret.
func (s *devStack) keepEnv(ctx context.Context) error {
	ticker := s.clock.NewTicker(time.Second)
	defer ticker.Stop()
	last := [2]string{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C():
			if now := [2]string{s.stripe.EndpointSecret(true), s.stripe.EndpointSecret(false)}; now != last {
				if err := s.writeEnv(); err != nil {
					return err
				}
				last = now
			}
		}
	}
}

// writeEnv writes dev.env. The webhook secrets come into it once the operator has registered the endpoints.
func (s *devStack) writeEnv() error {
	values := []struct{ name, value string }{
		{"KUBECONFIG", s.cluster.Kubeconfig},
		{"DASHBOARD_URL", baseURL(s.listeners.dashboard)},
		{"RECEIVER_URL", baseURL(s.listeners.receiver) + "/webhooks/stripe"},
		{"STRIPE_URL", baseURL(s.listeners.stripe)},
		{"WEBHOOK_SECRET_LIVE", s.stripe.EndpointSecret(true)},
		{"WEBHOOK_SECRET_TEST", s.stripe.EndpointSecret(false)},
		{"ACCOUNT_ID", s.account},
		{"STORE_DSN", s.storeDSN},
	}
	var text strings.Builder
	for _, v := range values {
		fmt.Fprintf(&text, "%s=%s\n", v.name, quoted(v.value))
	}
	s.envMu.Lock()
	defer s.envMu.Unlock()
	// Written aside and renamed: a script that waits for the file never reads half of it. It holds secrets of the
	// simulated Stripe and a database password perhaps, hence 0600.
	path := s.envPath()
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write dev.env: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write dev.env: %w", err)
	}
	return nil
}

func (s *devStack) envPath() string { return filepath.Join(s.opts.dataDir, "dev.env") }

// quoted makes a value safe for a shell that sources dev.env, and leaves plain values plain for simpler readers.
func quoted(value string) string {
	if !strings.ContainsAny(value, " \t'\"$&;()<>|*?#~`\\!") {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
