package keys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Source is where a role finds the Secret: InCluster or Folder.
type Source interface {
	// read returns the Secret's data, and a version that is another one whenever the data is.
	read(ctx context.Context) (data map[string][]byte, version string, err error)
	// String names the source in messages.
	String() string
}

// InCluster reads the Secret from the API server, which needs the right to. The reader must read past caches.
func InCluster(from client.Reader, namespace string) Source { return inCluster{from, namespace} }

type inCluster struct {
	reader    client.Reader
	namespace string
}

func (c inCluster) read(ctx context.Context) (map[string][]byte, string, error) {
	secret, err := read(ctx, c.reader, c.namespace)
	if err != nil {
		return nil, "", err
	}
	return secret.Data, secret.ResourceVersion, nil
}

func (c inCluster) String() string { return "namespace " + c.namespace }

// Folder reads the Secret as it is mounted into a pod: a file for each of its keys. A role then needs no right at the
// API server, and may be given no other keysets than those it uses.
func Folder(dir string) Source { return folder(dir) }

type folder string

// mountedData is the link under which kubelet keeps a mounted Secret's files. It changes all files at once by
// pointing the link somewhere else.
const mountedData = "..data"

func (f folder) read(context.Context) (map[string][]byte, string, error) {
	dir := string(f)
	// Resolved once, so that all files are of the same state of the Secret.
	if resolved, err := filepath.EvalSymlinks(filepath.Join(dir, mountedData)); err == nil {
		dir = resolved
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, "", fmt.Errorf("%w: %s is not a folder", ErrNoFolder, string(f))
	}
	data, digest := map[string][]byte{}, sha256.New()
	for _, file := range []string{string(Tokens), string(Bus), string(Identity), BusFilesKey, KMSURIKey} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("keys: read the mounted Secret: %w", err)
		}
		data[file] = content
		sum := sha256.Sum256(content)
		_, _ = fmt.Fprintf(digest, "%s %x\n", file, sum)
	}
	return data, hex.EncodeToString(digest.Sum(nil)), nil
}

func (f folder) String() string { return "folder " + string(f) }

// BusFiles reads the 32 bytes from which the bus encrypts its files.
func BusFiles(ctx context.Context, from Source) ([]byte, error) {
	data, _, err := from.read(ctx)
	if err != nil {
		return nil, err
	}
	if len(data[BusFilesKey]) != 32 {
		return nil, fmt.Errorf("keys: %s of %s is not 32 bytes long", BusFilesKey, from)
	}
	return data[BusFilesKey], nil
}
