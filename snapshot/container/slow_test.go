package container_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const slowChild = "MG_SLOW_ENGINE"

// An engine that is slow to make a container, and makes it though nobody waits
// any more, leaves none behind. It is the real one, behind a proxy; a process of
// its own asks, for testcontainers looks for an engine once.
func TestCancelledWhileTheEngineIsAtIt(t *testing.T) {
	p, spec := provisioner(t, "15")
	if os.Getenv(slowChild) != "" {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		offer := p.Offer(ctx, spec)
		time.AfterFunc(500*time.Millisecond, cancel)
		if _, err := p.Provision(ctx, spec, offer); !errors.Is(err, context.Canceled) {
			t.Errorf("said %v", err)
		}
		return
	}
	out, err := exec.Command("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").Output()
	socket, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "unix://")
	if h := os.Getenv("DOCKER_HOST"); h != "" {
		socket, ok = strings.CutPrefix(h, "unix://")
	}
	if err != nil || !ok {
		t.Skip("the engine is not on a socket of this machine, where a proxy could stand before it: a slow engine is not tested")
	}
	slowed := make(chan struct{}, 8)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/containers/create") {
			slowed <- struct{}{}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			r = r.WithContext(context.WithoutCancel(r.Context()))
			w = struct{ http.ResponseWriter }{w} // which tells of nobody who went away
			time.Sleep(2 * time.Second)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer slow.Close()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), slowChild+"=1", "DOCKER_HOST=tcp://"+slow.Listener.Addr().String(), "MG_TEST_IMAGES=require")
	said, err := child.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if len(slowed) == 0 {
		t.Errorf("it asked for no container\n%s", said)
	}
	time.Sleep(3 * time.Second)
	if left := leftovers(t)(spec.Run); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
