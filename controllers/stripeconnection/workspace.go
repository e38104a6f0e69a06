package stripeconnection

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
)

// entitle reads the Workspace and checks that its plan includes Stripe. Without one, events stop being accepted; the
// grant is kept, so that an upgrade resumes by itself.
func (r *Reconciler) entitle(ctx context.Context, s *scope) error {
	var workspace v1alpha1.Workspace
	name := s.conn.Spec.WorkspaceRef.Name
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.conn.Namespace, Name: name}, &workspace)
	if apierrors.IsNotFound(err) {
		s.withdraw = true
		return step.UserActionFor(v1alpha1.ReasonWorkspaceNotFound, fmt.Sprintf(
			"There is no Workspace %q in this namespace. Ask the platform team to create it.", name))
	}
	if err != nil {
		return fmt.Errorf("read workspace: %w", err)
	}
	s.workspace = &workspace
	if s.status.Region == "" {
		r.enterRegion(s, workspace.Spec.Region)
	}
	if workspace.Spec.Plan != v1alpha1.PlanPro {
		s.withdraw = true
		return step.UserAction(errcode.PlanRequired, explain(errcode.PlanRequired, fmt.Sprintf(
			"Workspace %q is on plan %s.", name, workspace.Spec.Plan)))
	}
	s.conditions.True(v1alpha1.ConditionEntitled, v1alpha1.ReasonPlanIncludesStripe, fmt.Sprintf(
		"Workspace %q is on plan %s.", name, workspace.Spec.Plan))
	return nil
}
