package canary

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	marks "github.com/kustiq/kustiq/internal/stripesim/canary"
)

// listener keeps every churn event that it is told.
type listener struct {
	mu   sync.Mutex
	told []piece
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, piece{fmt.Sprint("churn event ", len(l.told)), fmt.Append(body, r.Header)})
}

func (l *listener) pieces() []piece {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]piece{}, l.told...)
}

// listen names a receiver of churn events in the demo's Workspace.
func (d *dev) listen(t *testing.T) *listener {
	g := NewWithT(t)
	l := &listener{}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	_, err := kubernetes.NewForConfigOrDie(d.kube).CoreV1().Secrets("kustiq-demo").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "churn-hook"}, StringData: map[string]string{"secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	workspaces := dynamic.NewForConfigOrDie(d.kube).Resource(schema.GroupVersionResource{
		Group: "integrations.kustiq.io", Version: "v1alpha1", Resource: "workspaces"}).Namespace("kustiq-demo")
	_, err = workspaces.Patch(t.Context(), "acme", types.MergePatchType, fmt.Appendf(nil,
		`{"spec":{"notifications":[{"url":"%s/churn","signingSecretRef":{"name":"churn-hook","key":"secret"}}]}}`, server.URL), metav1.PatchOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	return l
}

// tellsNobodysName looks at what the receiver was told: ids, and nothing of a person.
func (d *dev) tellsNobodysName(t *testing.T, l *listener) {
	g := NewWithT(t)
	g.Eventually(func() []string { return holding(l.pieces(), d.known) }, patience).ShouldNot(BeEmpty(), "the receiver was told nothing of a customer to whom much happened")
	for _, found := range search(marks.NewFinder(append(marks.NeverKept(), marks.Email, marks.Name)...), l.pieces()) {
		t.Errorf("%s: %v", found.where, found.found)
	}
}
