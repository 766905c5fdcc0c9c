package container

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/moby/moby/client"
)

// Engine is a container engine that answers.
type Engine struct {
	Address  string   `json:"address"` // "unix:///var/run/docker.sock"
	Name     string   `json:"name"`    // "Docker Engine - Community"
	Version  string   `json:"version"`
	API      string   `json:"api"`
	Platform string   `json:"platform"` // "linux/amd64"
	CPUs     int      `json:"cpus"`
	Memory   int64    `json:"memory"` // bytes
	Images   []string `json:"images"` // of database servers, already there
}

// Look describes the engine that servers would be started on, and asks no
// registry. Its error says that none answers, and where it was looked for.
func Look(ctx context.Context) (Engine, error) {
	cli, err := engine(ctx)
	if err != nil {
		return Engine{}, err
	}
	defer cli.Close()
	e := Engine{Address: cli.DaemonHost()}
	v, err := cli.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return e, plain(err)
	}
	e.Name, e.Version, e.API, e.Platform = v.Platform.Name, v.Version, v.APIVersion, v.Os+"/"+v.Arch
	if info, err := cli.Info(ctx, client.InfoOptions{}); err == nil {
		e.CPUs, e.Memory = info.Info.NCPU, info.Info.MemTotal
	}
	images, err := cli.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return e, plain(err)
	}
	for _, i := range images.Items {
		for _, tag := range i.RepoTags {
			name, _, _ := strings.Cut(tag[strings.LastIndexByte(tag, '/')+1:], ":")
			if slices.Contains([]string{"postgres", "mysql", "mariadb"}, name) {
				e.Images = append(e.Images, tag)
			}
		}
	}
	slices.Sort(e.Images)
	return e, nil
}

// Leftovers lists what Reap would remove, and removes nothing.
func (p *Provisioner) Leftovers(ctx context.Context) ([]string, error) {
	cli, err := engine(ctx)
	if err != nil {
		return nil, nil // no engine, nothing on it
	}
	defer cli.Close()
	var left []string
	var errs []error
	for m, err := range unwanted(ctx, cli) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		left = append(left, m.what)
	}
	return left, errors.Join(errs...)
}
