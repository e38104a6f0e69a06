package access_test

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
	"github.com/kustiq/kustiq/test/devrun"
)

// freeAddress is one that nobody listens on.
func freeAddress(g *WithT) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestTheRole runs kustiq dashboard with the token of its ServiceAccount, signs somebody in, and has it stop.
func TestTheRole(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t)
	w.tenant("alpha", "acme", "amber")
	w.bind("alpha", "ada@example.com", "kustiq-view")
	binaries, clean := devrun.Binaries()
	t.Cleanup(clean)
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		g.Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
		g.Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
		return path
	}
	for _, name := range []string{"bus", "identity"} {
		keys, err := vault.NewKeyset()
		g.Expect(err).NotTo(HaveOccurred())
		file("keys/"+name, keys)
	}
	busAt, listen, metrics, word := freeAddress(g), freeAddress(g), freeAddress(g), rand.Text()
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{
		Dir: filepath.Join(dir, "bus"), EncryptionKey: bytes.Repeat([]byte{1}, 32), Listen: busAt, Token: word, Logger: slog.New(slog.DiscardHandler),
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = server.Close() })

	var said bytes.Buffer
	role := exec.Command(filepath.Join(binaries, "kustiq"), "dashboard", "--region", "EU", "--url", "http://"+listen, "--listen", listen,
		"--metrics-listen", metrics, "--bus-url", "nats://"+busAt, "--bus-token-file", file("token", []byte(word)), "--keys-dir", filepath.Join(dir, "keys"),
		"--store", "sqlite://"+filepath.Join(dir, "kustiq.db"), "--kubeconfig", w.kubeconfig(filepath.Join(dir, "kubeconfig")),
		"--oidc-issuer-url", w.idp.URL, "--oidc-client-id", w.idp.ClientID, "--oidc-client-secret-file", file("secret", []byte(w.idp.ClientSecret+"\n")),
		"--oidc-username-claim", "email", "--oidc-username-prefix", "oidc:")
	role.Stdout, role.Stderr = &said, &said
	g.Expect(role.Start()).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- role.Wait() }()
	t.Cleanup(func() {
		_ = role.Process.Kill()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	g.Eventually(func() int { return status("http://" + metrics + "/readyz") }, "60s", "100ms").Should(Equal(http.StatusOK))

	here := *w
	here.url = "http://" + listen
	ada := here.signedIn("ada@example.com")
	code, page := ada.get("/dashboard/integrations")
	g.Expect(code).To(Equal(http.StatusOK))
	g.Expect(page).To(And(ContainSubstring("Access of amber was withdrawn."), ContainSubstring("You may look at these connections")))
	code, _ = ada.get("/dashboard/settings/data")
	g.Expect(code).To(Equal(http.StatusOK))

	g.Expect(role.Process.Signal(os.Interrupt)).To(Succeed())
	g.Eventually(ended, "30s").Should(Receive(BeNil()))
	g.Expect(said.String()).NotTo(Or(ContainSubstring("ada@example.com"), ContainSubstring(word), ContainSubstring(w.idp.ClientSecret), ContainSubstring("code=")))
}

// kubeconfig shows the token of the dashboard's ServiceAccount, and no more.
func (w *world) kubeconfig(path string) string {
	w.t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: w.admin.Host, CertificateAuthorityData: w.admin.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: w.token(system, "kustiq-dashboard")}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	NewWithT(w.t).Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

func status(address string) int {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(address)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}
