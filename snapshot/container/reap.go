package container

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// Labels of what this tool makes: containers, networks and volumes alike.
const (
	labelRun     = "dev.migration-gate.run"
	labelOwner   = "dev.migration-gate.owner"
	labelExpires = "dev.migration-gate.expires"
	labelKeep    = "dev.migration-gate.keep"
	// labelInside is the id of the container that the owner runs in, if it is
	// one of the same engine.
	labelInside = "dev.migration-gate.inside"
)

// Attach finds a running server again that an earlier process left.
func (p *Provisioner) Attach(ctx context.Context, h snapshot.Handle) (*snapshot.Target, error) {
	cli, err := engine(ctx)
	if err != nil {
		return nil, fmt.Errorf("attach to container: %w", err)
	}
	defer cli.Close()
	res, err := cli.ContainerInspect(ctx, h.ID, client.ContainerInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("attach to container %.12s: %w", h.ID, plain(err))
	}
	if res.Container.Config == nil || res.Container.Config.Labels[labelOwner] == "" {
		return nil, fmt.Errorf("attach to container %.12s: this tool did not make it", h.ID)
	}
	if err := stopped(ctx, cli, h.ID, nil); err != nil {
		return nil, fmt.Errorf("attach to container %.12s: %w", h.ID, err)
	}
	pr, err := productOf(h.Engine)
	if err != nil {
		return nil, fmt.Errorf("attach to container %.12s: %w", h.ID, err)
	}
	version, err := pr.ask(ctx, &tools{cli: cli, product: pr, id: h.ID})
	if err != nil {
		return nil, fmt.Errorf("attach to container %.12s: %w", h.ID, err)
	}
	t, err := p.target(ctx, pr, h, version, "image "+h.Image)
	if err != nil {
		return nil, fmt.Errorf("attach to container %.12s: %w", h.ID, err)
	}
	return t, nil
}

// Destroy removes the container of a handle and its network.
func (p *Provisioner) Destroy(ctx context.Context, h snapshot.Handle) error {
	cli, err := engine(ctx)
	if err != nil {
		return fmt.Errorf("remove container %.12s: %w", h.ID, err)
	}
	defer cli.Close()
	return remove(ctx, cli, h.ID)
}

// Reap removes the containers, networks and volumes, made by this tool on this
// engine, that nobody wants any more. Of a process in another container the
// engine tells whether that container runs. What belongs to one that cannot be
// looked up at all (on another host that shares the engine) is left until it
// expires.
func (p *Provisioner) Reap(ctx context.Context) ([]string, error) {
	cli, err := engine(ctx)
	if err != nil {
		return nil, nil // no engine, nothing on it
	}
	defer cli.Close()
	var reaped []string
	var errs []error
	for m, err := range unwanted(ctx, cli) {
		if err == nil {
			if err = m.remove(); err == nil || errdefs.IsNotFound(err) {
				reaped = append(reaped, m.what)
				continue
			}
			err = fmt.Errorf("remove %s: %w", m.what, plain(err))
		}
		errs = append(errs, err)
	}
	return reaped, errors.Join(errs...)
}

// unwanted yields what Reap removes, and why in its words; a container first,
// which holds on to the others.
func unwanted(ctx context.Context, cli *client.Client) iter.Seq2[made, error] {
	return func(yield func(made, error) bool) {
		for _, list := range []func(context.Context, *client.Client) ([]made, error){containersMade, networksMade, volumesMade} {
			all, err := list(ctx, cli)
			if err != nil && !yield(made{}, err) {
				return
			}
			for _, m := range all {
				why := orphaned(m.labels, time.Now())
				if why == "" {
					why = deserted(ctx, cli, m.labels)
				}
				if why == "" {
					continue
				}
				m.what += " (" + why + ")"
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// made is one thing on the engine that carries our labels.
type made struct {
	what   string
	labels map[string]string
	remove func() error
}

func ours() client.Filters { return make(client.Filters).Add("label", labelOwner) }

func containersMade(ctx context.Context, cli *client.Client) (all []made, err error) {
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours()})
	if err != nil {
		return nil, fmt.Errorf("list containers to reap: %w", plain(err))
	}
	for _, c := range list.Items {
		what := fmt.Sprintf("container %.12s of %s", c.ID, c.Image)
		all = append(all, made{what, c.Labels, func() error { return remove(ctx, cli, c.ID) }})
	}
	return all, nil
}

func networksMade(ctx context.Context, cli *client.Client) (all []made, err error) {
	list, err := cli.NetworkList(ctx, client.NetworkListOptions{Filters: ours()})
	if err != nil {
		return nil, fmt.Errorf("list networks to reap: %w", plain(err))
	}
	for _, n := range list.Items {
		all = append(all, made{"network " + n.Name, n.Labels, func() error {
			_, err := cli.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			return err
		}})
	}
	return all, nil
}

// volumesMade are left where somebody else removed the container: we take its
// volume along.
func volumesMade(ctx context.Context, cli *client.Client) (all []made, err error) {
	list, err := cli.VolumeList(ctx, client.VolumeListOptions{Filters: ours()})
	if err != nil {
		return nil, fmt.Errorf("list volumes to reap: %w", plain(err))
	}
	for _, v := range list.Items {
		all = append(all, made{fmt.Sprintf("volume %.12s", v.Name), v.Labels, func() error {
			_, err := cli.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
			return err
		}})
	}
	return all, nil
}

// orphaned says why nobody wants what carries these labels any more; "" if
// somebody may: a process that still works with it is never robbed of it,
// expired or not.
func orphaned(labels map[string]string, now time.Time) string {
	o, err := owner.Parse(labels[labelOwner])
	if err == nil && o.Here() && o.Alive() {
		return ""
	}
	if t, err := time.Parse(time.RFC3339, labels[labelExpires]); err == nil && now.After(t) {
		return "expired " + labels[labelExpires]
	}
	if err != nil || labels[labelKeep] == "true" || o.Alive() {
		return ""
	}
	return fmt.Sprintf("process %d, which started it, is gone", o.PID)
}

// deserted says that the container the owner ran in is gone or has ended; "" if
// it runs, or the server was to outlive it.
func deserted(ctx context.Context, cli *client.Client, labels map[string]string) string {
	id := labels[labelInside]
	o, err := owner.Parse(labels[labelOwner])
	if id == "" || labels[labelKeep] == "true" || err != nil || o.Here() {
		return ""
	}
	res, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	switch {
	case errdefs.IsNotFound(err):
		return fmt.Sprintf("container %.12s, which started it, is gone", id)
	case err == nil && res.Container.State != nil && !res.Container.State.Running && !res.Container.State.Restarting:
		return fmt.Sprintf("container %.12s, which started it, has ended", id)
	}
	return ""
}

// remove takes away a container with its volumes, and the network that was made
// for it alone. Gone already is no error.
func remove(ctx context.Context, cli *client.Client, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	name := id
	if res, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); err == nil {
		if res.Container.Config == nil || res.Container.Config.Labels[labelOwner] == "" {
			return fmt.Errorf("remove container %.12s: this tool did not make it", id)
		}
		name = strings.TrimPrefix(res.Container.Name, "/")
	}
	for {
		_, err := cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || errdefs.IsNotFound(err) {
			break
		}
		// Somebody else is removing it: wait for them to be done.
		if !errdefs.IsConflict(err) || sleep(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("remove container %.12s: %w", id, plain(err))
		}
	}
	if _, err := cli.NetworkRemove(ctx, name, client.NetworkRemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove network %s: %w", name, plain(err))
	}
	return nil
}

// removeInterrupted removes what a start made that did not succeed. After a
// request that was cut off, the engine may still be at it: look again.
func removeInterrupted(ctx context.Context, name string, cutOff bool) error {
	cli, err := engine(ctx)
	if err != nil {
		return err
	}
	defer cli.Close()
	times := 1
	if cutOff {
		times = 4
	}
	for i := range times {
		if i > 0 {
			if err := sleep(ctx, 150*time.Millisecond); err != nil {
				return err
			}
		}
		if e := remove(ctx, cli, name); e != nil {
			err = e
		}
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
