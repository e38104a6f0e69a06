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
	"github.com/kustiq/kustiq/internal/vault"
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

// devKeys are the open keysets, and the key that encrypts the bus's files.
type devKeys struct {
	tokens, bus, identity *vault.Vault
	busFiles              []byte
}

// keysSecret keeps the key-encryption keysets, as an installation does.
const keysSecret = "kustiq-keys"

// installKeys makes the operator's namespace and fresh keysets in it. An install does the same once.
func (s *devStack) installKeys() error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	if err := s.kube.Create(s.ctx, ns); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", operatorNamespace, err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: keysSecret},
		Data:       map[string][]byte{},
	}
	for name, open := range map[string]**vault.Vault{
		"tokens": &s.keys.tokens, "bus": &s.keys.bus, "identity": &s.keys.identity,
	} {
		serialized, err := vault.NewKeyset()
		if err != nil {
			return fmt.Errorf("make keyset %s: %w", name, err)
		}
		if *open, err = vault.Open(serialized); err != nil {
			return fmt.Errorf("open keyset %s: %w", name, err)
		}
		secret.Data[name] = serialized
	}
	s.keys.busFiles = randomBytes(32)
	secret.Data["bus-files"] = s.keys.busFiles
	if err := s.kube.Create(s.ctx, secret); err != nil {
		return fmt.Errorf("store keysets: %w", err)
	}
	return nil
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
