// Command migration-gate proves a change's database migrations before they
// are merged; see README.md. What it does is in gate/command: here are only
// the process's own things, signals and standard streams.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/migration-gate/migration-gate/gate/command"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cancelOnSignal(cancel)
	// A reader of our output that goes away must not kill the run before it
	// has cleaned up: with somebody listening, the write fails instead.
	// Ignoring the signal would do that to every program started from here.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "migration-gate: find working directory: "+err.Error())
		os.Exit(2)
	}
	os.Exit(command.Run(ctx, command.Env{
		Args: os.Args, Environ: os.Environ(), Dir: dir,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}

// cancelOnSignal cancels the run on the first signal that asks it to end; the
// second one ends the process as if nobody listened.
func cancelOnSignal(cancel context.CancelFunc) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, signals...)
	go func() {
		<-c
		signal.Stop(c)
		cancel()
	}()
}
