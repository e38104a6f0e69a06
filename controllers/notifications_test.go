package controllers_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	hookURL    = "https://hooks.example/services/T0/path-that-is-a-secret"
	hookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// settings are what the engine is told of the story's Workspace.
func (s *story) settings(ctx context.Context) (bus.Settings, error) {
	found, _, err := euBus.Settings().Get(ctx, s.ns+"/acme")
	return found, err
}

// notifications waits for the condition's reason and returns its message.
func (s *story) notifications(ctx context.Context, status metav1.ConditionStatus, reason string) string {
	var message string
	Eventually(func(g Gomega) {
		var w v1alpha1.Workspace
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(s.workspace), &w)).To(Succeed())
		c := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionNotificationsReady)
		g.Expect(c).To(And(HaveField("Status", status), HaveField("Reason", reason)))
		g.Expect(meta.IsStatusConditionTrue(w.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "scores do not wait for it")
		message = c.Message
	}).Should(Succeed())
	return message
}

// follow runs the command that ends a condition's message, as its reader would.
func follow(ctx context.Context, message string) {
	_, command, found := strings.Cut(message, ": kubectl ")
	Expect(found).To(BeTrue(), message)
	run := exec.CommandContext(ctx, "bash", "-ec", `kubectl() { "$KUBECTL" "$@"; }; kubectl `+command)
	run.Env = append(run.Environ(), "KUBECTL="+admin.Kubectl, "KUBECONFIG="+admin.Kubeconfig)
	out, err := run.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
}

var _ = Describe("a Workspace's settings", func() {
	It("reach the engine, change and go with the Workspace", func(ctx context.Context) {
		s := newStory(ctx)
		s.notifications(ctx, metav1.ConditionTrue, v1alpha1.ReasonNoNotifications)
		Eventually(s.settings).WithArguments(ctx).Should(Equal(bus.Settings{AtRiskThreshold: 60}))
		s.workspace = patched(ctx, s.workspace, func(w *v1alpha1.Workspace) { w.Spec.AtRiskThreshold = 70 })
		Eventually(s.settings).WithArguments(ctx).Should(Equal(bus.Settings{AtRiskThreshold: 70}))
		Expect(k8s.Delete(ctx, s.workspace)).To(Succeed())
		Eventually(func() error { _, err := s.settings(ctx); return err }).Should(MatchError(bus.ErrNotFound))
	})

	It("are withdrawn when the Workspace went while nobody looked", func(ctx context.Context) {
		_, err := euBus.Settings().Put(ctx, "nowhere/gone", bus.Settings{AtRiskThreshold: 60})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() error { _, _, err := euBus.Settings().Get(ctx, "nowhere/gone"); return err }).Should(MatchError(bus.ErrNotFound))
	})

	It("name a receiver as soon as the operator may read its signing secret", func(ctx context.Context) {
		s := newStory(ctx, func(w *v1alpha1.Workspace) {
			w.Spec.Notifications = []v1alpha1.Notification{{
				URL: hookURL, SigningSecretRef: v1alpha1.SecretKeyRef{Name: "churn-hook", Key: "secret"},
				EventTypes: []v1alpha1.EventType{"score.changed", "customer.at_risk"},
			}}
		})
		message := s.notifications(ctx, metav1.ConditionFalse, v1alpha1.ReasonSecretNotReadable)
		Expect(s.settings(ctx)).To(Equal(bus.Settings{AtRiskThreshold: 60}))
		follow(ctx, message)
		s.again(ctx)
		message = s.notifications(ctx, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
		follow(ctx, message)
		s.again(ctx)
		s.notifications(ctx, metav1.ConditionTrue, v1alpha1.ReasonPublished)

		var secret corev1.Secret
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "churn-hook"}, &secret)).To(Succeed())
		Expect(string(secret.Data["secret"])).To(HavePrefix("whsec_"), "what the message says to make is good")
		secret.Data["secret"] = []byte(hookSecret)
		Expect(k8s.Update(ctx, &secret)).To(Succeed())
		s.again(ctx)
		Eventually(s.opened).WithArguments(ctx).Should(Equal(bus.ReceiverSecret{URL: hookURL, Secrets: []string{hookSecret}}))
		published, err := s.settings(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(published.Receivers[0]).To(And(HaveField("Host", "hooks.example"), HaveField("ID", bus.ReceiverID(hookURL)),
			HaveField("EventTypes", []string{"customer.at_risk", "score.changed"})))
		plain, err := json.Marshal(published)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(plain)).NotTo(Or(ContainSubstring("path-that-is-a-secret"), ContainSubstring("whsec_")))

		s.again(ctx)
		Consistently(s.settings, "300ms").WithArguments(ctx).Should(Equal(published), "sealed once")
		secret.Data["secret"] = []byte("hunter2")
		Expect(k8s.Update(ctx, &secret)).To(Succeed())
		s.again(ctx)
		Expect(s.notifications(ctx, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid)).NotTo(ContainSubstring("hunter2"))

		secret.Data["secret"] = []byte(hookSecret + " " + hookSecret)
		Expect(k8s.Update(ctx, &secret)).To(Succeed())
		s.workspace = patched(ctx, s.workspace, func(w *v1alpha1.Workspace) {
			with := w.Spec.Notifications[0]
			with.URL = "https://user:word@hooks.example/"
			w.Spec.Notifications = append(w.Spec.Notifications, with)
		})
		message = s.notifications(ctx, metav1.ConditionFalse, v1alpha1.ReasonURLInvalid)
		Expect(message).To(And(HavePrefix("1 of 2 receivers"), ContainSubstring("Number 2"), Not(ContainSubstring("word"))))
		Expect(s.opened(ctx)).To(HaveField("Secrets", HaveLen(2)), "the first is told all the same")
	})
})

// again has the operator look at the Workspace now.
func (s *story) again(ctx context.Context) {
	s.workspace = patched(ctx, s.workspace, func(w *v1alpha1.Workspace) {
		w.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: clk.Now().String() + time.Now().String()}
	})
}

// opened is what the engine opens of the only receiver.
func (s *story) opened(ctx context.Context) (secret bus.ReceiverSecret, err error) {
	published, err := s.settings(ctx)
	if err != nil || len(published.Receivers) != 1 {
		return secret, err
	}
	plain, err := busVault.Unseal(published.Receivers[0].Sealed, bus.ReceiverContext(s.ns+"/acme", published.Receivers[0].ID))
	if err == nil {
		err = json.Unmarshal(plain, &secret)
	}
	return secret, err
}

// patched changes a Workspace as somebody else would.
func patched(ctx context.Context, w *v1alpha1.Workspace, change func(*v1alpha1.Workspace)) *v1alpha1.Workspace {
	var now v1alpha1.Workspace
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), &now)).To(Succeed())
	before := now.DeepCopy()
	change(&now)
	Expect(k8s.Patch(ctx, &now, client.MergeFrom(before))).To(Succeed())
	return &now
}
