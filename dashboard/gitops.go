package dashboard

import (
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keeper is the tool that keeps a resource as some source declares it, and would undo what is changed here.
type keeper struct {
	// Tool is its name, and Source what it calls where the declaration is; that may be empty.
	Tool, Source string
}

// keeperOf finds the tool by the marks that it leaves on what it applies. Nil when there is none.
func keeperOf(object client.Object) *keeper {
	labels, notes := object.GetLabels(), object.GetAnnotations()
	switch {
	case notes["argocd.argoproj.io/tracking-id"] != "":
		application, _, _ := strings.Cut(notes["argocd.argoproj.io/tracking-id"], ":")
		return &keeper{Tool: "Argo CD", Source: "application " + application}
	case labels["argocd.argoproj.io/instance"] != "":
		return &keeper{Tool: "Argo CD", Source: "application " + labels["argocd.argoproj.io/instance"]}
	case labels["kustomize.toolkit.fluxcd.io/name"] != "":
		return &keeper{Tool: "Flux", Source: "Kustomization " + labels["kustomize.toolkit.fluxcd.io/namespace"] + "/" + labels["kustomize.toolkit.fluxcd.io/name"]}
	case labels["helm.toolkit.fluxcd.io/name"] != "":
		return &keeper{Tool: "Flux", Source: "HelmRelease " + labels["helm.toolkit.fluxcd.io/namespace"] + "/" + labels["helm.toolkit.fluxcd.io/name"]}
	case notes["meta.helm.sh/release-name"] != "":
		return &keeper{Tool: "Helm", Source: "release " + notes["meta.helm.sh/release-namespace"] + "/" + notes["meta.helm.sh/release-name"]}
	case labels["app.kubernetes.io/managed-by"] == "Helm":
		return &keeper{Tool: "Helm"}
	}
	// Whoever has switched its marks off still writes under its own name.
	for _, entry := range object.GetManagedFields() {
		switch entry.Manager {
		case "argocd-controller":
			return &keeper{Tool: "Argo CD"}
		case "kustomize-controller", "helm-controller":
			return &keeper{Tool: "Flux"}
		case "helm":
			return &keeper{Tool: "Helm"}
		case "Terraform", "terraform", "HashiCorp":
			return &keeper{Tool: "Terraform"}
		}
	}
	return nil
}
