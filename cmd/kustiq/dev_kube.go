//go:build !image

package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/keys"
)

func (s *devStack) startControlPlane() (err error) {
	crds, err := config.CRDs()
	if err != nil {
		return err
	}
	s.cluster, err = devcluster.Start(s.ctx, devcluster.Options{
		Dir: s.opts.dataDir, CRDs: crds, Progress: func(line string) { s.say("%s", line) },
	})
	if err != nil {
		return err
	}
	s.kube, err = client.New(s.cluster.Config, client.Options{Scheme: controllers.Scheme()})
	return err
}

// installKeys makes the operator's namespace and the keysets in it, as an install does once, and opens them.
func (s *devStack) installKeys() error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	if err := s.kube.Create(s.ctx, ns); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", operatorNamespace, err)
	}
	keeper := keys.New(s.kube, operatorNamespace, keys.Options{KMS: keys.OpenKMS, Clock: s.clock})
	if _, err := keeper.Init(s.ctx, ""); err != nil {
		return err
	}
	source := keys.InCluster(s.kube, operatorNamespace)
	var err error
	if s.busFiles, err = keys.BusFiles(s.ctx, source); err != nil {
		return err
	}
	s.keys, err = s.openKeys(source)
	return err
}

// applySamples applies config/samples by server-side apply, as kubectl does, and returns what it applied.
func applySamples(ctx context.Context, kube client.Client) ([]*unstructured.Unstructured, error) {
	documents, err := config.SampleDocuments()
	if err != nil {
		return nil, err
	}
	var applied []*unstructured.Unstructured
	for _, document := range documents {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return nil, fmt.Errorf("read sample: %w", err)
		}
		if object.GetKind() == "" {
			return nil, errors.New("read sample: a document without a kind")
		}
		apply := client.ApplyConfigurationFromUnstructured(object)
		if err := kube.Apply(ctx, apply, client.FieldOwner("kustiq-dev"), client.ForceOwnership); err != nil {
			return nil, fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		applied = append(applied, object)
	}
	return applied, nil
}
